"""The `Metrics` port straight from a world's memory, for tests that need no Prometheus.

Series carry the labels that Prometheus would have for them, and the samples' own times, one series
a container's run: those that are gone are found too.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from petops.domain.evidence import Asked, PodScope, Readings, Sample, Series, Signal, Window
from petops.errors import SourceError
from petops.lab.usage import ContainerUsage, ServiceTraffic
from petops.lab.world import World

SOURCE: Final = "prometheus"
_Labels = tuple[tuple[str, str], ...]

_OF_CONTAINER: Final[Mapping[Signal, tuple[str, Callable[[ContainerUsage], float | None]]]] = {
    Signal.MEMORY_WORKING_SET_BYTES: (
        "container_memory_working_set_bytes",
        lambda usage: usage.memory_working_set_bytes,
    ),
    Signal.MEMORY_RSS_BYTES: ("container_memory_rss", lambda usage: usage.memory_rss_bytes),
    Signal.MEMORY_CACHE_BYTES: ("container_memory_cache", lambda usage: usage.memory_cache_bytes),
    Signal.MEMORY_LIMIT_BYTES: (
        "container_spec_memory_limit_bytes",
        lambda usage: usage.memory_limit_bytes,
    ),
    Signal.STARTED_SECONDS: (
        "container_start_time_seconds",
        lambda usage: usage.started_at.timestamp(),
    ),
}
_REQUESTS: Final = "http_requests_total"


class WorldMetrics:
    """`Metrics` of a world. While `is_down`, every question fails as an absent Prometheus would."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.is_down = False

    async def read(self, signal: Signal, scope: PodScope, window: Window) -> Readings:
        """Return the samples in the window, one series a container's run."""
        if self.is_down:
            raise SourceError(
                "Prometheus did not answer: the lab was told so", hint="petops doctor"
            )
        self._world.step()
        name = _REQUESTS if signal is Signal.REQUESTS_TOTAL else _OF_CONTAINER[signal][0]
        rows = (
            self._requests(scope)
            if signal is Signal.REQUESTS_TOTAL
            else self._containers(signal, name, scope)
        )
        found: dict[_Labels, list[Sample]] = defaultdict(list)
        for labels, sample in rows:
            if window.start <= sample.at <= window.end:
                found[labels].append(sample)
        series = tuple(
            Series(labels=labels, samples=tuple(samples)) for labels, samples in found.items()
        )
        pods = "|".join((*scope.pods, *(f"{prefix}-.*" for prefix in scope.prefixes)))
        query = f'{name}{{namespace="{scope.namespace}",pod=~"{pods}"}}'
        return Readings(asked=Asked(source=SOURCE, query=query, window=window), series=series)

    def _containers(
        self, signal: Signal, name: str, scope: PodScope
    ) -> Iterator[tuple[_Labels, Sample]]:
        value_of = _OF_CONTAINER[signal][1]
        for run, samples in self._world.meter.all_samples():
            if not _covers(scope, run.namespace, run.pod):
                continue
            for usage in samples:
                value = value_of(usage)
                yield (
                    _container_labels(name, usage),
                    Sample(at=usage.sampled_at, value=value or 0.0),
                )

    def _requests(self, scope: PodScope) -> Iterator[tuple[_Labels, Sample]]:
        for row in self._world.traffic_rows():
            if _covers(scope, row.namespace, row.pod):
                answered = row.requests_total - row.errors_total
                yield _request_labels(row, "200"), Sample(at=row.at, value=answered)
                yield _request_labels(row, "500"), Sample(at=row.at, value=row.errors_total)


def _covers(scope: PodScope, namespace: str, pod: str) -> bool:
    if namespace != scope.namespace:
        return False
    return pod in scope.pods or any(pod.startswith(f"{prefix}-") for prefix in scope.prefixes)


def _container_labels(name: str, usage: ContainerUsage) -> _Labels:
    uid = usage.pod_uid.replace("-", "_")
    pod = f"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{uid}.slice"
    return (
        ("__name__", name),
        ("container", usage.container),
        ("id", f"{pod}/cri-containerd-{usage.container_id}.scope"),
        ("image", usage.image),
        ("instance", usage.node),
        ("job", "cadvisor"),
        ("name", usage.container_id),
        ("namespace", usage.namespace),
        ("node", usage.node),
        ("pod", usage.pod),
    )


def _request_labels(row: ServiceTraffic, code: str) -> _Labels:
    return (
        ("__name__", _REQUESTS),
        ("code", code),
        ("container", row.container),
        ("job", "application"),
        ("method", "GET"),
        ("namespace", row.namespace),
        ("node", row.node),
        ("pod", row.pod),
        ("service", row.service),
    )
