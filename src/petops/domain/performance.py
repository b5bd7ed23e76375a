"""What steps answer about CPU and about how long requests take."""

from __future__ import annotations

from dataclasses import dataclass

from petops.domain.subject import Subject


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerCpu:
    """One container's CPU lately. Ratios are 0 to 1; None is 'not measured', never zero.

    `throttled_ratio` is the share of CFS periods in which it was throttled, lately; `before_ratio`
    the same earlier in the window; `lifetime_only` says that both come from counters seen once,
    over the container's whole life.
    """

    pod: str
    container: str
    owner: Subject
    revision: str
    usage_cores: float | None
    limit_cores: float | None
    throttled_ratio: float | None
    before_ratio: float | None
    lifetime_only: bool = False

    @property
    def of_limit_ratio(self) -> float | None:
        """Usage over limit."""
        if self.usage_cores is None or not self.limit_cores:
            return None
        return self.usage_cores / self.limit_cores


@dataclass(frozen=True, slots=True, kw_only=True)
class CpuUse:
    """The CPU of every container that was measured.

    `beside_unknown` says why it is not known which pods serve beside the workload's own.
    """

    containers: tuple[ContainerCpu, ...]
    beside_unknown: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CpuWait:
    """How long a pod's containers waited for a CPU that others had, a second, lately and before."""

    pod: str
    owner: Subject
    node: str
    waiting_ratio: float
    before_ratio: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeCpu:
    """What the pods of one node use together. `greediest` is the owner of most of it.

    `calm_cores` is the least that they used together for five minutes of the last hour; None where
    it was not asked for, or not measured.
    """

    node: str
    used_cores: float
    allocatable_cores: float | None
    unmeasured_pods: int
    greediest: Subject | None = None
    greediest_cores: float = 0.0
    calm_cores: float | None = None

    @property
    def used_ratio(self) -> float | None:
        """Use over allocatable."""
        return self.used_cores / self.allocatable_cores if self.allocatable_cores else None


@dataclass(frozen=True, slots=True, kw_only=True)
class CpuShortage:
    """Who waits for a CPU, and how full the node of who waits longest is.

    `waits` is empty where neither pressure nor run queues are measured: then `node` is the one
    under the pod that became slowest, where one did.
    """

    waits: tuple[CpuWait, ...]
    node: NodeCpu | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PodLatency:
    """One pod's mean request duration in seconds: lately, and what its workload's took before.

    `before_seconds` is the median over stretches of the window that ended well before now, pods
    that are gone included; None where the workload has no such past.
    """

    pod: str
    owner: Subject
    seconds: float
    before_seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestLatency:
    """Mean request durations of the pods that answer requests; empty where none is counted."""

    pods: tuple[PodLatency, ...]
