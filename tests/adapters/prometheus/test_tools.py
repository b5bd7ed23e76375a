"""The MCP tools, called in process, on a Prometheus that is a stub."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from mcp import Client

from petops.errors import SourceError
from petops.mcp_server.answers import Limits
from petops.mcp_server.client import PrometheusAccess, PrometheusHttp
from petops.mcp_server.server import MOST_TEXT_SAMPLES, build_server
from petops.sources.mcp_caller import McpCaller
from tests.adapters.prometheus.stub import ANSWER_NEVER, Stub, http, stub, success, vector


@asynccontextmanager
async def tools(
    answer: bytes | None, limits: Limits | None = None, timeout_seconds: float = 10
) -> AsyncIterator[tuple[Stub, Client]]:
    async with (
        stub(answer) as server,
        PrometheusHttp(
            PrometheusAccess(url=server.url, timeout_seconds=timeout_seconds)
        ) as prometheus,
        Client(build_server(prometheus, limits or Limits())) as client,
    ):
        yield server, client


async def test_the_tools_have_the_names_and_arguments_that_others_use() -> None:
    async with tools(vector("1")) as (_, client):
        listed = {tool.name: tool for tool in (await client.list_tools()).tools}
    arguments = {name: set(tool.input_schema["properties"]) for name, tool in listed.items()}
    assert (
        arguments.items()
        >= {
            "health_check": set(),
            "execute_query": {"query", "time"},
            "execute_range_query": {"query", "start", "end", "step"},
            "list_metrics": {"limit", "offset", "filter_pattern"},
            "get_metric_metadata": {"metric"},
            "get_targets": set(),
        }.items()
    )
    assert listed["execute_query"].input_schema["required"] == ["query"]
    for tool in listed.values():
        assert tool.annotations is not None
        assert tool.annotations.read_only_hint
        assert tool.output_schema is not None
        assert tool.description


async def test_an_answer_is_structure_and_text() -> None:
    async with tools(vector("NaN")) as (_, client):
        result = await client.call_tool("execute_query", {"query": "up", "time": 1.5})
    assert result.structured_content == {
        "resultType": "vector",
        "result": [{"metric": {"n": "0"}, "value": [1.5, "NaN"]}],
    }
    assert '"NaN"' in str(result.content)


async def test_a_long_answer_is_not_repeated_as_text() -> None:
    values = [[second, "1"] for second in range(MOST_TEXT_SAMPLES + 1)]
    long = success({"resultType": "matrix", "result": [{"metric": {}, "values": values}]})
    async with tools(long) as (_, client):
        result = await client.call_tool("execute_query", {"query": "up[2h]"})
    assert result.structured_content is not None
    assert len(str(result.content)) < 1_000


async def test_the_cause_of_a_failure_reaches_the_client() -> None:
    answer = http(
        '{"status": "error", "errorType": "bad_data", "error": "1:3: parse error: no"}', status=400
    )
    async with tools(answer) as (_, client):
        result = await client.call_tool("execute_query", {"query": "1+"})
    assert result.is_error
    assert "1:3: parse error: no" in str(result.content)


async def test_an_answer_that_was_cut_says_so() -> None:
    async with tools(vector("1", "2", "3"), Limits(max_series=2)) as (_, client):
        result = await client.call_tool("execute_query", {"query": "up"})
    assert result.structured_content is not None
    assert result.structured_content["leftOff"]["series"] == 1


async def test_more_queries_than_allowed_wait_and_are_told() -> None:
    limits = Limits(concurrent_queries=1, queue_seconds=0.05)
    async with tools(ANSWER_NEVER, limits) as (server, client):
        first = asyncio.create_task(client.call_tool("execute_query", {"query": "up"}))
        async with asyncio.timeout(5):
            await server.asked.wait()
            second = await client.call_tool("execute_query", {"query": "up"})
            first.cancel()
            await server.left.wait()
    assert second.is_error
    assert "1 queries are under way" in str(second.content)


async def test_health_tells_a_prometheus_that_is_down() -> None:
    async with tools(http("", status=503)) as (_, client):
        result = await client.call_tool("health_check", {})
    assert result.structured_content is not None
    assert result.structured_content["status"] == "degraded"
    assert "503" in result.structured_content["prometheus_error"]


async def test_metadata_of_a_metric_that_nobody_knows_is_empty() -> None:
    async with tools(success({})) as (_, client):
        result = await client.call_tool("get_metric_metadata", {"metric": "up"})
    assert result.structured_content == {"result": []}


async def test_building_a_server_leaves_the_root_logger_alone() -> None:
    before = list(logging.getLogger().handlers), logging.getLogger().level
    async with tools(vector("1")):
        assert (list(logging.getLogger().handlers), logging.getLogger().level) == before


async def test_a_caller_finds_tools_by_any_spelling_and_hears_refusals() -> None:
    async with (
        stub(vector("1")) as server,
        PrometheusHttp(PrometheusAccess(url=server.url)) as prometheus,
        McpCaller(build_server(prometheus, Limits())) as caller,
    ):
        answers = await asyncio.gather(
            *(caller.call(name, {"query": "up"}, 5) for name in ("ExecuteQuery", "execute_query"))
        )
        assert [answer["resultType"] for answer in answers] == ["vector", "vector"]
        server.answer = http('{"error": "boom", "status": "error"}', status=422)
        with pytest.raises(SourceError, match=r"^Prometheus could not answer: boom$"):
            await caller.call("execute_query", {"query": "up"}, 5)
        with pytest.raises(SourceError, match="has no tool"):
            await caller.call("delete_everything", {}, 5)
        with pytest.raises(SourceError, match="Field required"):
            await caller.call("execute_query", {}, 5)


async def test_a_call_that_takes_too_long_is_stopped_at_prometheus() -> None:
    async with (
        stub(ANSWER_NEVER) as server,
        PrometheusHttp(PrometheusAccess(url=server.url, timeout_seconds=60)) as prometheus,
        McpCaller(build_server(prometheus, Limits())) as caller,
    ):
        with pytest.raises(SourceError, match=r"did not answer execute_query within 0\.2 s"):
            await caller.call("execute_query", {"query": "up"}, 0.2)
        async with asyncio.timeout(5):
            await server.left.wait()
