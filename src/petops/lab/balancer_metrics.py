"""The namespace AWS/ApplicationELB: what a load balancer in front of petsite would have measured.

Counts are those that the pods have answered; times come of the situations that traces are made of.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import pairwise
from statistics import NormalDist
from typing import Final

from petops.lab.answering import Answer
from petops.lab.call_paths import FRONT
from petops.lab.insights_metrics import REMEMBERED_SECONDS
from petops.lab.metric_points import Metric, Point
from petops.lab.usage import ServiceTraffic
from petops.lab.world import World

NAMESPACE: Final = "AWS/ApplicationELB"
LOAD_BALANCER: Final = f"app/{FRONT}/50dc6c495c0c9188"
TARGET_GROUP: Final = f"targetgroup/{FRONT}/73e2d6bc24d8a067"
_SETS: Final = (
    {"LoadBalancer": LOAD_BALANCER},
    {"LoadBalancer": LOAD_BALANCER, "TargetGroup": TARGET_GROUP},
)
_TICK_SECONDS: Final = 15
_MINUTE: Final = 60
_BOUNDS: Final = (*(low / 100 for low in range(0, 100, 5)), 0.975, 0.985, 0.9925, 0.9975, 1.0)
_STEPS: Final = tuple(pairwise(_BOUNDS))
_DEVIATIONS: Final = tuple(NormalDist().inv_cdf((low + high) / 2) for low, high in _STEPS)

_COUNTS: Final[Mapping[str, Callable[[int, int], int]]] = {
    "RequestCount": lambda requests, _: requests,
    "HTTPCode_Target_2XX_Count": lambda requests, errors: requests - errors,
    "HTTPCode_Target_5XX_Count": lambda _, errors: errors,
}
_HOSTS: Final = ("HealthyHostCount", "UnHealthyHostCount")
_TIME: Final = "TargetResponseTime"


class BalancerMetrics:
    """A `Source` of one world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def metrics(self, name: str = "") -> Iterator[Metric]:
        """Yield the metrics of the load balancer; hosts are counted by target group only."""
        for each in _SETS:
            for one in (*_COUNTS, _TIME, *(_HOSTS if each is _SETS[1] else ())):
                if name in {"", one}:
                    yield Metric.of(NAMESPACE, one, each)

    def points(self, metric: Metric, start: float, end: float) -> Iterable[Point]:
        """Return the values of one metric."""
        if metric.namespace != NAMESPACE or dict(metric.dimensions) not in _SETS:
            return ()
        start = max(start, self._world.now.timestamp() - REMEMBERED_SECONDS)
        if metric.name in _COUNTS:
            return self._counted(_COUNTS[metric.name], start, end)
        if metric.name == _TIME:
            return self._times(start, end)
        if metric.name in _HOSTS and len(metric.dimensions) == len(_SETS[1]):
            return self._hosts(start, end, healthy=metric.name == _HOSTS[0])
        return ()

    def _counted(self, of: Callable[[int, int], int], start: float, end: float) -> Iterator[Point]:
        before: dict[tuple[str, str], ServiceTraffic] = {}
        first = math.floor(start / _TICK_SECONDS) * _TICK_SECONDS
        end = min(end, self._world.now.timestamp() + _TICK_SECONDS)
        for at in range(first - _TICK_SECONDS, math.ceil(end), _TICK_SECONDS):
            for one in self._world.traffic_history(datetime.fromtimestamp(at, UTC)):
                if one.service != FRONT:
                    continue
                had = before.get((one.pod, one.container))
                before[one.pod, one.container] = one
                if had is not None and had.at < one.at and start <= one.at.timestamp() < end:
                    count = of(*_grown(had, one))
                    if count:
                        yield Point(one.at.timestamp(), 1.0, count)

    def _times(self, start: float, end: float) -> Iterator[Point]:
        log = self._world.requests
        situations = list(log.situations)
        ends = [one.since.timestamp() for one in situations[1:]] + [log.settled.timestamp()]
        for situation, until in zip(situations, ends, strict=True):
            low, high = max(situation.since.timestamp(), start), min(until, end)
            for since, to in _by_minute(low, high):
                middle = datetime.fromtimestamp((since + to) / 2, UTC)
                requests = log.rate(middle) * (to - since)
                for pod in situation.behind.get(FRONT, ()):
                    if answer := situation.answers.get(pod.run.container_id):
                        yield from _spread(since, requests, answer)

    def _hosts(self, start: float, end: float, *, healthy: bool) -> Iterator[Point]:
        situations = list(self._world.requests.situations)
        at = math.ceil(start / _MINUTE) * _MINUTE
        position = 0
        while at < min(end, self._world.now.timestamp()):
            while (
                position + 1 < len(situations) and situations[position + 1].since.timestamp() <= at
            ):
                position += 1
            if situations and situations[position].since.timestamp() <= at:
                ready = len(situations[position].behind.get(FRONT, ()))
                yield Point(at, float(ready if healthy else self._wanted() - ready))
            at += _MINUTE

    def _wanted(self) -> int:
        found = self._world.store.objects("deployments")
        return sum(
            int(one["spec"].get("replicas", 1)) for one in found if one["metadata"]["name"] == FRONT
        )


def _by_minute(start: float, end: float) -> Iterator[tuple[float, float]]:
    """Cut a stretch of time at whole minutes, so that each piece belongs to one period."""
    while start < end:
        to = min(end, (math.floor(start / _MINUTE) + 1) * _MINUTE)
        yield start, to
        start = to


def _grown(before: ServiceTraffic, now: ServiceTraffic) -> tuple[int, int]:
    """Return the requests and the errors since; counters begin again with the program."""
    if now.requests_total < before.requests_total:
        return now.requests_total, now.errors_total
    return now.requests_total - before.requests_total, now.errors_total - before.errors_total


def _spread(at: float, requests: float, answer: Answer) -> Iterator[Point]:
    """Stand for a log-normal by some of its quantiles, whose mean is the log-normal's own."""
    mean = answer.mean_seconds
    squared = math.log(max(answer.square_seconds / mean**2, 1.000001))
    width = math.sqrt(squared)
    found = [math.exp(width * deviation - squared / 2) for deviation in _DEVIATIONS]
    drawn = sum(one * (high - low) for one, (low, high) in zip(found, _STEPS, strict=True))
    count = requests * answer.requests
    for one, (low, high) in zip(found, _STEPS, strict=True):
        yield Point(at, mean * one / drawn, count * (high - low))
