"""What stands around a change: nodes and their room, who scales, quotas and bounds, permissions.

None is 'could not be found out', never 'nothing'. CPU is in thousandths of a core.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from petops.domain.change import (
    Act,
    Cordon,
    DrainNode,
    EvictPod,
    PodTarget,
    SetCpuLimit,
    SetHpa,
    SetMemoryLimit,
    Uncordon,
    target,
)
from petops.domain.subject import Kind, Subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What one pod requests of its node."""

    cpu_milli: int
    memory_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRoom:
    """What a node has left of its allocatable: CPU, memory, and pods."""

    name: str
    cpu_milli: int
    memory_bytes: int
    pods: int
    is_open: bool
    whole_cpu_milli: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Occupant:
    """One pod on a node, as far as draining cares. `stays` says why it is left alone, if it is."""

    pod: PodTarget
    owner: str
    demand: Demand
    is_ready: bool
    stays: str = ""
    has_empty_dir: bool = False
    budget: str = ""
    is_leaving: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSite:
    """A node with the pods on it."""

    subject: Subject
    uid: str
    is_cordoned: bool
    is_ready: bool
    occupants: tuple[Occupant, ...]

    @property
    def evictable(self) -> tuple[Occupant, ...]:
        """The pods that a drain would evict."""
        return tuple(one for one in self.occupants if not one.stays and not one.is_leaving)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaler:
    """The autoscaler that owns a workload's replicas."""

    name: str
    uid: str
    minimum: int
    maximum: int
    desired: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What stands around a workload or a node.

    `nodes` is the room on each node; `quota` what the namespace's quotas leave, by resource;
    `container_most` what its LimitRanges admit a container, by resource. `has_scaler` is None where
    it is not known whether an autoscaler owns the replicas. `why` says why a part is not known.
    """

    nodes: tuple[NodeRoom, ...] | None = None
    quota: Mapping[str, int] | None = None
    container_most: Mapping[str, int] | None = None
    has_scaler: bool | None = None
    scaler: Scaler | None = None
    resizes_in_place: bool | None = None
    why: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """One thing that somebody must be allowed to do in Kubernetes."""

    verb: str
    group: str
    resource: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""

    def __str__(self) -> str:
        what = f"{self.resource}/{self.subresource}" if self.subresource else self.resource
        place = f" in {self.namespace}" if self.namespace else ""
        return f"{self.verb} {what}{place}"


_RESOURCES = {
    Kind.DEPLOYMENT: ("apps", "deployments"),
    Kind.STATEFUL_SET: ("apps", "statefulsets"),
    Kind.DAEMON_SET: ("apps", "daemonsets"),
    Kind.REPLICA_SET: ("apps", "replicasets"),
    Kind.JOB: ("batch", "jobs"),
    Kind.POD: ("", "pods"),
    Kind.SERVICE: ("", "services"),
    Kind.NODE: ("", "nodes"),
    Kind.AUTOSCALER: ("autoscaling", "horizontalpodautoscalers"),
    Kind.VOLUME_CLAIM: ("", "persistentvolumeclaims"),
}


def permissions(change: Act) -> tuple[Permission, ...]:
    """Return what whoever makes the change must be allowed to do."""
    match change:
        case EvictPod(subject=pod):
            return (_eviction(pod.namespace),)
        case DrainNode():
            spaces = sorted({one.namespace for one in change.pods})
            return (_on(change, "patch"), *map(_eviction, spaces))
        case SetHpa(was=None):
            return (_on(change, "create"),)
        case SetHpa(to=None):
            return (_on(change, "delete"),)
        case SetMemoryLimit() | SetCpuLimit() if change.pods:
            place = change.subject.namespace
            resize = Permission(
                verb="patch", group="", resource="pods", namespace=place, subresource="resize"
            )
            return (_on(change, "patch"), resize)
        case _:
            return (_on(change, "patch"),)


def _on(change: Act, verb: str) -> Permission:
    subject = target(change)
    group, resource = _RESOURCES[subject.kind]
    name = "" if verb == "create" else subject.name
    return Permission(
        verb=verb, group=group, resource=resource, namespace=subject.namespace, name=name
    )


def _eviction(namespace: str) -> Permission:
    return Permission(
        verb="create", group="", resource="pods", namespace=namespace, subresource="eviction"
    )


def unplaced(demands: Iterable[Demand], rooms: Iterable[NodeRoom]) -> int:
    """Return how many of these pods find no place on the open nodes, the largest placed first."""
    left = [[one.cpu_milli, one.memory_bytes, one.pods] for one in rooms if one.is_open]
    missing = 0
    wanted = sorted(demands, key=lambda one: (one.memory_bytes, one.cpu_milli), reverse=True)
    for one in wanted:
        fits = next(
            (
                node
                for node in left
                if node[0] >= one.cpu_milli and node[1] >= one.memory_bytes and node[2] >= 1
            ),
            None,
        )
        if fits is None:
            missing += 1
            continue
        fits[0] -= one.cpu_milli
        fits[1] -= one.memory_bytes
        fits[2] -= 1
    return missing


def concerns_node(change: object) -> bool:
    """Say whether the change is made to a node."""
    return isinstance(change, Cordon | Uncordon | DrainNode)
