"""X-Ray's REST-JSON interface to the lab's traces."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from petops.lab.aws_requests import AwsRefusalError, Given, page, read_json, token, token_position
from petops.lab.spans import Traces
from petops.lab.world import World
from petops.lab.xray_documents import documents
from petops.lab.xray_filters import Wanted, parsed
from petops.lab.xray_graph import service_graph
from petops.lab.xray_parts import Surroundings, parts
from petops.lab.xray_summaries import summary

Json = dict[str, Any]
Answering = Callable[[Given], Awaitable[Json]]

_INVALID: Final = "InvalidRequestException"
_LONGEST_SECONDS: Final = 6 * 3600.0
_SUMMARIES_A_PAGE: Final = 100
_SECONDS_A_STEP: Final = 30
_MOST_IDS: Final = 5
_MOST_GRAPH_IDS: Final = 100


class XRay:
    """Answers for one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._traces = Traces(world.requests, world.chance)

    def routes(self) -> list[Route]:
        """Return the paths of the service."""
        served: Mapping[str, Answering] = {
            "/TraceSummaries": self.summaries,
            "/Traces": self.traces,
            "/ServiceGraph": self.graph,
            "/TraceGraph": self.trace_graph,
        }
        return [_route(path, answer) for path, answer in served.items()]

    async def summaries(self, given: Given) -> Json:
        """Answer GetTraceSummaries: a page of those that the filter wants, oldest first.

        A page that has few or none may still have a next one, as X-Ray's own.
        """
        start, end = self._window(given)
        given.choice("TimeRangeType", ("TraceId", "Event", "Service"), "TraceId")
        wanted: Wanted = lambda _: True  # noqa: E731 - it is one or the other
        if "FilterExpression" in given and (text := given.text("FilterExpression").strip()):
            wanted = parsed(text)
        if "NextToken" in given:
            start = max(start, token_position(given.text("NextToken"), _INVALID))
        around, at, looked = self._around(), float(start), 0
        found: list[Json] = []
        while at < end and len(found) < _SUMMARIES_A_PAGE:
            until = min(math.floor(at) + _SECONDS_A_STEP, end)
            for trace in self._traces.between(at, until):
                looked += 1
                taking_part = parts(trace, around)
                if wanted(taking_part):
                    found.append(summary(trace, taking_part, around))
            at = until
            await asyncio.sleep(0)
        made = {"TraceSummaries": found, "TracesProcessedCount": looked, "ApproximateTime": start}
        return made | ({"NextToken": token(math.ceil(at))} if at < end else {})

    async def traces(self, given: Given) -> Json:
        """Answer BatchGetTraces with whole segment documents."""
        ids = given.texts("TraceIds", _MOST_IDS, required=True)
        self._settle()
        found, missing, around = [], [], self._around()
        for trace_id in dict.fromkeys(ids):
            trace = self._traces.find(trace_id)
            if trace is None:
                missing.append(trace_id)
                continue
            segments = [
                {"Id": one["id"], "Document": json.dumps(one, separators=(",", ":"))}
                for one in documents(trace, around)
            ]
            seconds = round(trace.root.seconds, 3)
            found.append(
                {
                    "Id": trace.id,
                    "Duration": seconds,
                    "LimitExceeded": False,
                    "Segments": segments,
                }
            )
        return {"Traces": found, "UnprocessedTraceIds": missing}

    async def graph(self, given: Given) -> Json:
        """Answer GetServiceGraph over all traces of a window."""
        start, end = self._window(given)
        around, traces, at = self._around(), [], start
        while at < end:
            until = min(at + 10 * _SECONDS_A_STEP, end)
            traces += [parts(trace, around) for trace in self._traces.between(at, until)]
            at = until
            await asyncio.sleep(0)
        services = service_graph(traces, around.cluster.account)
        return {
            "StartTime": start,
            "EndTime": end,
            "Services": services,
            "ContainsOldGroupVersions": False,
        }

    async def trace_graph(self, given: Given) -> Json:
        """Answer GetTraceGraph over some traces."""
        ids = given.texts("TraceIds", _MOST_GRAPH_IDS, required=True)
        self._settle()
        around = self._around()
        found = (self._traces.find(one) for one in dict.fromkeys(ids))
        made = [parts(trace, around) for trace in found if trace is not None]
        shown, _ = page(service_graph(made, around.cluster.account), given, 1000, _INVALID)
        return {"Services": shown}

    def _window(self, given: Given) -> tuple[float, float]:
        start, end = given.moment("StartTime"), given.moment("EndTime")
        if start > end:
            raise given.refuse("StartTime must not be after EndTime")
        if end - start > _LONGEST_SECONDS:
            raise given.refuse("Time range cannot be longer than 6 hours")
        self._settle()
        # What lies before the first trace or after the last needs no looking.
        now = self._world.now.timestamp()
        return min(max(start, now - _LONGEST_SECONDS), end), min(end, max(now, start))

    def _settle(self) -> None:
        self._world.step()
        self._world.requests.settle()

    def _around(self) -> Surroundings:
        return Surroundings(self._world.cluster, self._nodes())

    def _nodes(self) -> Iterator[Json]:
        return self._world.store.objects("nodes")


def _route(path: str, answer: Answering) -> Route:
    async def answered(request: Request) -> JSONResponse:
        try:
            return JSONResponse(await answer(Given(read_json(await request.body()), _INVALID)))
        except AwsRefusalError as exc:
            headers = {"x-amzn-errortype": exc.code}
            return JSONResponse({"Message": exc.message}, status_code=exc.status, headers=headers)

    return Route(path, answered, methods=["POST"])
