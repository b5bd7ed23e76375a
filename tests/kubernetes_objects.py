"""Kubernetes objects as an API server would list them, for faults that nothing was recorded of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.adapters.fake_kubernetes_api import FakeApi

Json = Any
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
NAMESPACE = "shop"
READY = {"type": "Ready", "status": "True"}


def ago(seconds: float) -> str:
    return (NOW - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def meta(name: str, *, age: float = 3600, namespace: str | None = NAMESPACE, **more: Json) -> Json:
    found = {
        "name": name,
        "uid": f"uid-{name}",
        "resourceVersion": "1",
        "creationTimestamp": ago(age),
        **more,
    }
    return found | ({"namespace": namespace} if namespace else {})


def owner(kind: str, name: str) -> list[Json]:
    return [{"kind": kind, "name": name, "uid": f"uid-{name}", "controller": True}]


def deployment(name: str, *, replicas: int = 1, revision: int = 1, **status: Json) -> Json:
    return {
        "metadata": meta(
            name, generation=1, annotations={"deployment.kubernetes.io/revision": str(revision)}
        ),
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": template(name, revision),
        },
        "status": {
            "observedGeneration": 1,
            "replicas": replicas,
            "updatedReplicas": replicas,
            **status,
        },
    }


def template(name: str, revision: int) -> Json:
    return {
        "metadata": {"labels": {"app": name}},
        "spec": {"containers": [{"name": "app", "image": f"registry/{name}:{revision}"}]},
    }


def replica_set(
    name: str, revision: int = 1, *, age: float = 3600, pods: int = 1, ready: int = 0
) -> Json:
    found = template(name, revision)
    found["metadata"]["labels"]["pod-template-hash"] = f"hash{revision}"
    return {
        "metadata": meta(
            f"{name}-hash{revision}",
            age=age,
            labels={"app": name},
            ownerReferences=owner("Deployment", name),
            annotations={"deployment.kubernetes.io/revision": str(revision)},
        ),
        "spec": {
            "replicas": pods,
            "selector": {"matchLabels": {"app": name, "pod-template-hash": f"hash{revision}"}},
            "template": found,
        },
        "status": {"replicas": pods, "readyReplicas": ready},
    }


def pod(
    name: str,
    number: int = 1,
    *,
    revision: int = 1,
    age: float = 3600,
    ready: bool = True,
    ready_ago: float | None = None,
    state: Json | None = None,
    last: Json | None = None,
    restarts: int = 0,
    phase: str = "Running",
    node: str = "node-a",
    controller: tuple[str, str] | None = None,
    conditions: tuple[Json, ...] = (),
    container: Json | None = None,
    **status: Json,
) -> Json:
    """One pod with one container; ready since shortly after its start if nothing else is said."""
    since = ago(age - 2 if ready_ago is None else ready_ago)
    kind, above = controller or ("ReplicaSet", f"{name}-hash{revision}")
    found = {
        "name": "app",
        "ready": ready,
        "restartCount": restarts,
        "state": state or {"running": {"startedAt": ago(age - 1)}},
        "lastState": {"terminated": last} if last else {},
    }
    return {
        "metadata": meta(
            f"{above}-p{number}",
            age=age,
            labels={"app": name, "pod-template-hash": f"hash{revision}"},
            ownerReferences=owner(kind, above),
        ),
        "spec": {
            "nodeName": node,
            "containers": [
                {"name": "app", "image": f"registry/{name}:{revision}", **(container or {})}
            ],
        },
        "status": {
            "phase": phase,
            "conditions": [
                {"type": "Ready", "status": str(ready), "lastTransitionTime": since},
                *conditions,
            ],
            "containerStatuses": [found] if node else [],
            **status,
        },
    }


def ended(reason: str, code: int, *, lived: float = 5, ago_seconds: float = 60) -> Json:
    return {
        "reason": reason,
        "exitCode": code,
        "startedAt": ago(ago_seconds + lived),
        "finishedAt": ago(ago_seconds),
    }


def waiting(reason: str, message: str = "") -> Json:
    return {"waiting": {"reason": reason, "message": message}}


def event(
    reason: str,
    kind: str,
    name: str,
    message: str,
    *,
    count: int = 1,
    first: float = 300,
    last: float = 30,
    **more: Json,
) -> Json:
    return {
        "metadata": meta(f"{name}.{reason}.{abs(hash(message)) % 9999}", age=first),
        "involvedObject": {"kind": kind, "name": name, "namespace": NAMESPACE},
        "reason": reason,
        "type": "Warning",
        "message": message,
        "count": count,
        "firstTimestamp": ago(first),
        "lastTimestamp": ago(last),
        **more,
    }


def node(
    name: str = "node-a", *, age: float = 86400, cordoned: bool = False, **conditions: str
) -> Json:
    said = {"Ready": "True", "MemoryPressure": "False", "DiskPressure": "False"} | conditions
    return {
        "metadata": meta(name, age=age, namespace=None, labels={}),
        "spec": {"unschedulable": True} if cordoned else {},
        "status": {
            "conditions": [
                {"type": key, "status": value, "lastTransitionTime": ago(120)}
                for key, value in said.items()
            ],
            "allocatable": {"memory": "8Gi"},
        },
    }


def world(**objects: list[Json]) -> FakeApi:
    """An API with these objects, by the names of recorded lists; one healthy node by default."""
    api = FakeApi()
    for what, found in ({"nodes": [node()]} | objects).items():
        api.add(what, found)
    return api
