"""Log lines by one bounded query: what is asked, read, waited for and stopped."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from petops.domain.evidence import PodScope, Window
from petops.errors import SourceError
from petops.sources.logs_insights import LogsInsights, lines_query, parse_lines, parse_rows
from tests.adapters.test_xray import FakeClient

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
WINDOW = Window.before(NOON, timedelta(minutes=10))
SCOPE = PodScope(namespace="default", pods=("petsite-1",), prefixes=("petsite-7f",))
ROW = [
    {"field": "@timestamp", "value": "2026-11-23 11:59:58.123"},
    {"field": "log", "value": "out of memory"},
    {"field": "kubernetes.pod_name", "value": "petsite-1"},
    {"field": "@ptr", "value": "x"},
]


async def no_pause(_: float) -> None:
    await asyncio.sleep(0)


def test_the_query_names_the_pods_and_is_bounded() -> None:
    text = lines_query(SCOPE, 'say "no"', 50)
    assert text == (
        "fields @timestamp, log, kubernetes.pod_name, kubernetes.container_name"
        ' | filter kubernetes.namespace_name = "default"'
        ' and (kubernetes.pod_name in ["petsite-1"] or kubernetes.pod_name like /^petsite\\-7f-/)'
        ' and log like "say \\"no\\"" | sort @timestamp desc | limit 50'
    )


async def test_lines_are_waited_for() -> None:
    client = FakeClient(
        {"queryId": "q"}, {"status": "Running"}, {"status": "Complete", "results": [ROW]}
    )
    async with LogsInsights("petops-lab", client=client, pause=no_pause) as logs:
        found = await logs.lines(SCOPE, WINDOW, limit=5000)
    (line,) = found.value
    assert line.at == datetime(2026, 11, 23, 11, 59, 58, 123000, tzinfo=UTC)
    assert (line.pod, line.text) == ("petsite-1", "out of memory")
    (_, started), *_ = client.asked
    assert started["logGroupName"] == "/aws/containerinsights/petops-lab/application"
    assert started["limit"] == 1000
    assert (started["startTime"], started["endTime"]) == (
        int(WINDOW.start.timestamp()),
        int(WINDOW.end.timestamp()),
    )


@pytest.mark.parametrize("status", ["Failed", "Cancelled", "Timeout"])
async def test_a_query_that_ends_otherwise_is_an_error(status: str) -> None:
    client = FakeClient({"queryId": "q"}, {"status": status})
    async with LogsInsights("x", client=client, pause=no_pause) as logs:
        with pytest.raises(SourceError, match=status):
            await logs.query("fields @message", WINDOW)


async def test_a_query_that_takes_too_long_is_stopped() -> None:
    class Slow:
        stopped = ""

        def start_query(self, **_: Any) -> Any:
            return {"queryId": "q"}

        def get_query_results(self, **_: Any) -> Any:
            return {"status": "Running"}

        def stop_query(self, queryId: str) -> Any:  # noqa: N803 - the API's own name
            self.stopped = queryId
            return {"success": True}

    client = Slow()
    async with LogsInsights("x", client=client, longest_seconds=0.05) as logs:
        with pytest.raises(SourceError, match="was stopped"):
            await logs.query("fields @message", WINDOW)
    assert client.stopped == "q"


def test_rows_without_a_time_are_no_lines() -> None:
    rows = parse_rows([ROW, [{"field": "log", "value": "x"}], [{"value": "y"}]])
    assert len(parse_lines(rows)) == 1
    assert "@ptr" not in rows[0]
