"""A Prometheus behind another MCP server, asked as if it answered itself.

So that questions in words work through servers that only know PromQL.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Protocol

from petops.errors import SourceError
from petops.mcp_server.failures import Answered

TIMEOUT_SECONDS: Final = 20.0
_LISTS: Final = ("metrics", "result", "data")


class Caller(Protocol):
    """Calls a tool by name, however the server writes it."""

    @property
    def name(self) -> str:
        """The server, for people to read."""

    async def call(
        self, tool: str, arguments: Mapping[str, Any], timeout_seconds: float
    ) -> Mapping[str, Any]:
        """Return the structured answer; raise SourceError."""


class PrometheusThroughMcp:
    """Asks by `execute_query` and its siblings, which every Prometheus MCP server has."""

    def __init__(self, server: Caller) -> None:
        self._server = server

    @property
    def where(self) -> str:
        """The server, for people to read."""
        return self._server.name

    async def query(self, query: str, time: str | None = None) -> Answered:
        """Evaluate at one time: RFC 3339, or Unix seconds as text."""
        arguments = {"query": query, **({"time": time} if time else {})}
        return Answered(data=dict(await self._call("execute_query", arguments)))

    async def query_range(self, query: str, start: str, end: str, step: str) -> Answered:
        """Evaluate at every step from start to end; a bare number of seconds is no step to some."""
        written = f"{step}s" if step.replace(".", "", 1).isdigit() else step
        arguments = {"query": query, "start": start, "end": end, "step": written}
        return Answered(data=dict(await self._call("execute_range_query", arguments)))

    async def metric_names(self) -> tuple[str, ...]:
        """Return the names of all metrics, page by page where the server has pages."""
        names: list[str] = []
        while True:
            # Only a server that has told of pages is asked for the next one.
            answer = await self._call("list_metrics", {"offset": len(names)} if names else {})
            page = next((answer[key] for key in _LISTS if isinstance(answer.get(key), list)), None)
            if page is None:
                raise SourceError(f"{self.where} did not answer list_metrics with a list")
            names += map(str, page)
            if not (page and answer.get("has_more")):
                return tuple(sorted(names))

    async def label_values(self, label: str, match: str | None = None) -> tuple[str, ...]:
        """Return the values that series of now have: no tool tells those of the past."""
        inner = match or f'{{{label}!=""}}'
        answer = await self.query(f"group by ({label}) ({inner})")
        found = {str(one["metric"].get(label, "")) for one in answer.data.get("result", ())}
        return tuple(sorted(found - {""}))

    async def metadata(self, metric: str) -> Answered:
        """Return type, help and unit of one metric."""
        answer = await self._call("get_metric_metadata", {"metric": metric})
        return Answered(data={metric: answer.get("result", [])})

    async def targets(self) -> Answered:
        """Return the targets that are being scraped."""
        return Answered(data=dict(await self._call("get_targets", {})))

    async def check(self, timeout_seconds: float = 3.0) -> None:
        """Raise SourceError unless queries are answered."""
        await self._server.call("execute_query", {"query": "vector(1)"}, timeout_seconds)

    async def _call(self, tool: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        return await self._server.call(tool, arguments, TIMEOUT_SECONDS)
