"""Traces from AWS X-Ray: summaries, whole traces, and the service graph."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final, Self

from petops.domain.evidence import Asked, Window
from petops.domain.traces import ServiceGraph, Trace, TraceSummary, Wanted
from petops.ports import Told
from petops.sources.aws_calls import AwsCalls
from petops.sources.xray_documents import parse_graph, parse_summary, parse_trace

SOURCE: Final = "xray"
_IDS_A_CALL: Final = 5  # more are refused
_MOST_PAGES: Final = 40
_LONGEST_NAME: Final = 200


class XRayTraces:
    """`Traces` of one account and region; used as a context manager."""

    def __init__(self, *, region: str = "", client: Any = None) -> None:
        self._calls = AwsCalls("xray", "X-Ray", region=region, client=client)

    async def __aenter__(self) -> Self:
        return self

    def warm(self) -> None:
        """Get ready meanwhile."""
        self._calls.warm()

    async def __aexit__(self, *_: object) -> None:
        self._calls.close()

    async def find(self, wanted: Wanted, window: Window) -> Told[tuple[TraceSummary, ...]]:
        """Return requests in brief, as X-Ray's filter finds them."""
        text = filter_expression(wanted)
        asked = Asked(source=SOURCE, query=f"GetTraceSummaries {text}".strip(), window=window)
        arguments: dict[str, Any] = {"TimeRangeType": "Event", **_within(window)}
        if text:
            arguments["FilterExpression"] = text
        found: list[TraceSummary] = []
        for _ in range(_MOST_PAGES):
            answer = await self._calls.call("get_trace_summaries", **arguments)
            summaries = map(parse_summary, answer.get("TraceSummaries", ()))
            found += [one for one in summaries if one is not None]
            if len(found) >= wanted.limit or not answer.get("NextToken"):
                break
            arguments["NextToken"] = answer["NextToken"]
        return Told(value=tuple(found[: wanted.limit]), asked=(asked,))

    async def whole(self, ids: Sequence[str]) -> Told[tuple[Trace, ...]]:
        """Return traces with all their segments; those that X-Ray no longer has are left out."""
        chunks = [list(ids[at : at + _IDS_A_CALL]) for at in range(0, len(ids), _IDS_A_CALL)]
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._whole(chunk)) for chunk in chunks]
        except BaseExceptionGroup as failed:
            raise failed.exceptions[0] from None
        found = [trace for task in tasks for trace in task.result()]
        asked = Asked(source=SOURCE, query=f"BatchGetTraces {' '.join(ids)}"[:2000])
        return Told(value=tuple(found), asked=(asked,))

    async def graph(self, window: Window) -> Told[ServiceGraph]:
        """Return the services with their calls, over a window of at most six hours."""
        services: list[Any] = []
        arguments: dict[str, Any] = _within(window)
        for _ in range(_MOST_PAGES):
            answer = await self._calls.call("get_service_graph", **arguments)
            services += answer.get("Services", ())
            if not answer.get("NextToken"):
                break
            arguments["NextToken"] = answer["NextToken"]
        asked = Asked(source=SOURCE, query="GetServiceGraph", window=window)
        return Told(value=parse_graph(services), asked=(asked,))

    async def _whole(self, ids: Sequence[str]) -> list[Trace]:
        found: list[Trace] = []
        arguments: dict[str, Any] = {"TraceIds": list(ids)}
        for _ in range(_MOST_PAGES):
            answer = await self._calls.call("batch_get_traces", **arguments)
            found += map(parse_trace, answer.get("Traces", ()))
            if not answer.get("NextToken"):
                break
            arguments["NextToken"] = answer["NextToken"]
        return found


def filter_expression(wanted: Wanted) -> str:
    """Return X-Ray's words for what is wanted; empty where all is."""
    conditions = []
    if wanted.slower_than_seconds is not None:
        bound = f"{wanted.slower_than_seconds:.6f}".rstrip("0").rstrip(".")
        conditions.append(f"responsetime > {bound}")
    if wanted.failed:
        conditions.append("fault")
    inner = " AND ".join(conditions)
    if not wanted.service:
        return inner
    named = f'service("{_quoted(wanted.service)}")'
    return f"{named} {{ {inner} }}" if inner else named


def _quoted(name: str) -> str:
    plain = "".join(one for one in name[:_LONGEST_NAME] if one.isprintable())
    return plain.replace("\\", "\\\\").replace('"', '\\"')


def _within(window: Window) -> dict[str, Any]:
    return {"StartTime": window.start, "EndTime": window.end}
