"""The MCP server over HTTP and stdio: who is let in, and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest
from mcp import StdioServerParameters

from petops.errors import PetopsError, SourceError, UsageError
from petops.mcp_server.answers import Limits
from petops.mcp_server.client import PrometheusAccess, PrometheusHttp
from petops.mcp_server.serving import http_app, is_loopback, serve_http
from petops.sources.mcp_caller import McpCaller, McpUrl
from tests.adapters.prometheus.stub import ANSWER_NEVER, Stub, http, stub, vector

SERVE = Path(__file__).with_name("serve.py")
TOKEN = "t0ken"  # noqa: S105


@pytest.fixture
async def prometheus() -> AsyncIterator[PrometheusHttp]:
    async with PrometheusHttp(PrometheusAccess(url="http://127.0.0.1:1")) as client:
        yield client


@pytest.mark.parametrize(
    ("host", "is_one"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("a.b", False)],  # noqa: S104
)
def test_loopback_is_told_apart(host: str, is_one: bool) -> None:
    assert is_loopback(host) is is_one


@pytest.mark.parametrize(
    ("token", "hosts", "words"),
    [(None, ("mcp",), "token"), ("", ("mcp",), "token"), (TOKEN, (), "host names")],
)
async def test_off_loopback_it_must_be_told_who_may_come_in(
    prometheus: PrometheusHttp, token: str | None, hosts: Sequence[str], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        http_app(prometheus, Limits(), "0.0.0.0", token, hosts)  # noqa: S104


async def test_a_port_in_use_is_one_sentence(prometheus: PrometheusHttp) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PetopsError, match=f"127.0.0.1:{port} is in use"):
            await serve_http(prometheus, Limits(), "127.0.0.1", port, token=None, allowed_hosts=())


async def test_a_host_or_port_that_is_none_is_a_usage_error(prometheus: PrometheusHttp) -> None:
    with pytest.raises(UsageError):
        await serve_http(prometheus, Limits(), "127.0.0.1", 70_000, token=None, allowed_hosts=())


@asynccontextmanager
async def served(token: str | None = None) -> AsyncIterator[tuple[Stub, str]]:
    """Serve over HTTP on a Prometheus that is a stub; yield it and the server's address."""
    address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    async with (
        stub(vector("1")) as server,
        PrometheusHttp(PrometheusAccess(url=server.url)) as client,
        asyncio.timeout(30),
    ):
        serving = asyncio.create_task(
            serve_http(
                client,
                Limits(),
                "127.0.0.1",
                0,
                token=token,
                allowed_hosts=(),
                on_ready=address.set_result,
            )
        )
        try:
            yield server, await address
        finally:
            serving.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await serving


@pytest.mark.slow
async def test_health_says_whether_prometheus_answers() -> None:
    async with served(TOKEN) as (server, address), httpx2.AsyncClient() as client:
        health = address.replace("/mcp", "/health")
        good = await client.get(health)
        server.answer = http("<html>", status=502)
        bad = await client.get(health)
    assert (good.status_code, good.json()["status"]) == (200, "healthy")
    assert (bad.status_code, bad.json()["status"]) == (503, "unhealthy")
    assert server.url not in bad.text


@pytest.mark.slow
async def test_only_the_token_opens_it() -> None:
    async with served(TOKEN) as (_, address):
        async with McpCaller(McpUrl(url=address, token=TOKEN)) as caller:
            answer = await caller.call("execute_query", {"query": "up"}, 10)
            assert answer["resultType"] == "vector"
        async with McpCaller(McpUrl(url=address, token="wrong")) as caller:  # noqa: S106
            with pytest.raises(SourceError, match="401 Unauthorized"):
                await caller.call("execute_query", {"query": "up"}, 10)


@pytest.mark.slow
async def test_a_strange_host_header_is_refused() -> None:
    async with served() as (_, address), httpx2.AsyncClient() as client:
        answer = await client.post(address, json={}, headers={"host": "evil.example"})
    assert answer.status_code == 421


@pytest.mark.slow
async def test_it_ends_at_once_though_a_client_is_waiting() -> None:
    async with served() as (server, address):
        server.answer = ANSWER_NEVER
        async with McpCaller(address) as caller:
            call = asyncio.create_task(caller.call("execute_query", {"query": "up"}, 30))
            await server.asked.wait()
            began = time.monotonic()
            call.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await call
    assert time.monotonic() - began < 5


@pytest.mark.slow
async def test_over_stdio() -> None:
    async with stub(vector("1")) as server:
        child = StdioServerParameters(command=sys.executable, args=[str(SERVE), server.url])
        async with McpCaller(child) as caller:
            answers = await asyncio.gather(
                *(caller.call("execute_query", {"query": "up"}, 30) for _ in range(20))
            )
    assert [answer["resultType"] for answer in answers] == ["vector"] * 20


@pytest.mark.slow
@pytest.mark.parametrize("how", ["stdin ends", "SIGINT", "SIGTERM"])
async def test_the_process_ends_when_it_is_told_to(how: str) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(SERVE),
        "http://127.0.0.1:1",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        async with asyncio.timeout(30):
            process.stdin.write(
                b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":'
                b'"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}\n'
            )
            assert b'"petops-prometheus"' in await process.stdout.readline()
            if how == "stdin ends":
                process.stdin.close()
            else:
                process.send_signal(getattr(signal, how))
        async with asyncio.timeout(3):
            await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()
