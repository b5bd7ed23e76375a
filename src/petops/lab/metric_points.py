"""CloudWatch's datapoints, and what a period's are brought down to."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

STATISTICS: Final = ("SampleCount", "Average", "Sum", "Minimum", "Maximum")
_PERCENTILE: Final = re.compile(r"p(\d{1,2}(?:\.\d{1,10})?|100)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Metric:
    """One time series, as it is asked for. Dimensions are sorted by name."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, namespace: str, name: str, dimensions: Mapping[str, str]) -> Metric:
        """Return a metric by its dimensions in any order."""
        return cls(namespace, name, tuple(sorted(dimensions.items())))


@dataclass(frozen=True, slots=True)
class Point:
    """A value that was measured `weight` times. `at` is in seconds since 1970."""

    at: float
    value: float
    weight: float = 1.0


class Source(Protocol):
    """Metrics that can be asked for."""

    def metrics(self, name: str = "") -> Iterable[Metric]:
        """Return every metric that has values, or those of one name."""

    def points(self, metric: Metric, start: float, end: float) -> Iterable[Point]:
        """Return the values in [start, end), in any order."""


def is_statistic(name: str) -> bool:
    """Say whether this is a statistic that the lab knows."""
    return name in STATISTICS or _PERCENTILE.fullmatch(name) is not None


def statistic(name: str, points: Sequence[Point]) -> float:
    """Bring a period's points, of which there is at least one, down to one value."""
    weight = sum(point.weight for point in points)
    match name:
        case "SampleCount":
            return weight
        case "Sum":
            return math.fsum(point.value * point.weight for point in points)
        case "Average":
            total = math.fsum(point.value * point.weight for point in points)
            return total / weight if weight else 0.0
        case "Minimum":
            return min(point.value for point in points)
        case "Maximum":
            return max(point.value for point in points)
        case _:
            return percentile(float(name[1:]), points)


def percentile(percent: float, points: Sequence[Point]) -> float:
    """Return the value below which so much of the weight lies; in between, between neighbours."""
    ordered = sorted(points, key=lambda point: point.value)
    wanted = percent / 100 * sum(point.weight for point in ordered)
    passed, before = 0.0, ordered[0]
    for point in ordered:
        middle = passed + point.weight / 2
        if middle >= wanted:
            low = passed - before.weight / 2
            if point is ordered[0] or middle <= low:
                return point.value
            share = (wanted - low) / (middle - low)
            return before.value + share * (point.value - before.value)
        passed, before = passed + point.weight, point
    return ordered[-1].value


def by_period(points: Iterable[Point], period: int) -> dict[int, list[Point]]:
    """Return the points by the start of their period."""
    found: dict[int, list[Point]] = {}
    for point in points:
        found.setdefault(math.floor(point.at / period) * period, []).append(point)
    return found


def series(points: Iterable[Point], period: int, name: str) -> dict[int, float]:
    """Return one value a period, oldest first."""
    buckets = by_period(points, period)
    return {at: float(statistic(name, buckets[at])) for at in sorted(buckets)}
