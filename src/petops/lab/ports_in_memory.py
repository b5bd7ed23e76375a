"""Ports straight from a world's memory: metrics without Prometheus, Kubernetes without a socket.

Series carry the labels that Prometheus would have for them, and the samples' own times, one series
a container's run: those that are gone are found too. The production adapters for Kubernetes stand
on `WorldCalls` as they stand on a connection.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from petops.domain.evidence import Asked, PodScope, Readings, Sample, Series, Signal, Window
from petops.errors import SourceError
from petops.lab.kubernetes_request import ApiRequest
from petops.lab.usage import ContainerUsage, ServiceTraffic
from petops.lab.world import World
from petops.ports import ApiAnswer as KubernetesAnswer

SOURCE: Final = "prometheus"
_Labels = tuple[tuple[str, str], ...]

_REQUESTS: Final = "http_requests_total"
_SECONDS: Final = "http_request_duration_seconds_sum"
_DURATIONS: Final = "http_request_duration_seconds_count"
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
    Signal.CPU_SECONDS_TOTAL: (
        "container_cpu_usage_seconds_total",
        lambda usage: usage.cpu_seconds_total,
    ),
    Signal.CPU_PERIODS_TOTAL: (
        "container_cpu_cfs_periods_total",
        lambda usage: None if usage.cpu_limit_cores is None else usage.cfs_periods_total,
    ),
    Signal.CPU_WAITING_SECONDS_TOTAL: (
        "container_pressure_cpu_waiting_seconds_total",
        lambda usage: usage.cpu_waiting_seconds_total,
    ),
    Signal.CPU_THROTTLED_PERIODS_TOTAL: (
        "container_cpu_cfs_throttled_periods_total",
        lambda usage: None if usage.cpu_limit_cores is None else usage.cfs_throttled_periods_total,
    ),
}
_OF_POD: Final[Mapping[Signal, tuple[str, Callable[[ServiceTraffic], float]]]] = {
    Signal.REQUEST_SECONDS_TOTAL: (_SECONDS, lambda row: row.duration_seconds_sum),
    Signal.REQUEST_DURATIONS_TOTAL: (_DURATIONS, lambda row: row.requests_total),
}


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
        if signal is Signal.REQUESTS_TOTAL:
            name, rows = _REQUESTS, self._requests(scope)
        elif signal in _OF_POD:
            name, value_of = _OF_POD[signal]
            rows = self._durations(name, value_of, scope)
        elif signal in _OF_CONTAINER:
            name = _OF_CONTAINER[signal][0]
            rows = self._containers(signal, name, scope)
        else:
            raise SourceError(f"{signal} is not measured here")
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
                if value is None and signal is not Signal.MEMORY_LIMIT_BYTES:
                    continue
                yield (
                    _container_labels(name, usage),
                    Sample(at=usage.sampled_at, value=value or 0.0),
                )

    def _durations(
        self, name: str, value_of: Callable[[ServiceTraffic], float], scope: PodScope
    ) -> Iterator[tuple[_Labels, Sample]]:
        for row in self._world.traffic_rows():
            if _covers(scope, row.namespace, row.pod):
                yield _request_labels(row, name), Sample(at=row.at, value=value_of(row))

    def _requests(self, scope: PodScope) -> Iterator[tuple[_Labels, Sample]]:
        for row in self._world.traffic_rows():
            if _covers(scope, row.namespace, row.pod):
                answered = row.requests_total - row.errors_total
                yield _coded(row, "200"), Sample(at=row.at, value=answered)
                yield _coded(row, "500"), Sample(at=row.at, value=row.errors_total)


class WorldCalls:
    """`KubernetesCalls` into a world. What begins with a path in `forbids` answers 403."""

    def __init__(self, world: World, forbids: frozenset[str] = frozenset()) -> None:
        self._world = world
        self._forbids = forbids

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str | None = None,
    ) -> KubernetesAnswer:
        """Return the answer, whatever its status."""
        last = path.rstrip("/").rsplit("/", 1)[-1]
        if self._forbids & {last, *path.split("/")}:
            said = f'{last} is forbidden: User "viewer" cannot {method.lower()} it here'
            return KubernetesAnswer(status=403, body={"message": said})
        request = ApiRequest(
            method=method,
            path=path,
            query=dict(query or {}),
            headers={"content-type": content_type or "application/json"},
            body=b"" if body is None else json.dumps(body).encode(),
        )
        answer = await self._world.handle(request)
        text = answer.body.decode() if isinstance(answer.body, bytes) else ""
        if answer.headers.get("content-type", "").startswith("text/plain"):
            return KubernetesAnswer(status=answer.status, body=text)
        try:
            return KubernetesAnswer(status=answer.status, body=json.loads(text))
        except ValueError:
            return KubernetesAnswer(status=answer.status, body=text)


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


def _coded(row: ServiceTraffic, code: str) -> _Labels:
    name, *others = _request_labels(row, _REQUESTS)
    return (name, ("code", code), *others)


def _request_labels(row: ServiceTraffic, name: str) -> _Labels:
    return (
        ("__name__", name),
        ("container", row.container),
        ("job", "application"),
        ("method", "GET"),
        ("namespace", row.namespace),
        ("node", row.node),
        ("pod", row.pod),
        ("service", row.service),
    )
