"""The whole way on a real Prometheus: adapter, MCP, HTTP, and back."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import sys
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from petops.domain.evidence import PodScope, Signal, Window
from petops.errors import SourceError
from petops.mcp_server.answers import Limits
from petops.mcp_server.client import PrometheusAccess, PrometheusHttp
from petops.mcp_server.server import build_server
from petops.sources.mcp_caller import McpCaller
from petops.sources.prometheus_mcp import PrometheusMcp

pytestmark = pytest.mark.slow

POD = "orders-api-86646998c7-hlpj2"
BEGAN = int(time.time()) - 1_800
LABELS = f'namespace="shop",pod="{POD}"'
APP = f'{LABELS},container="app",id="/a",image="orders:1",job="cadvisor"'
CGROUP = f'{LABELS},container="",id="/pod",image="",job="cadvisor"'
SUMMARY = f'{LABELS},container="app",job="resource"'
OTHER = APP.replace(POD, f"{POD}x")


def recorded() -> str:
    """Return ten minutes of memory as OpenMetrics, with all that must not be counted."""
    lines = ["# TYPE container_memory_rss gauge"]
    for labels in (APP, CGROUP, SUMMARY, OTHER):
        lines += [
            f"container_memory_rss{{{labels}}} {1_000 + second} {BEGAN + second}.125"
            for second in range(0, 600, 15)
        ]
    return "\n".join([*lines, "# EOF", ""])


def prometheus_program() -> Path:
    folders = (str(Path(sys.executable).parent), os.environ["PATH"])
    found = shutil.which("prometheus", path=os.pathsep.join(folders))
    assert found, "`make setup` gets a prometheus"
    return Path(found).resolve()  # promtool stands beside it


@pytest.fixture
async def prometheus(tmp_path: Path) -> AsyncIterator[PrometheusHttp]:
    program = prometheus_program()
    (tmp_path / "metrics.txt").write_text(recorded())
    (tmp_path / "prometheus.yml").write_text("")
    filled = await asyncio.create_subprocess_exec(
        program.with_name("promtool"),
        *("tsdb", "create-blocks-from", "openmetrics", tmp_path / "metrics.txt", tmp_path / "data"),
        stdout=asyncio.subprocess.DEVNULL,
    )
    assert await filled.wait() == 0
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        program,
        f"--config.file={tmp_path / 'prometheus.yml'}",
        f"--storage.tsdb.path={tmp_path / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=error",
    )
    try:
        async with PrometheusHttp(PrometheusAccess(url=f"http://127.0.0.1:{port}")) as client:
            await ready(client)
            yield client
    finally:
        process.kill()
        await process.wait()


async def ready(client: PrometheusHttp) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                return await client.check()
            except SourceError:
                await asyncio.sleep(0.05)


async def test_readings_are_the_samples_as_they_were_scraped(prometheus: PrometheusHttp) -> None:
    window = Window.before(datetime.fromtimestamp(BEGAN + 600, UTC), timedelta(minutes=5))
    async with McpCaller(build_server(prometheus, Limits())) as caller:
        readings = await PrometheusMcp(caller).read(
            Signal.MEMORY_RSS_BYTES, PodScope(namespace="shop", pods=(POD,)), window
        )
    (series,) = readings.series
    assert (series.label("container"), series.label("job")) == ("app", "cadvisor")
    assert [(sample.at.timestamp(), sample.value) for sample in series.samples] == [
        (BEGAN + second + 0.125, 1_000 + second) for second in range(300, 600, 15)
    ]


async def test_a_container_that_has_gone_is_not_read_on(prometheus: PrometheusHttp) -> None:
    window = Window.before(datetime.fromtimestamp(BEGAN + 800, UTC), timedelta(minutes=2))
    async with McpCaller(build_server(prometheus, Limits())) as caller:
        readings = await PrometheusMcp(caller).read(
            Signal.MEMORY_RSS_BYTES, PodScope(namespace="shop", pods=(POD,)), window
        )
        stale = await caller.call(
            "execute_query",
            {"query": "count(container_memory_rss)", "time": str(BEGAN + 800)},
            10,
        )
    assert readings.series == ()
    assert stale["result"][0]["value"][1] == "4"  # as an instant query would still have it


async def test_the_parsers_own_message_comes_through(prometheus: PrometheusHttp) -> None:
    async with McpCaller(build_server(prometheus, Limits())) as caller:
        with pytest.raises(SourceError, match="1:6: parse error: unclosed left parenthesis"):
            await caller.call("execute_query", {"query": "rate("}, 10)


async def test_the_other_tools_answer(prometheus: PrometheusHttp) -> None:
    async with McpCaller(build_server(prometheus, Limits())) as caller:
        names = await caller.call("list_metrics", {"filter_pattern": "RSS"}, 10)
        health = await caller.call("health_check", {}, 10)
        targets = await caller.call("get_targets", {}, 10)
        over_time = await caller.call(
            "execute_range_query",
            {
                "query": "container_memory_rss / 0",
                "start": str(BEGAN),
                "end": datetime.fromtimestamp(BEGAN + 60, UTC).isoformat(),
                "step": "30s",
            },
            10,
        )
    assert names["metrics"] == ["container_memory_rss"]
    assert health["status"] == "healthy"
    assert targets["activeTargets"] == []
    assert {value for one in over_time["result"] for _, value in one["values"]} == {"+Inf"}
