"""`Cloud` from CloudWatch: Container Insights' pods, and an application load balancer's targets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from statistics import fmean
from typing import Final, Self

from petops.domain.cloud import BalancerUse, CloudUse
from petops.domain.evidence import Asked, Sample, Series, Window
from petops.domain.subject import Subject
from petops.ports import Told
from petops.sources.cloudwatch_metrics import CloudWatchMetrics, CloudWatchQuery

INSIGHTS: Final = "ContainerInsights"
BALANCER: Final = "AWS/ApplicationELB"
PERIOD_SECONDS: Final = 60
# CloudWatch's minutes are complete a minute or two late.
LATELY: Final = timedelta(minutes=5)
APART: Final = timedelta(minutes=5)
LOOK_BACK: Final = timedelta(hours=1)


class CloudWatchUse:
    """`Cloud` of one account and region, and of one cluster."""

    def __init__(self, metrics: CloudWatchMetrics, cluster: str) -> None:
        self._metrics, self._cluster = metrics, cluster

    async def __aenter__(self) -> Self:
        await self._metrics.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._metrics.__aexit__()

    async def workload(self, subject: Subject, window: Window) -> Told[CloudUse]:
        """Return how a workload's pods stand against their limits."""
        # Container Insights calls a workload's pods by the workload's name.
        named = {
            "ClusterName": self._cluster,
            "Namespace": subject.namespace,
            "PodName": subject.name,
        }
        queries = [
            _query("cpu", INSIGHTS, "pod_cpu_utilization_over_pod_limit", named, "Average"),
            _query("memory", INSIGHTS, "pod_memory_utilization_over_pod_limit", named, "Maximum"),
            _query("restarts", INSIGHTS, "pod_number_of_container_restarts", named, "Maximum"),
        ]
        found, asked = await self._read(queries, window)
        end = window.end
        use = CloudUse(
            subject=subject,
            cpu_of_limit_ratio=_part(lately(found["cpu"], end)),
            before_cpu_of_limit_ratio=_part(before(found["cpu"], end)),
            memory_of_limit_ratio=_part(lately(found["memory"], end)),
            before_memory_of_limit_ratio=_part(before(found["memory"], end)),
            restarts=lately(found["restarts"], end),
        )
        return Told(value=use, asked=asked)

    async def balancer(self, name: str, window: Window) -> Told[BalancerUse]:
        """Return what the load balancer `app/NAME/ID` saw."""
        named = {"LoadBalancer": name}
        queries = [
            _query("requests", BALANCER, "RequestCount", named, "Sum"),
            _query("seconds", BALANCER, "TargetResponseTime", named, "Average"),
            _query("failed", BALANCER, "HTTPCode_Target_5XX_Count", named, "Sum"),
            _query("own", BALANCER, "HTTPCode_ELB_5XX_Count", named, "Sum"),
            _query("hosts", BALANCER, "UnHealthyHostCount", named, "Maximum"),
        ]
        found, asked = await self._read(queries, window)
        end = window.end
        requests = _rate(lately(found["requests"], end))
        # A count of failures has no samples while there are none; of requests it would be strange.
        none_failed = 0.0 if requests is not None else None
        use = BalancerUse(
            name=name,
            requests_per_second=requests,
            target_seconds=lately(found["seconds"], end),
            before_target_seconds=before(found["seconds"], end),
            target_errors_per_second=_or(_rate(lately(found["failed"], end)), none_failed),
            before_target_errors_per_second=_rate(before(found["failed"], end)),
            own_errors_per_second=_or(_rate(lately(found["own"], end)), none_failed),
            unhealthy_hosts=lately(found["hosts"], end),
        )
        return Told(value=use, asked=asked)

    async def _read(
        self, queries: Sequence[CloudWatchQuery], window: Window
    ) -> tuple[Mapping[str, Sequence[Sample]], tuple[Asked, ...]]:
        start = max(window.start, window.end - LOOK_BACK)
        wanted = Window(start=start, end=window.end)
        readings = await self._metrics.read(queries, wanted)
        found = {one.id: _of(readings.series, one.id) for one in queries}
        return found, (readings.asked,)


def lately(samples: Iterable[Sample], end: datetime) -> float | None:
    """Return the mean of the last minutes; None without a sample in them."""
    return _mean(one.value for one in samples if one.at >= end - LATELY)


def before(samples: Iterable[Sample], end: datetime) -> float | None:
    """Return the mean until well before now; None without a sample."""
    return _mean(one.value for one in samples if one.at < end - LATELY - APART)


def _query(
    own_id: str, namespace: str, metric: str, dimensions: Mapping[str, str], statistic: str
) -> CloudWatchQuery:
    return CloudWatchQuery(
        id=own_id,
        namespace=namespace,
        metric=metric,
        dimensions=dimensions,
        statistic=statistic,
        period_seconds=PERIOD_SECONDS,
    )


def _of(series: Iterable[Series], own_id: str) -> Sequence[Sample]:
    return [sample for one in series if one.label("id") == own_id for sample in one.samples]


def _mean(values: Iterable[float]) -> float | None:
    known = list(values)
    return fmean(known) if known else None


def _part(percent: float | None) -> float | None:
    return None if percent is None else percent / 100


def _rate(count: float | None) -> float | None:
    return None if count is None else count / PERIOD_SECONDS


def _or(value: float | None, other: float | None) -> float | None:
    return other if value is None else value
