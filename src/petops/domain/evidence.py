"""What was asked, what came back, and what could not be had."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from petops.domain.facts import Fact


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A stretch of time, both ends in UTC."""

    start: datetime
    end: datetime

    @classmethod
    def before(cls, end: datetime, span: timedelta) -> Window:
        """Return the window of length `span` that ends at `end`."""
        return cls(start=end - span, end=end)

    @property
    def seconds(self) -> float:
        return (self.end - self.start).total_seconds()


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One question to one source, exactly as it was sent."""

    source: str
    query: str
    window: Window | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A step's typed answer, with the queries it came from."""

    step: str
    fact: Fact
    asked: tuple[Asked, ...]
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """A step without an answer. It proves nothing; it lowers confidence."""

    step: str
    why: str
    asked: tuple[Asked, ...] = ()
    seconds: float = 0.0


class Signal(StrEnum):
    """A quantity that a `Metrics` source can give, in the unit that the name says.

    `STARTED_SECONDS` is when a container started, in seconds since 1970. Totals are counters;
    `CPU_WAITING_SECONDS_TOTAL` is pressure (PSI), `CPU_QUEUED_SECONDS_TOTAL` time in run queues;
    `REQUEST_SECONDS_TOTAL` and `REQUEST_DURATIONS_TOTAL` are sum and count of one histogram.
    """

    MEMORY_WORKING_SET_BYTES = "memory-working-set-bytes"
    MEMORY_RSS_BYTES = "memory-rss-bytes"
    MEMORY_CACHE_BYTES = "memory-cache-bytes"
    MEMORY_LIMIT_BYTES = "memory-limit-bytes"
    STARTED_SECONDS = "started-seconds"
    REQUESTS_TOTAL = "requests-total"
    REQUEST_SECONDS_TOTAL = "request-seconds-total"
    REQUEST_DURATIONS_TOTAL = "request-durations-total"
    CPU_SECONDS_TOTAL = "cpu-seconds-total"
    CPU_PERIODS_TOTAL = "cpu-periods-total"
    CPU_THROTTLED_PERIODS_TOTAL = "cpu-throttled-periods-total"
    CPU_WAITING_SECONDS_TOTAL = "cpu-waiting-seconds-total"
    CPU_QUEUED_SECONDS_TOTAL = "cpu-queued-seconds-total"


@dataclass(frozen=True, slots=True, kw_only=True)
class PodScope:
    """The pods that a reading is about.

    Those named, and all whose name begins with a prefix and a dash.

    Prefixes are names of ReplicaSets, so that pods which are gone are found as well; `deployments`
    stand for all their ReplicaSets, those still to come too.
    """

    namespace: str
    pods: tuple[str, ...]
    prefixes: tuple[str, ...] = ()
    deployments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One value of a series, at its own time in UTC."""

    at: datetime
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """The samples of one labelled series, oldest first."""

    labels: tuple[tuple[str, str], ...]
    samples: tuple[Sample, ...]

    def label(self, name: str) -> str:
        """Return a label's value, empty where the series does not have it."""
        return dict(self.labels).get(name, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Readings:
    """What a metrics source answered, with the question for the record."""

    asked: Asked
    series: tuple[Series, ...]
