"""The Pet Adoptions application and its cluster: three nodes, six Deployments and their history.

Nothing here is broken. Names of workloads are those of the workshop; a Service selects by `app`
alone, so that other Deployments (an injector, say) can stand behind it, while each Deployment's own
selector has `component`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from petops.domain.subject import ClusterName
from petops.lab.application_access import access
from petops.lab.application_system import classes, system
from petops.lab.store import Json

NAMESPACE: Final = "default"
REQUESTS_FOR_EACH: Final[Mapping[str, float]] = {
    "petsite": 1.0,
    "petsearch-java": 1.4,
    "petlistadoptions-go": 0.6,
    "petadoptionshistory-py": 0.5,
    "payforadoption-go": 0.25,
}
"""Requests at a service for each that the traffic generator sends to the shop's front."""

_AGENT_NAMESPACE: Final = "kube-system"


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """One Deployment of the application. `releases` are image tags with their age, oldest first."""

    name: str
    replicas: int
    cpu: tuple[str, str]
    memory: tuple[str, str]
    releases: tuple[tuple[str, timedelta], ...]
    component: str = "service"
    port: int | None = 8080
    environment: Mapping[str, str] = field(default_factory=dict)


WORKLOADS: Final[tuple[Workload, ...]] = (
    Workload(
        name="petsite",
        replicas=2,
        cpu=("100m", "500m"),
        memory=("256Mi", "512Mi"),
        releases=(
            ("2.8.0", timedelta(days=6)),
            ("2.8.1", timedelta(days=3, hours=4)),
            ("2.9.0", timedelta(hours=22)),
        ),
    ),
    Workload(
        name="petsearch-java",
        replicas=2,
        cpu=("200m", "1"),
        memory=("512Mi", "768Mi"),
        releases=(
            ("1.14.2", timedelta(days=7)),
            ("1.15.0", timedelta(days=4, hours=2)),
            ("1.15.1", timedelta(days=2, hours=7)),
        ),
    ),
    Workload(
        name="payforadoption-go",
        replicas=2,
        cpu=("50m", "250m"),
        memory=("64Mi", "128Mi"),
        releases=(
            ("3.1.0", timedelta(days=8)),
            ("3.1.1", timedelta(days=5)),
            ("3.2.0", timedelta(days=1, hours=9)),
        ),
    ),
    Workload(
        name="petlistadoptions-go",
        replicas=2,
        cpu=("50m", "250m"),
        memory=("64Mi", "128Mi"),
        releases=(
            ("1.7.3", timedelta(days=8, hours=3)),
            ("1.7.4", timedelta(days=6, hours=1)),
            ("1.8.0", timedelta(days=2, hours=20)),
        ),
    ),
    Workload(
        name="petadoptionshistory-py",
        replicas=2,
        cpu=("50m", "250m"),
        memory=("128Mi", "256Mi"),
        releases=(
            ("0.9.4", timedelta(days=5, hours=6)),
            ("0.9.5", timedelta(days=1, hours=3)),
            ("0.10.0", timedelta(hours=6, minutes=12)),
        ),
    ),
    Workload(
        name="traffic-generator",
        replicas=1,
        cpu=("50m", "200m"),
        memory=("64Mi", "128Mi"),
        releases=(
            ("1.2.0", timedelta(days=7, hours=8)),
            ("1.3.0", timedelta(days=3)),
            ("1.3.1", timedelta(days=2, hours=1)),
        ),
        component="generator",
        port=None,
        environment={"TARGET_URL": "http://petsite", "REQUESTS_PER_SECOND": "12"},
    ),
)


def deployment(workload: Workload, tag: str, cluster: ClusterName, *, replicas: int) -> Json:
    """Return a Deployment as somebody would apply it."""
    labels = {"app": workload.name, "component": workload.component}
    registry = f"{cluster.account}.dkr.ecr.{cluster.region}.amazonaws.com"
    container: dict[str, Any] = {
        "name": workload.name,
        "image": f"{registry}/pet-adoptions/{workload.name}:{tag}",
        "env": [
            {"name": "APP_VERSION", "value": tag},
            {"name": "AWS_REGION", "value": cluster.region},
            *({"name": name, "value": value} for name, value in workload.environment.items()),
        ],
        "resources": {
            "requests": {"cpu": workload.cpu[0], "memory": workload.memory[0]},
            "limits": {"cpu": workload.cpu[1], "memory": workload.memory[1]},
        },
    }
    if workload.port is not None:
        container["ports"] = [{"name": "http", "containerPort": workload.port}]
        probe = {"httpGet": {"path": "/health/status", "port": "http"}}
        container["readinessProbe"] = {**probe, "periodSeconds": 5, "failureThreshold": 2}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": workload.name,
            "namespace": NAMESPACE,
            "labels": {**labels, "app.kubernetes.io/part-of": "pet-adoptions"},
            "annotations": {"kubernetes.io/change-cause": f"release {tag}"},
        },
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": {**labels, "app.kubernetes.io/part-of": "pet-adoptions"}},
                "spec": {"containers": [container]},
            },
        },
    }


def around(workload: Workload) -> Iterator[Json]:
    """Yield the Service and the PodDisruptionBudget of a workload that answers requests."""
    if workload.port is None:
        return
    labels = {"app": workload.name}
    metadata = {"name": workload.name, "namespace": NAMESPACE, "labels": labels}
    port = {"name": "http", "port": 80, "targetPort": "http"}
    yield {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata,
        "spec": {"selector": labels, "ports": [port]},
    }
    own = {**labels, "component": workload.component}
    yield {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata,
        "spec": {"minAvailable": 1, "selector": {"matchLabels": own}},
    }


def surroundings() -> Iterator[Json]:
    """Yield the namespaces, and what every cluster has."""
    for name in (NAMESPACE, "kube-node-lease", "kube-public", _AGENT_NAMESPACE, "petops"):
        # The lab is there for practice: its own namespace says that faults are welcome.
        labels = {"petops.dev/chaos": "allowed"} if name == NAMESPACE else {}
        metadata = {"name": name, "labels": labels}
        yield {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
    account = {"name": "petops", "namespace": "petops"}
    yield {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account}
    yield from access()
    yield from system()
    yield {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": "kubernetes",
            "namespace": NAMESPACE,
            "labels": {"component": "apiserver", "provider": "kubernetes"},
        },
        "spec": {
            "clusterIP": "172.20.0.1",
            "ports": [{"name": "https", "port": 443, "targetPort": 443}],
        },
    }
    yield from classes()


def autoscaler() -> Json:
    """Return the one autoscaler."""
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "payforadoption-go"}
    metric = {
        "type": "Resource",
        "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}},
    }
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "payforadoption-go", "namespace": NAMESPACE},
        "spec": {"scaleTargetRef": target, "minReplicas": 2, "maxReplicas": 6, "metrics": [metric]},
    }


def history(start: datetime, cluster: ClusterName) -> list[tuple[datetime, Json]]:
    """Return what was applied when, oldest first: only the latest release of each has pods."""
    applied: list[tuple[datetime, Json]] = []
    for workload in WORKLOADS:
        for position, (tag, age) in enumerate(workload.releases):
            latest = position == len(workload.releases) - 1
            replicas = workload.replicas if latest else 0
            applied.append((start - age, deployment(workload, tag, cluster, replicas=replicas)))
            if not position:
                applied.extend((start - age, one) for one in around(workload))
    first = min(at for at, _ in applied)
    applied.append((first, autoscaler()))
    return sorted(applied, key=lambda one: one[0])
