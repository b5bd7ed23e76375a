"""What kube-state-metrics says of one pod and its containers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from petops.lab.exposition import Labels, Sample
from petops.lab.quantities import quantity

Json = Mapping[str, Any]

_PHASES: Final = ("Pending", "Succeeded", "Failed", "Unknown", "Running")
_REASONS: Final = ("Evicted", "NodeAffinity", "NodeLost", "Shutdown", "UnexpectedAdmissionError")
_UNITS: Final = {"cpu": "core", "memory": "byte", "ephemeral-storage": "byte"}


def pod_samples(pod: Json) -> Iterator[Sample]:
    """Yield the metrics of a pod and its containers."""
    meta, spec, status = pod["metadata"], pod["spec"], pod.get("status", {})
    labels: Labels = (
        ("namespace", meta["namespace"]),
        ("pod", meta["name"]),
        ("uid", meta["uid"]),
    )
    yield from _about(pod, labels)
    for phase in _PHASES:
        value = int(status.get("phase") == phase)
        yield Sample("kube_pod_status_phase", (*labels, ("phase", phase)), value)
    for reason in _REASONS:
        value = int(status.get("reason") == reason)
        yield Sample("kube_pod_status_reason", (*labels, ("reason", reason)), value)
    for condition in status.get("conditions", ()):
        metric = {"Ready": "ready", "PodScheduled": "scheduled"}.get(condition["type"])
        for truth in ("true", "false", "unknown") if metric else ():
            value = int(condition["status"].lower() == truth)
            yield Sample(f"kube_pod_status_{metric}", (*labels, ("condition", truth)), value)
        if condition["type"] == "PodScheduled" and condition.get("reason") == "Unschedulable":
            yield Sample("kube_pod_status_unschedulable", labels, 1)
    for container in spec["containers"]:
        yield from _resources(container, spec.get("nodeName", ""), labels)
    for container in status.get("containerStatuses", ()):
        yield from _container(container, labels)


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _about(pod: Json, labels: Labels) -> Iterator[Sample]:
    meta, spec, status = pod["metadata"], pod["spec"], pod.get("status", {})
    owners = meta.get("ownerReferences") or [{}]
    yield Sample(
        "kube_pod_info",
        (
            *labels,
            ("host_ip", status.get("hostIP", "")),
            ("pod_ip", status.get("podIP", "")),
            ("node", spec.get("nodeName", "")),
            ("created_by_kind", owners[0].get("kind", "")),
            ("created_by_name", owners[0].get("name", "")),
            ("priority_class", spec.get("priorityClassName", "")),
            ("host_network", str(bool(spec.get("hostNetwork"))).lower()),
        ),
        1,
    )
    for owner in owners:
        own = (
            *labels,
            ("owner_kind", owner.get("kind", "")),
            ("owner_name", owner.get("name", "")),
            ("owner_is_controller", str(bool(owner.get("controller"))).lower() if owner else ""),
        )
        yield Sample("kube_pod_owner", own, 1)
    if created := meta.get("creationTimestamp"):
        yield Sample("kube_pod_created", labels, _seconds(created))
    if started := status.get("startTime"):
        yield Sample("kube_pod_start_time", labels, _seconds(started))


def _resources(container: Json, node: str, labels: Labels) -> Iterator[Sample]:
    for kind in ("requests", "limits"):
        for resource, amount in (container.get("resources", {}).get(kind) or {}).items():
            own = (
                *labels,
                ("container", container["name"]),
                ("node", node),
                ("resource", resource.replace("-", "_")),
                ("unit", _UNITS.get(resource, "integer")),
            )
            yield Sample(f"kube_pod_container_resource_{kind}", own, quantity(amount))


def _container(container: Json, labels: Labels) -> Iterator[Sample]:
    own = (*labels, ("container", container["name"]))
    prefix = "kube_pod_container_status"
    yield Sample(
        "kube_pod_container_info",
        (
            *own,
            ("image", container.get("image", "")),
            ("image_id", container.get("imageID", "")),
            ("container_id", container.get("containerID", "")),
        ),
        1,
    )
    yield Sample(f"{prefix}_restarts_total", own, container.get("restartCount", 0))
    yield Sample(f"{prefix}_ready", own, int(bool(container.get("ready"))))
    state = container.get("state", {})
    for name in ("running", "waiting", "terminated"):
        yield Sample(f"{prefix}_{name}", own, int(name in state))
    if reason := state.get("waiting", {}).get("reason"):
        yield Sample(f"{prefix}_waiting_reason", (*own, ("reason", reason)), 1)
    if reason := state.get("terminated", {}).get("reason"):
        yield Sample(f"{prefix}_terminated_reason", (*own, ("reason", reason)), 1)
    if ended := container.get("lastState", {}).get("terminated"):
        reason = (("reason", ended.get("reason", "")),)
        yield Sample(f"{prefix}_last_terminated_reason", (*own, *reason), 1)
        yield Sample(f"{prefix}_last_terminated_exitcode", own, ended.get("exitCode", 0))
        if finished := ended.get("finishedAt"):
            yield Sample(f"{prefix}_last_terminated_timestamp", own, _seconds(finished))
