"""The traces of a recorded folder, asked for as X-Ray is: a client for the production adapter.

`traces.json`, or each file in `traces/`, holds what BatchGetTraces answers: `{"Traces": []}`. Its
summaries and the service graph are made of the segments, as X-Ray makes them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from petops.errors import UsageError
from petops.lab.aws_requests import AwsRefusalError
from petops.lab.xray_filters import Wanted, parsed
from petops.lab.xray_graph import service_graph
from petops.lab.xray_parts import Part
from petops.lab.xray_summaries import service_id

Json = Any

_ACCOUNT: Final = "000000000000"
_ROOT_CALLER: Final = "client"
_MOST_BYTES: Final = 64 * 1024 * 1024


class RecordedXRay:
    """A client of X-Ray, as boto3 has it, over recorded traces."""

    def __init__(self, traces: Mapping[str, Json]) -> None:
        self._traces = traces
        self._parts = {key: list(_parts(one)) for key, one in traces.items()}

    def get_trace_summaries(self, **asked: Json) -> Json:
        """Answer with every trace of the window that the filter wants."""
        start, end = _seconds(asked["StartTime"]), _seconds(asked["EndTime"])
        wanted = _filter(str(asked.get("FilterExpression", "")))
        found = [
            _summary(key, parts)
            for key, parts in self._parts.items()
            if parts and start <= parts[0].start <= end and wanted(parts)
        ]
        return {"TraceSummaries": sorted(found, key=lambda one: float(one["StartTime"]))}

    def batch_get_traces(self, **asked: Json) -> Json:
        """Answer with whole traces."""
        ids = asked["TraceIds"]
        return {"Traces": [self._traces[one] for one in ids if one in self._traces]}

    def get_service_graph(self, **asked: Json) -> Json:
        """Answer with the graph of the window's traces."""
        start, end = _seconds(asked["StartTime"]), _seconds(asked["EndTime"])
        inside = [one for one in self._parts.values() if one and start <= one[0].start <= end]
        return {"Services": service_graph(inside, _ACCOUNT)}


def recorded_traces(folder: Path) -> Mapping[str, Json]:
    """Return the traces of a recorded folder by id; empty where it has none."""
    files = [folder / "traces.json", *sorted((folder / "traces").glob("*.json"))]
    found: dict[str, Json] = {}
    for file in files:
        if file.is_file():
            for one in _read(file):
                found[str(one.get("Id", ""))] = one
    return found


def trace_ends(folder: Path) -> Iterator[float]:
    """Yield when each recorded segment ended, in seconds since 1970."""
    for trace in recorded_traces(folder).values():
        for document in _documents(trace):
            end = _number(document.get("end_time"))
            if end is not None:
                yield end


def _read(file: Path) -> list[dict[str, Json]]:
    if file.stat().st_size > _MOST_BYTES:
        raise UsageError(f"{file} is larger than {_MOST_BYTES // 1024**2} MiB")
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as exc:
        raise UsageError(f"{file} is no JSON: {exc}") from exc
    listed = document.get("Traces", [document]) if isinstance(document, dict) else document
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise UsageError(f"{file} holds no traces", hint="docs/cases.md says what it may hold")
    return listed


def _parts(trace: Json) -> Iterator[Part]:
    """Yield each service of a trace, the one that was asked first before the others."""
    documents = sorted(
        (one for one in _documents(trace) if _number(one.get("start_time")) is not None),
        key=lambda one: (bool(one.get("parent_id")), float(one["start_time"])),
    )
    owner: dict[str, str] = {}
    calls: dict[str, Json] = {}
    for one in documents:
        name = str(one.get("name", ""))
        owner[str(one.get("id", ""))] = name
        for below in _below(one):
            owner[str(below.get("id", ""))] = name
            calls[str(below.get("id", ""))] = below
    answered = {str(one.get("parent_id", "")) for one in documents}
    for one in documents:
        parent = str(one.get("parent_id", ""))
        yield _part(one, owner.get(parent, _ROOT_CALLER), calls.get(parent, one), not parent)
        for below in _below(one):
            is_call = below.get("namespace") in {"remote", "aws"}
            if is_call and str(below.get("id", "")) not in answered:
                yield _part(below, str(one.get("name", "")), below, False)


def _part(found: Json, caller: str, call: Json, is_root: bool) -> Part:
    http = _mapping(found.get("http"))
    request = _mapping(http.get("request"))
    is_outside = "origin" not in found
    return Part(
        name=str(found.get("name", "")),
        type=str(found.get("origin") or found.get("namespace") or ""),
        caller=caller,
        start=float(found["start_time"]),
        seconds=_lasted(found),
        failed=found.get("fault") is True,
        called_seconds=_lasted(call),
        called_failed=call.get("fault") is True,
        url=str(request.get("url", "")),
        method=str(request.get("method", "")),
        inferred=is_outside or found.get("inferred") is True,
        root=is_root,
        annotations={
            str(key): str(value) for key, value in _mapping(found.get("annotations")).items()
        },
    )


def _summary(own_id: str, parts: list[Part]) -> Json:
    root = parts[0]
    services = dict.fromkeys((one.name, one.type) for one in parts)
    return {
        "Id": own_id,
        "StartTime": root.start,
        "Duration": root.seconds,
        "ResponseTime": root.seconds,
        "HasFault": any(one.failed for one in parts if one.root),
        "HasError": False,
        "HasThrottle": False,
        "Http": {"HttpURL": root.url, "HttpStatus": root.status, "HttpMethod": root.method},
        "ServiceIds": [service_id(*one, _ACCOUNT) for one in services],
    }


def _filter(text: str) -> Wanted:
    if not text.strip():
        return lambda _: True
    try:
        return parsed(text)
    except AwsRefusalError as exc:
        raise ValueError(exc.message) from exc


def _documents(trace: Json) -> Iterator[Json]:
    for one in _mapping(trace).get("Segments") or ():
        document = _mapping(one).get("Document")
        if isinstance(document, str):
            try:
                document = json.loads(document)
            except (ValueError, RecursionError):
                continue
        if isinstance(document, dict):
            yield document


def _below(segment: Json, depth: int = 0) -> Iterator[Json]:
    held = segment.get("subsegments")
    for one in held if isinstance(held, list) else ():
        if isinstance(one, dict) and _number(one.get("start_time")) is not None and depth < 40:
            yield one
            yield from _below(one, depth + 1)


def _lasted(found: Json) -> float:
    start, end = _number(found.get("start_time")), _number(found.get("end_time"))
    return max(end - start, 0.0) if start is not None and end is not None else 0.0


def _seconds(moment: Json) -> float:
    return moment.timestamp() if isinstance(moment, datetime) else float(moment)


def _number(value: Json) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and math.isfinite(value) else None


def _mapping(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, Mapping) else {}
