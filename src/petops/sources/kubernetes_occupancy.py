"""Kubernetes' JSON as ground to stand on: room on nodes, what a drain meets, quotas and bounds.

Pure functions. CPU is in thousandths of a core.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from petops.domain.change import PodTarget
from petops.domain.quantity import bytes_of, exact, milli
from petops.domain.subject import Subject
from petops.domain.terrain import Demand, NodeRoom, NodeSite, Occupant
from petops.errors import UsageError
from petops.sources.kubernetes_shapes import (
    HASH_LABEL,
    condition,
    controller_of,
    is_selected,
    labels_of,
    requested_bytes,
)

Json = Any

_MIRROR: Final = "kubernetes.io/config.mirror"
_SYSTEM: Final = "kube-system"
_CLOSING: Final = frozenset({"NoSchedule", "NoExecute"})
_ENDED: Final = frozenset({"Succeeded", "Failed"})
_SAME: Final = {"cpu": "requests.cpu", "memory": "requests.memory", "count/pods": "pods"}


def demand(pod: Json) -> Demand:
    """Return what a pod requests of its node; nothing once it has ended."""
    return Demand(cpu_milli=requested_milli(pod), memory_bytes=requested_bytes(pod))


def requested_milli(pod: Json) -> int:
    """Return the CPU that the scheduler reserves for a pod."""
    if (pod.get("status") or {}).get("phase") in _ENDED:
        return 0
    spec = pod["spec"]
    early = spec.get("initContainers") or ()
    staying = [one for one in early if one.get("restartPolicy") == "Always"]
    running = sum(_cpu(one) for one in (*spec["containers"], *staying))
    return max(running, max((_cpu(one) for one in early), default=0))


def _cpu(container: Json) -> int:
    requests = (container.get("resources") or {}).get("requests") or {}
    return _count("cpu", requests.get("cpu", "0")) or 0


def node_rooms(nodes: Sequence[Json], pods: Sequence[Json]) -> tuple[NodeRoom, ...]:
    """Return what each node has left of its allocatable."""
    on: dict[str, list[Json]] = defaultdict(list)
    for pod in pods:
        on[pod["spec"].get("nodeName") or ""].append(pod)
    return tuple(_room(node, on[node["metadata"]["name"]]) for node in nodes)


def _room(node: Json, pods: Sequence[Json]) -> NodeRoom:
    whole = (node.get("status") or {}).get("allocatable") or {}
    taken = [demand(one) for one in pods]
    cpu = _count("cpu", whole.get("cpu", "0")) or 0
    memory = _count("memory", whole.get("memory", "0")) or 0
    return NodeRoom(
        name=node["metadata"]["name"],
        cpu_milli=cpu - sum(one.cpu_milli for one in taken),
        memory_bytes=memory - sum(one.memory_bytes for one in taken),
        pods=(_count("pods", whole.get("pods", "110")) or 0) - len(pods),
        is_open=is_open(node),
        whole_cpu_milli=cpu,
    )


def is_open(node: Json) -> bool:
    """Say whether a node takes pods that tolerate nothing."""
    taints = node["spec"].get("taints") or ()
    closed = any(one.get("effect") in _CLOSING for one in taints)
    is_ready = condition(node, "Ready") == "True"
    return is_ready and not closed and not node["spec"].get("unschedulable")


def node_site(
    subject: Subject, node: Json, pods: Sequence[Json], budgets: Sequence[Json]
) -> NodeSite:
    """Return a node with its pods as a drain meets them."""
    return NodeSite(
        subject=subject,
        uid=node["metadata"]["uid"],
        is_cordoned=bool(node["spec"].get("unschedulable")),
        is_ready=condition(node, "Ready") == "True",
        occupants=tuple(occupant(one, budgets) for one in pods),
    )


def occupant(pod: Json, budgets: Sequence[Json]) -> Occupant:
    """Return a pod as a drain meets it."""
    metadata, volumes = pod["metadata"], pod["spec"].get("volumes") or ()
    return Occupant(
        pod=PodTarget(namespace=metadata["namespace"], name=metadata["name"], uid=metadata["uid"]),
        owner=_owner(pod),
        demand=demand(pod),
        is_ready=condition(pod, "Ready") == "True",
        stays=stays(pod),
        has_empty_dir=any(
            "emptyDir" in one and (one["emptyDir"] or {}).get("medium") != "Memory"
            for one in volumes
        ),
        budget=_held_by(pod, budgets),
        is_leaving="deletionTimestamp" in metadata,
    )


def stays(pod: Json) -> str:
    """Say why a drain leaves this pod alone; empty where it does not."""
    controller = controller_of(pod)
    if (pod.get("status") or {}).get("phase") in _ENDED:
        return "it has ended"
    if _MIRROR in (pod["metadata"].get("annotations") or {}):
        return "it is a mirror of a static pod"
    if controller is not None and controller.get("kind") == "DaemonSet":
        return "it belongs to a DaemonSet"
    if pod["metadata"]["namespace"] == _SYSTEM:
        return f"namespace {_SYSTEM} is left alone"
    return "" if controller is not None else "nothing would bring it back"


def _owner(pod: Json) -> str:
    controller = controller_of(pod)
    if controller is None:
        return str(pod["metadata"]["name"])
    name = str(controller["name"])
    suffix = labels_of(pod).get(HASH_LABEL, "")
    return name.removesuffix(f"-{suffix}") if suffix else name


def _held_by(pod: Json, budgets: Iterable[Json]) -> str:
    """Return the budget that allows no eviction of this pod now."""
    is_ready = condition(pod, "Ready") == "True"
    for one in budgets:
        status = one.get("status") or {}
        same_space = one["metadata"]["namespace"] == pod["metadata"]["namespace"]
        if not same_space or not is_selected(labels_of(pod), one["spec"].get("selector")):
            continue
        healthy, needed = status.get("currentHealthy", 0), status.get("desiredHealthy", 0)
        loses_none = not is_ready and healthy >= needed > 0
        if not loses_none and status.get("disruptionsAllowed", 0) < 1:
            return str(one["metadata"]["name"])
    return ""


def left_of_quotas(quotas: Sequence[Json]) -> Mapping[str, int]:
    """Return the least that any quota leaves, by resource, under one name for each."""
    left: dict[str, int] = {}
    for one in quotas:
        status = one.get("status") or {}
        hard = {**(one["spec"].get("hard") or {}), **(status.get("hard") or {})}
        used = status.get("used") or {}
        for name, most in hard.items():
            resource = _SAME.get(name, name)
            whole, taken = _count(resource, most), _count(resource, used.get(name, "0"))
            if whole is not None and taken is not None:
                left[resource] = min(left.get(resource, whole - taken), whole - taken)
    return left


def most_a_container(ranges: Sequence[Json]) -> Mapping[str, int]:
    """Return the least of the maxima that LimitRanges set a container, by resource."""
    most: dict[str, int] = {}
    for one in ranges:
        for limit in one["spec"].get("limits") or ():
            if limit.get("type") != "Container":
                continue
            for resource, text in (limit.get("max") or {}).items():
                count = _count(resource, text)
                if count is not None:
                    most[resource] = min(most.get(resource, count), count)
    return most


def _count(resource: str, text: Json) -> int | None:
    """Return a quantity in the unit of its resource: thousandths, bytes, or pieces."""
    try:
        if resource.endswith("cpu"):
            return milli(str(text))
        if resource.endswith(("memory", "storage")):
            return bytes_of(str(text))
        return int(exact(str(text)))
    except UsageError:
        return None
