"""Recorded answers of a real cluster behind the ports, without processes."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

from petops.domain.alarm import Alarm, AlarmSource, AlarmState, Assessment, Category, Priority
from petops.domain.evidence import Asked, PodScope, Readings, Sample, Series, Signal, Window
from petops.domain.subject import ClusterName, Kind, Subject
from petops.errors import SourceError
from petops.lab.recorded_metrics import recorded_samples

RECORDINGS = Path(__file__).parent / "recordings"
CLUSTER = ClusterName(name="shop", account="111122223333", region="us-east-1")
NAMES = {
    Signal.MEMORY_RSS_BYTES: "container_memory_rss",
    Signal.MEMORY_WORKING_SET_BYTES: "container_memory_working_set_bytes",
    Signal.MEMORY_CACHE_BYTES: "container_memory_cache",
    Signal.MEMORY_LIMIT_BYTES: "container_spec_memory_limit_bytes",
    Signal.STARTED_SECONDS: "container_start_time_seconds",
    Signal.REQUESTS_TOTAL: "http_requests_total",
    Signal.REQUEST_SECONDS_TOTAL: "http_request_duration_seconds_sum",
    Signal.REQUEST_DURATIONS_TOTAL: "http_request_duration_seconds_count",
    Signal.CPU_SECONDS_TOTAL: "container_cpu_usage_seconds_total",
    Signal.CPU_PERIODS_TOTAL: "container_cpu_cfs_periods_total",
    Signal.CPU_THROTTLED_PERIODS_TOTAL: "container_cpu_cfs_throttled_periods_total",
    Signal.CPU_WAITING_SECONDS_TOTAL: "container_pressure_cpu_waiting_seconds_total",
    Signal.CPU_QUEUED_SECONDS_TOTAL: "container_cpu_schedstat_runqueue_seconds_total",
}


class RecordedMetrics:
    """`Metrics` on a folder's samples; `down` makes every question fail."""

    def __init__(self, case: str) -> None:
        self.down = False
        self._samples = list(recorded_samples(RECORDINGS / case))

    async def read(self, signal: Signal, scope: PodScope, window: Window) -> Readings:
        if self.down:
            raise SourceError("Prometheus does not answer")
        found: dict[tuple[tuple[str, str], ...], list[Sample]] = defaultdict(list)
        for one in self._samples:
            labels = dict(one.labels)
            if one.name != NAMES[signal] or not labels.get("container"):
                continue
            if labels.get("namespace") != scope.namespace or not labels.get("image"):
                continue
            pod = labels.get("pod", "")
            if pod in scope.pods or any(pod.startswith(f"{name}-") for name in scope.prefixes):
                at = datetime.fromtimestamp((one.at_ms or 0) / 1000, UTC)
                if window.start <= at <= window.end:
                    found[tuple(sorted(labels.items()))].append(Sample(at=at, value=one.value))
        series = tuple(
            Series(labels=labels, samples=tuple(sorted(samples, key=lambda one: one.at)))
            for labels, samples in sorted(found.items())
        )
        return Readings(asked=Asked(source="recorded", query=NAMES[signal]), series=series)


def alarm(subject: Subject | None, at: datetime, **changes: object) -> Alarm:
    """An alarm of `CLUSTER` about `subject`."""
    name = subject.name if subject else "unknown"
    values: dict[str, object] = {
        "name": f"{name}-memory",
        "source": AlarmSource.CLOUDWATCH,
        "fingerprint": f"arn:{name}",
        "event_id": f"event-{name}-{at.isoformat()}",
        "state": AlarmState.ALARM,
        "cluster": CLUSTER,
        "started_at": at,
        "subject": subject,
    }
    return Alarm(**(values | changes))  # type: ignore[arg-type]


def deployment(namespace: str, name: str) -> Subject:
    return Subject(cluster=CLUSTER, kind=Kind.DEPLOYMENT, namespace=namespace, name=name)


def memory(_: Alarm) -> Assessment:
    return Assessment(category=Category.MEMORY, priority=Priority.P2, because="a test")


RECORDED_AT = datetime(2026, 11, 23, 5, 3, tzinfo=UTC)
WINDOW = Window.before(RECORDED_AT, timedelta(hours=3))
