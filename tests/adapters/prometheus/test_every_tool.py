"""The official MCP client lists and calls every tool of `petops mcp`, over both transports."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client, StdioServerParameters

from petops.lab.exposition import Sample
from petops.lab.prometheus import Prometheus, running_prometheus
from petops.lab.remote_write import Timeline, push
from tests.adapters.prometheus.stub import ANSWER_NEVER, stub

pytestmark = pytest.mark.slow

POD = "orders-86646998c7-hlpj2"
LABELS = (("container", "app"), ("image", "orders:1"), ("namespace", "shop"), ("pod", POD))
MEMORY = "container_memory_working_set_bytes"
CALLS: Mapping[str, Mapping[str, Any]] = {
    "health_check": {},
    "execute_query": {"query": MEMORY},
    "execute_range_query": {"query": MEMORY, "start": "0", "end": "600", "step": "1m"},
    "list_metrics": {"filter_pattern": "memory"},
    "get_metric_metadata": {"metric": MEMORY},
    "get_targets": {},
    "ask": {"question": "memory of orders over the last 10 minutes"},
    "explain_query": {"query": f"sum by (pod) ({MEMORY})"},
    "detect_anomalies": {"measure": "memory"},
    "compare": {"measure": "memory", "names": ["orders"], "earlier": "5m"},
    "suggest_queries": {"like": "ordres"},
}


@pytest.fixture
async def prometheus(tmp_path: Path) -> AsyncIterator[Prometheus]:
    async with running_prometheus([], tmp_path / "prometheus") as running:
        now = round(time.time())
        timeline = Timeline()
        memory = [
            Sample(MEMORY, LABELS, 1e6 + at, (now - 900 + at) * 1000) for at in range(0, 900, 15)
        ]
        timeline.add(memory)
        await push(timeline, running.url)
        yield running


def environment(url: str) -> dict[str, str]:
    return {"PROMETHEUS_URL": url, "XDG_STATE_HOME": "/nonexistent"}


@asynccontextmanager
async def over(transport: str, url: str) -> AsyncIterator[Client]:
    """Start `petops mcp` as people do, and connect as any client does."""
    command = [sys.executable, "-m", "petops", "mcp"]
    if transport == "stdio":
        child = StdioServerParameters(command=command[0], args=command[1:], env=environment(url))
        async with Client(child) as client:
            yield client
        return
    async with serving(command, url) as address, Client(f"{address}/mcp") as client:
        yield client


@asynccontextmanager
async def serving(command: list[str], url: str) -> AsyncIterator[str]:
    """Serve over HTTP in a process of its own; yield its address."""
    process = await asyncio.create_subprocess_exec(
        *(*command, "--http", "127.0.0.1:0"),
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **environment(url)},
    )
    assert process.stderr is not None
    try:
        async with asyncio.timeout(30):
            while b"http://127.0.0.1:" not in (line := await process.stderr.readline()):
                assert line, "it ended before it served"
        yield line.decode().split("http://")[1].join(("http://", "")).split("/mcp")[0].strip()
    finally:
        process.send_signal(signal.SIGTERM)
        await process.communicate()


@pytest.mark.parametrize("transport", ["stdio", "http"])
async def test_every_tool_is_listed_and_answers(transport: str, prometheus: Prometheus) -> None:
    async with asyncio.timeout(60), over(transport, prometheus.url) as client:
        listed = {tool.name for tool in (await client.list_tools()).tools}
        assert listed == set(CALLS)
        answers = {}
        for tool, arguments in CALLS.items():
            result = await client.call_tool(tool, dict(arguments))
            assert not result.is_error, (tool, result.content)
            assert result.structured_content, tool
            answers[tool] = result.structured_content
    assert answers["health_check"]["status"] == "healthy"
    assert answers["ask"]["kind"] == "range"
    assert f'"{POD}"' in str(answers["ask"]["result"]).replace("'", '"')
    assert answers["list_metrics"]["metrics"] == [MEMORY]
    assert "orders" in answers["suggest_queries"]["names"]


@pytest.mark.parametrize("transport", ["stdio", "http"])
async def test_cancelling_reaches_prometheus(transport: str) -> None:
    async with (
        asyncio.timeout(60),
        stub(ANSWER_NEVER) as silent,
        over(transport, silent.url) as client,
    ):
        call = asyncio.create_task(client.call_tool("execute_query", {"query": "up"}))
        await silent.asked.wait()
        call.cancel()
        async with asyncio.timeout(5):
            await silent.left.wait()


async def test_health_and_metrics_are_there_for_curl(prometheus: Prometheus) -> None:
    command = [sys.executable, "-m", "petops", "mcp"]
    async with serving(command, prometheus.url) as address, httpx2.AsyncClient() as client:
        health = await client.get(f"{address}/health")
        metrics = await client.get(f"{address}/metrics")
    assert (health.status_code, health.json()["status"]) == (200, "healthy")
    assert 'petops_mcp_calls_total{outcome="ok",tool="ask"} 0.0' in metrics.text
