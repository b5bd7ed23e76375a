"""All metrics of the lab's CloudWatch: made of the world, or put by somebody."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Final

from petops.lab.balancer_metrics import BalancerMetrics
from petops.lab.insights_metrics import InsightsMetrics
from petops.lab.metric_points import Metric, Point, Source
from petops.lab.world import World

_MOST_METRICS: Final = 2000
_MOST_POINTS: Final = 1500


class MetricBook:
    """A `Source` of every namespace."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._made: tuple[Source, ...] = (InsightsMetrics(world), BalancerMetrics(world))
        self._put: dict[Metric, deque[Point]] = {}

    def metrics(self, name: str = "") -> Iterator[Metric]:
        """Yield every metric, or those of one name."""
        self._settle()
        for source in self._made:
            yield from source.metrics(name)
        yield from (metric for metric in self._put if name in {"", metric.name})

    def points(self, metric: Metric, start: float, end: float) -> Iterator[Point]:
        """Yield the values of one metric."""
        self._settle()
        for source in self._made:
            yield from source.points(metric, start, end)
        for point in self._put.get(metric, ()):
            if start <= point.at < end:
                yield point

    def put(self, metric: Metric, point: Point) -> bool:
        """Keep a value that somebody measured; say whether there was room for its metric."""
        if metric not in self._put and len(self._put) >= _MOST_METRICS:
            return False
        self._put.setdefault(metric, deque(maxlen=_MOST_POINTS)).append(point)
        return True

    def _settle(self) -> None:
        self._world.step()
        self._world.requests.settle()
