"""`Metrics` from Prometheus, by way of an MCP server's queries."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from petops.domain.evidence import Asked, PodScope, Readings, Sample, Series, Signal, Window
from petops.errors import SourceError
from petops.sources.late_caller import Caller

SOURCE: Final = "prometheus"
EXECUTE_QUERY: Final = "execute_query"
TIMEOUT_SECONDS: Final = 10.0

_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")

# `image` is empty on the pod's own cgroup, and missing where the kubelet's /metrics/resource is
# scraped besides cAdvisor: without it, memory and CPU would count twice. Where no series has it
# (dropped by relabelling, or only /metrics/resource is scraped), it is asked without.
_HAS_IMAGE: Final = ',image!=""'
_CONTAINER = (
    '{{namespace="{namespace}",pod=~"{pods}",container!="",container!="POD"' + _HAS_IMAGE + "}}"
)
_POD = '{{namespace="{namespace}",pod=~"{pods}"}}'
_ONE_CONTAINER = ("namespace", "pod", "container", "id", "name")


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """How a signal is asked for. Series alike in all of `distinct_by` are one, scraped twice."""

    template: str
    distinct_by: tuple[str, ...] = ()


SELECTORS: Final[Mapping[Signal, Selector]] = {
    Signal.MEMORY_WORKING_SET_BYTES: Selector(
        template=f"container_memory_working_set_bytes{_CONTAINER}", distinct_by=_ONE_CONTAINER
    ),
    Signal.MEMORY_RSS_BYTES: Selector(
        template=f"container_memory_rss{_CONTAINER}", distinct_by=_ONE_CONTAINER
    ),
    Signal.MEMORY_CACHE_BYTES: Selector(
        template=f"container_memory_cache{_CONTAINER}", distinct_by=_ONE_CONTAINER
    ),
    Signal.MEMORY_LIMIT_BYTES: Selector(
        template=f"container_spec_memory_limit_bytes{_CONTAINER}", distinct_by=_ONE_CONTAINER
    ),
    Signal.STARTED_SECONDS: Selector(
        template=f"container_start_time_seconds{_CONTAINER}", distinct_by=_ONE_CONTAINER
    ),
    Signal.REQUESTS_TOTAL: Selector(template=f"http_requests_total{_POD}"),
    Signal.REQUEST_SECONDS_TOTAL: Selector(template=f"http_request_duration_seconds_sum{_POD}"),
    Signal.REQUEST_DURATIONS_TOTAL: Selector(template=f"http_request_duration_seconds_count{_POD}"),
    Signal.CPU_SECONDS_TOTAL: Selector(
        template=f"container_cpu_usage_seconds_total{_CONTAINER}", distinct_by=_ONE_CONTAINER
    ),
    Signal.CPU_PERIODS_TOTAL: Selector(
        template=f"container_cpu_cfs_periods_total{_CONTAINER}", distinct_by=_ONE_CONTAINER
    ),
    Signal.CPU_THROTTLED_PERIODS_TOTAL: Selector(
        template=f"container_cpu_cfs_throttled_periods_total{_CONTAINER}",
        distinct_by=_ONE_CONTAINER,
    ),
    Signal.CPU_WAITING_SECONDS_TOTAL: Selector(
        template=f"container_pressure_cpu_waiting_seconds_total{_CONTAINER}",
        distinct_by=_ONE_CONTAINER,
    ),
    Signal.CPU_QUEUED_SECONDS_TOTAL: Selector(
        template=f"container_cpu_schedstat_runqueue_seconds_total{_CONTAINER}",
        distinct_by=_ONE_CONTAINER,
    ),
}


class PrometheusMcp:
    """`Metrics` by way of an MCP server's instant query.

    It asks for a range selector at the window's end: that gives the samples with their true times,
    where a range query would repeat each one for five minutes after its container has gone.
    """

    def __init__(self, server: Caller) -> None:
        self._server = server

    @property
    def server(self) -> Caller:
        """The MCP server that is asked."""
        return self._server

    async def read(self, signal: Signal, scope: PodScope, window: Window) -> Readings:
        """Return the samples in the window, one series a container."""
        selector = SELECTORS[signal]
        query = range_query(selector, scope, window)
        series = await self._matrix(query, window)
        if not series and _HAS_IMAGE in query:
            plainer = query.replace(_HAS_IMAGE, "", 1)
            if series := await self._matrix(plainer, window):
                query = plainer
        return Readings(
            asked=Asked(source=SOURCE, query=query, window=window),
            series=once(series, selector.distinct_by),
        )

    async def _matrix(self, query: str, window: Window) -> tuple[Series, ...]:
        arguments = {"query": query, "time": f"{window.end.timestamp():.3f}"}
        return parse_matrix(await self._server.call(EXECUTE_QUERY, arguments, TIMEOUT_SECONDS))


def range_query(selector: Selector, scope: PodScope, window: Window) -> str:
    """Return the PromQL for the raw samples of the window."""
    if not (scope.pods or scope.prefixes or scope.deployments):
        raise SourceError("there is no pod to read metrics of")
    names = (scope.namespace, *scope.pods, *scope.prefixes, *scope.deployments)
    for name in names:
        if not _NAME.fullmatch(name):
            raise SourceError(f"{name[:80]!r} is not a name that Kubernetes admits")
    # A dot is all that such a name can hold of a pattern; in brackets it needs no escaping twice.
    plain = [
        *scope.pods,
        *(f"{one}-[a-z0-9]+" for one in scope.prefixes),
        *(f"{one}-[a-z0-9]+-[a-z0-9]+" for one in scope.deployments),
    ]
    pods = "|".join(one.replace(".", "[.]") for one in plain)
    seconds = max(1, math.ceil(window.seconds))
    return f"{selector.template.format(namespace=scope.namespace, pods=pods)}[{seconds}s]"


def parse_matrix(answer: Mapping[str, Any]) -> tuple[Series, ...]:
    """Return the series of a matrix. An answer that was cut is refused: what it lacks may be it."""
    if answer.get("resultType") != "matrix" or not isinstance(answer.get("result"), list):
        raise SourceError("the MCP server did not answer a range selector with a matrix")
    if left_off := answer.get("leftOff"):
        raise SourceError(
            f"the answer was cut: {left_off.get('series')} series and {left_off.get('samples')} "
            "samples were left off"
        )
    try:
        return tuple(_series(one) for one in answer["result"])
    except (TypeError, ValueError, KeyError, AttributeError, OverflowError) as exc:
        raise SourceError("the MCP server's matrix is not as Prometheus writes it") from exc


def once(series: Iterable[Series], distinct_by: tuple[str, ...]) -> tuple[Series, ...]:
    """Keep, of series that mean the same, the one with most samples."""
    if not distinct_by:
        return tuple(series)
    kept: dict[tuple[str, ...], Series] = {}
    for one in series:
        labels = dict(one.labels)
        key = tuple(labels.get(name, "") for name in distinct_by)
        if key not in kept or len(one.samples) > len(kept[key].samples):
            kept[key] = one
    return tuple(kept.values())


def _series(one: Mapping[str, Any]) -> Series:
    """Return one series; a sample that is no finite number is left out."""
    samples = (
        Sample(at=datetime.fromtimestamp(float(at), UTC), value=float(value))
        for at, value in one.get("values", ())
    )
    return Series(
        labels=tuple(sorted((str(key), str(value)) for key, value in one["metric"].items())),
        samples=tuple(sample for sample in samples if math.isfinite(sample.value)),
    )
