"""Log lines from CloudWatch Logs, by one bounded Logs Insights query at a time."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final, Self

from petops.domain.evidence import Asked, PodScope, Window
from petops.domain.traces import LogLine
from petops.errors import SourceError
from petops.ports import Told
from petops.sources.aws_calls import AwsCalls

Row = Mapping[str, str]

SOURCE: Final = "logs-insights"
GROUP: Final = "/aws/containerinsights/{cluster}/application"
MOST_ROWS: Final = 1000
_SECONDS: Final = 30.0
_FIRST_PAUSE_SECONDS: Final = 0.2
_LONGEST_PAUSE_SECONDS: Final = 2.0
_OVER: Final = frozenset({"Complete", "Failed", "Cancelled", "Timeout"})


class LogsInsights:
    """`Logs` of one cluster with Container Insights; used as a context manager."""

    def __init__(
        self,
        cluster: str,
        *,
        region: str = "",
        client: Any = None,
        pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
        longest_seconds: float = _SECONDS,
    ) -> None:
        self._group = GROUP.format(cluster=cluster)
        self._calls = AwsCalls("logs", "CloudWatch Logs", region=region, client=client)
        self._pause, self._longest_seconds = pause, longest_seconds

    async def __aenter__(self) -> Self:
        return self

    def warm(self) -> None:
        """Get ready meanwhile."""
        self._calls.warm()

    async def __aexit__(self, *_: object) -> None:
        self._calls.close()

    async def lines(
        self, scope: PodScope, window: Window, *, containing: str = "", limit: int = 200
    ) -> Told[tuple[LogLine, ...]]:
        """Return what the pods wrote, newest first, at most `limit` lines."""
        text = lines_query(scope, containing, min(limit, MOST_ROWS))
        rows = await self.query(text, window, limit=min(limit, MOST_ROWS))
        asked = Asked(source=SOURCE, query=text, window=window)
        return Told(value=parse_lines(rows), asked=(asked,))

    async def query(
        self, text: str, window: Window, *, group: str = "", limit: int = MOST_ROWS
    ) -> tuple[Row, ...]:
        """Run one query and return its rows; stop it where it takes too long or nobody waits."""
        started = await self._calls.call(
            "start_query",
            logGroupName=group or self._group,
            startTime=int(window.start.timestamp()),
            endTime=int(window.end.timestamp()),
            queryString=text,
            limit=limit,
        )
        query_id = str(started.get("queryId", ""))
        try:
            async with asyncio.timeout(self._longest_seconds):
                return await self._results(query_id)
        except TimeoutError:
            await self._stop(query_id)
            raise SourceError(
                f"the log query was not done after {self._longest_seconds:g} s and was stopped"
            ) from None
        except asyncio.CancelledError:
            await self._stop(query_id)
            raise

    async def _results(self, query_id: str) -> tuple[Row, ...]:
        pause = _FIRST_PAUSE_SECONDS
        while True:
            answer = await self._calls.call("get_query_results", queryId=query_id)
            status = answer.get("status")
            if status == "Complete":
                return parse_rows(answer.get("results", ()))
            if status in _OVER:
                raise SourceError(f"the log query ended as {status}")
            await self._pause(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    async def _stop(self, query_id: str) -> None:
        """Stop a query that costs money; one that has just ended needs no stopping."""
        with suppress(SourceError):
            await self._calls.call("stop_query", queryId=query_id)


def lines_query(scope: PodScope, containing: str, limit: int) -> str:
    """Return the query for the lines of some pods."""
    wanted = [f'kubernetes.namespace_name = "{_quoted(scope.namespace)}"']
    pods = [f'"{_quoted(name)}"' for name in scope.pods]
    named = [f"kubernetes.pod_name in [{', '.join(pods)}]"] if pods else []
    named += [f"kubernetes.pod_name like /^{re.escape(one)}-/" for one in scope.prefixes]
    if named:
        wanted.append(f"({' or '.join(named)})")
    if containing:
        wanted.append(f'log like "{_quoted(containing)}"')
    return (
        "fields @timestamp, log, kubernetes.pod_name, kubernetes.container_name"
        f" | filter {' and '.join(wanted)} | sort @timestamp desc | limit {limit}"
    )


def _quoted(text: str) -> str:
    plain = "".join(one for one in text[:500] if one.isprintable())
    return plain.replace("\\", "\\\\").replace('"', '\\"')


def parse_rows(results: Iterable[Sequence[Mapping[str, Any]]]) -> tuple[Row, ...]:
    """Return a query's rows by the names of their fields, without the pointers to events."""
    return tuple(
        {
            str(one["field"]): str(one.get("value", ""))
            for one in row
            if one.get("field") not in {None, "@ptr"}
        }
        for row in results
    )


def parse_lines(rows: Iterable[Row]) -> tuple[LogLine, ...]:
    """Return rows of `lines_query` as lines; one without a time is left out."""
    found = []
    for row in rows:
        try:
            at = datetime.fromisoformat(row["@timestamp"]).replace(tzinfo=UTC)
        except (KeyError, ValueError):
            continue
        found.append(
            LogLine(
                at=at,
                pod=row.get("kubernetes.pod_name", ""),
                container=row.get("kubernetes.container_name", ""),
                text=row.get("log", ""),
            )
        )
    return tuple(found)
