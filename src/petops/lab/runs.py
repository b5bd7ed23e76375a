"""One run of a container's program, from start to end, with the counters that begin with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from petops.lab.programs import Behaviour, Program
from petops.lab.usage import DURATION_BUCKETS

_PERIODS_PER_SECOND: Final = 10.0
_THROTTLED_AT_MOST: Final = 0.98


@dataclass(slots=True, kw_only=True)
class Network:
    """A pod's counters of bytes: they outlive its containers' restarts."""

    received: float = 0.0
    sent: float = 0.0


@dataclass(slots=True, kw_only=True, eq=False)
class Run:
    """One run. `count` is how often the container had been restarted when it began.

    `granted_ratio` is which part of the CPU that it wants its node has for it. It waits for a CPU
    while that is short, and while its own limit holds it: pressure tells no difference.
    """

    namespace: str
    pod: str
    pod_uid: str
    container: str
    container_id: str
    node: str
    owner_kind: str
    owner_name: str
    program: Program
    behaviour: Behaviour
    count: int
    started_at: datetime
    network: Network
    ended_at: datetime | None = None
    exit_code: int = 0
    reason: str = ""
    ready: bool = False
    settled_at: datetime | None = None
    cpu_seconds: float = 0.0
    periods: float = 0.0
    throttled_periods: float = 0.0
    throttled_seconds: float = 0.0
    waiting_seconds: float = 0.0
    granted_ratio: float = 1.0
    requests: float = 0.0
    errors: float = 0.0
    duration_seconds: float = 0.0
    durations: list[float] = field(default_factory=lambda: [0.0] * len(DURATION_BUCKETS))

    @property
    def is_alive(self) -> bool:
        return self.ended_at is None

    def age(self, now: datetime) -> float:
        """Return the seconds since the start."""
        return (now - self.started_at).total_seconds()

    def spend(self, now: datetime, requests: float) -> None:
        """Count the CPU that was used since the last call, `requests` answered included."""
        since = self.settled_at or self.started_at
        seconds = (now - since).total_seconds()
        self.settled_at = now
        if seconds <= 0:
            return
        middle = self.age(now) - seconds / 2
        demand = self.behaviour.cpu_cores(middle)
        demand += requests * self.behaviour.cpu_seconds_per_request / seconds
        limit = self.program.cpu_limit_cores
        used = demand if limit is None else min(demand, limit)
        self.cpu_seconds += seconds * used * self.granted_ratio
        self.waiting_seconds += seconds * (1 - self.granted_ratio)
        if limit is None:
            return
        wanted = demand / limit
        self.waiting_seconds += seconds * self.granted_ratio * throttled_ratio(wanted)
        busy = seconds * _PERIODS_PER_SECOND * min(0.2 + wanted, 1.0)
        self.periods += busy
        self.throttled_periods += busy * throttled_ratio(wanted)
        self.throttled_seconds += seconds * max(demand - limit, 0.0)


def pressure(run: Run, age: float, requests_per_second: float) -> float:
    """Return how much of its CPU limit a run wants; 0 where it has none."""
    limit = run.program.cpu_limit_cores
    if not limit:
        return 0.0
    busy = requests_per_second * run.behaviour.cpu_seconds_per_request
    return (run.behaviour.cpu_cores(age) + busy) / limit


def throttled_ratio(wanted: float) -> float:
    """Return the share of CFS periods that are throttled, by what is wanted of the limit."""
    return min(max(wanted - 0.7, 0.0) / 0.4, _THROTTLED_AT_MOST)
