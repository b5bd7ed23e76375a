"""What X-Ray answers, as domain values. Pure; a document that makes no sense is left out."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from petops.domain.traces import (
    Segment,
    ServiceEdge,
    ServiceGraph,
    ServiceNode,
    Trace,
    TraceSummary,
)

Json = Any

_DEEPEST: Final = 40
_MOST_SEGMENTS: Final = 10_000
_LONGEST: Final = 500


def parse_trace(answer: Json) -> Trace:
    """Return one trace of BatchGetTraces, with the subsegments beside their segments."""
    trace = _mapping(answer)
    found: list[Segment] = []
    for one in _list(trace.get("Segments")):
        for segment in _flattened(_document(_mapping(one).get("Document")), "", 0):
            if len(found) < _MOST_SEGMENTS:
                found.append(segment)
    cut = bool(trace.get("LimitExceeded")) or len(found) >= _MOST_SEGMENTS
    return Trace(id=_text(trace.get("Id")), segments=tuple(found), is_cut=cut)


def _document(text: Json) -> Mapping[str, Json]:
    try:
        return _mapping(json.loads(text)) if isinstance(text, str) else {}
    except (ValueError, RecursionError):
        return {}


def _flattened(document: Mapping[str, Json], parent: str, depth: int) -> Iterator[Segment]:
    segment = _segment(document, parent, depth)
    if segment is None or depth > _DEEPEST:
        return
    yield segment
    for one in _list(document.get("subsegments")):
        yield from _flattened(_mapping(one), segment.id, depth + 1)


def _segment(document: Mapping[str, Json], parent: str, depth: int) -> Segment | None:
    """Return a document's own segment; None where it has no id or no start."""
    own_id, start = _text(document.get("id")), _time(document.get("start_time"))
    if not own_id or start is None:
        return None
    http, aws = _mapping(document.get("http")), _mapping(document.get("aws"))
    eks = _mapping(aws.get("eks"))
    is_under_way = document.get("in_progress") is True
    return Segment(
        id=own_id,
        parent_id=parent or _text(document.get("parent_id")),
        name=_text(document.get("name")),
        kind=_text(document.get("namespace" if depth else "origin")),
        start=start,
        end=None if is_under_way else _time(document.get("end_time")),
        is_subsegment=depth > 0 or document.get("type") == "subsegment",
        is_inferred=document.get("inferred") is True,
        has_fault=document.get("fault") is True,
        has_error=document.get("error") is True,
        has_throttle=document.get("throttle") is True,
        status=_status(_mapping(http.get("response")).get("status")),
        url=_text(_mapping(http.get("request")).get("url")),
        operation=_text(aws.get("operation")),
        pod=_text(eks.get("pod")),
        container_id=_text(eks.get("container_id")),
        message=_message(document.get("cause")),
        annotations=tuple(
            (_text(key), _text(value))
            for key, value in _mapping(document.get("annotations")).items()
        ),
    )


def _message(cause: Json) -> str:
    """Return the first exception's words; a cause may also be the id of another segment's."""
    exceptions = _list(_mapping(cause).get("exceptions"))
    return _text(_mapping(exceptions[0]).get("message")) if exceptions else ""


def parse_summary(answer: Json) -> TraceSummary | None:
    """Return one summary of GetTraceSummaries; None where it has no id or time.

    Older answers lack the start, which the id has too, in hexadecimal seconds.
    """
    summary = _mapping(answer)
    own_id = _text(summary.get("Id"))
    start = _time(summary.get("StartTime")) or _time(_second_of(own_id))
    if not own_id or start is None:
        return None
    http = _mapping(summary.get("Http"))
    seconds = _number(summary.get("ResponseTime"))
    return TraceSummary(
        id=own_id,
        start=start,
        seconds=_number(summary.get("Duration")) or 0.0 if seconds is None else seconds,
        has_fault=summary.get("HasFault") is True,
        has_error=summary.get("HasError") is True,
        has_throttle=summary.get("HasThrottle") is True,
        status=_status(http.get("HttpStatus")),
        url=_text(http.get("HttpURL")),
        services=_names(summary.get("ServiceIds")),
        slow_path=_path(summary.get("ResponseTimeRootCauses")),
        fault_path=_path(summary.get("FaultRootCauses")),
    )


def _path(causes: Json) -> tuple[str, ...]:
    listed = _list(causes)
    return _names(_mapping(listed[0]).get("Services")) if listed else ()


def _names(services: Json) -> tuple[str, ...]:
    names = (_text(_mapping(one).get("Name")) for one in _list(services))
    return tuple(name for name in names if name)


def parse_graph(services: Iterable[Json]) -> ServiceGraph:
    """Return a service graph; an edge to a node that is not there is left out."""
    listed = [_mapping(one) for one in services]
    names = {_number(one.get("ReferenceId")): _text(one.get("Name")) for one in listed}
    return ServiceGraph(nodes=tuple(_node(one, names) for one in listed))


def _node(service: Mapping[str, Json], names: Mapping[float | None, str]) -> ServiceNode:
    name = _text(service.get("Name"))
    edges = (_mapping(one) for one in _list(service.get("Edges")))
    return ServiceNode(
        name=name,
        kind=_text(service.get("Type")),
        is_root=service.get("Root") is True,
        edges=tuple(
            ServiceEdge(
                caller=name,
                callee=names[_number(one.get("ReferenceId"))],
                **_counts(one.get("SummaryStatistics")),
            )
            for one in edges
            if _number(one.get("ReferenceId")) in names
        ),
        **_counts(service.get("SummaryStatistics")),
    )


def _counts(statistics: Json) -> dict[str, Any]:
    found = _mapping(statistics)
    errors, faults = _mapping(found.get("ErrorStatistics")), _mapping(found.get("FaultStatistics"))
    return {
        "requests": _count(found.get("TotalCount")),
        "faults": _count(faults.get("TotalCount")),
        "errors": _count(errors.get("TotalCount")),
        "throttles": _count(errors.get("ThrottleCount")),
        "total_seconds": _number(found.get("TotalResponseTime")) or 0.0,
    }


def _mapping(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []


def _text(value: Json) -> str:
    return str(value)[:_LONGEST] if isinstance(value, str | int | float) else ""


def _number(value: Json) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _count(value: Json) -> int:
    return max(int(_number(value) or 0), 0)


def _status(value: Json) -> int | None:
    number = _number(value)
    return None if number is None else int(number)


def _second_of(trace_id: str) -> int | None:
    try:
        return int(trace_id.split("-")[1], 16)
    except (IndexError, ValueError):
        return None


def _time(value: Json) -> datetime | None:
    if isinstance(value, datetime):
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    number = _number(value)
    try:
        return None if number is None else datetime.fromtimestamp(number, UTC)
    except (ValueError, OverflowError, OSError):
        return None
