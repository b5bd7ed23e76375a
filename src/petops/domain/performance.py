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
    """The CPU of every container that was measured."""

    containers: tuple[ContainerCpu, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PodLatency:
    """One pod's mean request duration in seconds: lately, and earlier in the window."""

    pod: str
    owner: Subject
    seconds: float
    before_seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestLatency:
    """Mean request durations of the pods that answer requests; empty where none is counted."""

    pods: tuple[PodLatency, ...]
