"""petops as a client of the two other Prometheus MCP servers, as the package index has them."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from mcp.client.stdio import StdioServerParameters

from petops.config import PrometheusSettings, Settings
from petops.domain.evidence import PodScope, Signal, Window
from petops.errors import SourceError
from petops.lab.exposition import Sample
from petops.lab.prometheus import Prometheus, running_prometheus
from petops.lab.remote_write import Timeline, push
from petops.metrics_access import question_server
from petops.sources.mcp_caller import McpCaller
from petops.sources.prometheus_mcp import PrometheusMcp

pytestmark = pytest.mark.slow

KNOWN = "prometheus-mcp-server==1.6.2"
AWSLABS = "awslabs.prometheus-mcp-server==0.3.0"
LABELS = (
    ("container", "app"),
    ("id", "/a"),
    ("image", "orders:1"),
    ("job", "cadvisor"),
    ("namespace", "shop"),
    ("pod", "orders-1"),
)


def installed(folder: Path, requirement: str) -> Path:
    """Install a server into an environment of its own: its dependencies are not ours."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)  # noqa: S603
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "-qq"]
    subprocess.run(  # noqa: S603
        [*pip, "--disable-pip-version-check", requirement], check=True, timeout=240
    )
    return folder / "bin"


@pytest.fixture(scope="module")
def known_server(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return installed(tmp_path_factory.mktemp("known"), KNOWN) / "prometheus-mcp-server"


@pytest.fixture(scope="module")
def awslabs_server(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = installed(tmp_path_factory.mktemp("awslabs"), AWSLABS)
    return folder / "awslabs.prometheus-mcp-server"


@pytest.fixture(scope="module")
def sts() -> Iterator[str]:
    """STS by moto: the awslabs server does not start unless it answers."""
    from moto.server import ThreadedMotoServer  # noqa: PLC0415 - heavy, and only here

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
async def prometheus(tmp_path: Path) -> AsyncIterator[Prometheus]:
    """A Prometheus with five minutes of one container's memory."""
    async with running_prometheus([], tmp_path / "prometheus") as running:
        now = round(time.time())
        timeline = Timeline()
        timeline.add(
            [
                Sample("container_memory_rss", LABELS, 1000.0 + second, (now - 300 + second) * 1000)
                for second in range(0, 300, 15)
            ]
        )
        await push(timeline, running.url)
        yield running


async def read_through(target: StdioServerParameters) -> None:
    """Ask for memory through the server, and for nonsense, which must not pass as no data."""
    now = datetime.now(UTC)
    window = Window.before(now, timedelta(minutes=10))
    async with McpCaller(target, startup_seconds=60) as caller:
        metrics = PrometheusMcp(caller)
        async with asyncio.timeout(60):
            scope = PodScope(namespace="shop", pods=("orders-1",))
            found = await metrics.read(Signal.MEMORY_RSS_BYTES, scope, window)
            assert [one.value for one in found.series[0].samples] == [
                1000.0 + second for second in range(0, 300, 15)
            ]
            nobody = PodScope(namespace="shop", pods=("nobody-1",))
            assert (await metrics.read(Signal.MEMORY_RSS_BYTES, nobody, window)).series == ()
            with pytest.raises(SourceError):
                await caller.call("execute_query", {"query": "sum("}, 30)


async def ask_through(command: str) -> None:
    """Ask in words through a server that knows PromQL only, as `petops ask` does."""
    settings = Settings(prometheus=PrometheusSettings(mcp_command=command))
    async with asyncio.timeout(60), question_server(settings) as server:
        answer = await server.call("ask", {"question": "rss of orders, last 4 minutes"}, 30)
        assert answer["error"] is None
        assert answer["kind"] == "range"
        assert float(answer["result"][0]["values"][-1][1]) == pytest.approx(1285.0)
        refused = await server.call("ask", {"question": "rss of billing"}, 30)
        assert "billing" in refused["error"]
        health = await server.call("health_check", {}, 30)
        assert health["status"] == "healthy"


async def test_through_the_known_server(
    known_server: Path, prometheus: Prometheus, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = StdioServerParameters(
        command=str(known_server), env={"PROMETHEUS_URL": prometheus.url}
    )
    await read_through(target)
    monkeypatch.setenv("PROMETHEUS_URL", prometheus.url)
    await ask_through(str(known_server))


async def test_through_awslabs_server(
    awslabs_server: Path, prometheus: Prometheus, sts: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = {
        "AWS_ACCESS_KEY_ID": "lab",
        "AWS_SECRET_ACCESS_KEY": "lab",
        "AWS_ENDPOINT_URL_STS": sts,
        "AWS_REGION": "us-east-1",
    }
    target = StdioServerParameters(
        command=str(awslabs_server),
        args=["--url", prometheus.url, "--region", "us-east-1"],
        env=keys,
    )
    await read_through(target)
    for name, value in keys.items():
        monkeypatch.setenv(name, value)
    await ask_through(f"{awslabs_server} --url {prometheus.url} --region us-east-1")
