"""`PrometheusHttp` against a server that misbehaves."""

from __future__ import annotations

import asyncio
import re
import socket
import threading

import pytest

from petops.errors import SourceError
from petops.mcp_server.client import PrometheusAccess, PrometheusHttp
from petops.mcp_server.exchange import Exchange, PrometheusSession
from tests.adapters.prometheus.stub import ANSWER_NEVER, http, stub, success, vector


def client(url: str, **access: object) -> PrometheusHttp:
    return PrometheusHttp(PrometheusAccess(url=url, **access))  # type: ignore[arg-type]


async def test_a_query_is_posted_with_its_time_and_deadline() -> None:
    async with stub(vector("NaN", "+Inf")) as server, client(f"{server.url}/prefix/") as prometheus:
        answer = await prometheus.query('up{job="a"}', "1700000000.5")
    assert [one["value"][1] for one in answer.data["result"]] == ["NaN", "+Inf"]
    assert server.requests[0].startswith("POST /prefix/api/v1/query HTTP/1.1")
    assert "query=up%7Bjob%3D%22a%22%7D&time=1700000000.5&timeout=10" in server.requests[0]


@pytest.mark.parametrize(
    ("access", "header"),
    [
        ({"token": "t0ken"}, "Authorization: Bearer t0ken"),
        ({"user": "me", "password": "pw"}, "Authorization: Basic bWU6cHc="),
        ({"headers": {"X-Scope-OrgID": "shop"}}, "X-Scope-OrgID: shop"),
    ],
)
async def test_who_asks_is_told(access: dict[str, object], header: str) -> None:
    async with stub(success(["b", "a"])) as server, client(server.url, **access) as prometheus:
        assert await prometheus.metric_names() == ("b", "a")
    assert header in server.requests[0]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (http("<html>hello</html>", kind="text/html"), "with a web page"),
        (http("", status=302, Location="http://elsewhere/"), "redirects to http://elsewhere/"),
        (http('{"status": "success", "data'), "or not all of it"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\nX-Is: broken\r\n\r\n{",
            "broke its answer off",
        ),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{", "broke its answer off"),
        (b"\r\n\r\n", "closed the connection without an answer"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "closed the connection without an answer"),
        (http("[1, 2]"), "or not all of it"),
    ],
)
async def test_what_is_no_answer_is_told(answer: bytes, words: str) -> None:
    async with stub(answer) as server, client(server.url) as prometheus:
        with pytest.raises(SourceError, match=re.escape(words)):
            await prometheus.query("up")
    assert len(server.requests) == 1


async def test_a_refused_connection_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    async with client(f"http://127.0.0.1:{port}") as prometheus:
        with pytest.raises(SourceError, match="refused the connection"):
            await prometheus.check()


async def test_a_slow_answer_is_given_up_and_its_thread_is_free_again() -> None:
    async with stub(ANSWER_NEVER) as server, client(server.url, timeout_seconds=0.1) as prometheus:
        with pytest.raises(SourceError, match=r"did not answer within 0\.1 s"):
            await prometheus.query("up")
        async with asyncio.timeout(5):
            await server.left.wait()


async def test_cancelling_reaches_the_server() -> None:
    async with stub(ANSWER_NEVER) as server, client(server.url, timeout_seconds=60) as prometheus:
        task = asyncio.create_task(prometheus.query("up"))
        async with asyncio.timeout(5):
            await server.asked.wait()
            task.cancel()
            await server.left.wait()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_closing_breaks_off_what_is_under_way() -> None:
    async with stub(ANSWER_NEVER) as server:
        prometheus = client(server.url, timeout_seconds=60)
        task = asyncio.create_task(prometheus.query("up"))
        async with asyncio.timeout(5):
            await server.asked.wait()
            prometheus.close()
            with pytest.raises(SourceError):
                await task


async def test_fifty_queries_run_at_once_and_reuse_their_connections() -> None:
    everybody_is_here = asyncio.Barrier(50)

    async def pause() -> None:
        await everybody_is_here.wait()

    async with stub(vector("1")) as server, client(server.url) as prometheus:
        server.pause = pause
        async with asyncio.timeout(10):
            for _ in range(2):
                await asyncio.gather(*(prometheus.query("up") for _ in range(50)))
    assert server.most_at_once == 50
    assert threading.active_count() < 100


async def test_an_answer_that_is_too_long_is_not_read_to_its_end() -> None:
    async with stub(http("x" * 3_000_000)) as server:
        session = PrometheusSession(server.url, headers={}, auth=None, verify=True, connections=1)
        with pytest.raises(SourceError, match="larger than 1 MiB"):
            await asyncio.to_thread(
                session.fetch,
                Exchange(),
                "/api/v1/query",
                method="GET",
                params={},
                timeout=(1, 5),
                most_bytes=1024**2,
            )
        session.close()
