"""`McpCaller`, when its server dies, hangs, or was never there."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from mcp import StdioServerParameters

from petops.errors import SourceError, UsageError
from petops.sources.mcp_caller import McpCaller, McpUrl
from tests.adapters.prometheus.stub import ANSWER_NEVER, stub, vector

SERVE = Path(__file__).with_name("serve.py")
QUERY = {"query": "up"}

# A child that has both ears shut, and says so.
STUCK = "import signal,time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
# A child that tells its process id, and serves.
SERVES = f"""
import os, pathlib, runpy, sys
pathlib.Path(sys.argv[2]).write_text(str(os.getpid()))
sys.argv = sys.argv[:2]
runpy.run_path({str(SERVE)!r}, run_name="__main__")
"""


def python(code: str, *args: str) -> StdioServerParameters:
    return StdioServerParameters(command=sys.executable, args=["-c", code, *args])


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@asynccontextmanager
async def http_process(prometheus: str, port: int) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run the server on HTTP; yield it once it listens."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(SERVE), prometheus, str(port), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(30):
            assert await process.stdout.readline()
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


async def answered(caller: McpCaller) -> str:
    """Call until there is an answer again; only SourceError may come in between."""
    async with asyncio.timeout(30):
        while True:
            try:
                return str((await caller.call("execute_query", QUERY, 10))["resultType"])
            except SourceError:
                await asyncio.sleep(0.05)


def test_an_address_that_is_none_is_a_usage_error() -> None:
    with pytest.raises(UsageError):
        McpCaller("127.0.0.1:8000/mcp")


def test_the_token_stays_out_of_repr() -> None:
    assert "t0ken" not in repr(McpUrl(url="http://mcp", token="t0ken"))  # noqa: S106


async def test_a_command_that_is_not_there_is_told_at_once() -> None:
    async with McpCaller(StdioServerParameters(command="no-such-mcp-server")) as caller:
        with pytest.raises(SourceError, match="'no-such-mcp-server' is not there: no such file"):
            await caller.call("execute_query", QUERY, 10)


async def test_an_http_server_that_is_not_there_is_told_at_once() -> None:
    async with McpCaller(f"http://127.0.0.1:{free_port()}/mcp") as caller:
        with pytest.raises(SourceError, match="is not there"):
            await caller.call("execute_query", QUERY, 10)


async def test_an_http_server_that_hangs_holds_nobody_up() -> None:
    async with stub(ANSWER_NEVER) as server:
        began = time.monotonic()
        async with McpCaller(f"{server.url}/mcp") as caller:
            with pytest.raises(SourceError, match="is not there: it has not answered yet"):
                await caller.call("execute_query", QUERY, 0.2)
        assert time.monotonic() - began < 2.5


async def test_an_error_in_the_block_comes_out_as_it_is() -> None:
    async with stub(ANSWER_NEVER) as server:
        with pytest.raises(KeyError):
            async with McpCaller(f"{server.url}/mcp"):
                raise KeyError


async def test_after_closing_it_says_so() -> None:
    async with stub(ANSWER_NEVER) as server:
        async with McpCaller(f"{server.url}/mcp") as caller:
            pass
        with pytest.raises(SourceError, match="it was closed"):
            await caller.call("execute_query", QUERY, 1)


async def test_a_real_cancellation_stays_one() -> None:
    async with stub(ANSWER_NEVER) as server, McpCaller(f"{server.url}/mcp") as caller:
        call = asyncio.create_task(caller.call("execute_query", QUERY, 30))
        await server.asked.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call


@pytest.mark.slow
async def test_a_child_that_dies_at_its_start_is_quoted() -> None:
    child = python("import sys; sys.exit('no credentials for the workspace')")
    async with McpCaller(child) as caller:
        with pytest.raises(SourceError, match="no credentials for the workspace"):
            await caller.call("execute_query", QUERY, 10)


@pytest.mark.slow
async def test_a_stuck_child_is_left_within_two_seconds() -> None:
    async with McpCaller(python(STUCK), startup_seconds=60) as caller:
        with pytest.raises(SourceError, match="has not answered yet"):
            await caller.call("execute_query", QUERY, 0.5)
        began = time.monotonic()
    assert time.monotonic() - began < 2


@pytest.mark.slow
async def test_a_child_that_never_answers_is_given_up_and_started_anew() -> None:
    async with McpCaller(python(STUCK), startup_seconds=0.3) as caller:
        with pytest.raises(SourceError, match="did not answer in time"):
            await caller.call("execute_query", QUERY, 10)


@pytest.mark.slow
async def test_a_child_that_is_killed_is_started_again(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    async with (
        stub(vector("1")) as server,
        McpCaller(python(SERVES, server.url, str(pid))) as caller,
    ):
        assert await answered(caller) == "vector"
        first = int(pid.read_text())
        server.answer = ANSWER_NEVER
        server.asked.clear()
        call = asyncio.create_task(caller.call("execute_query", QUERY, 30))
        await server.asked.wait()
        os.kill(first, signal.SIGKILL)
        with pytest.raises(SourceError):
            await call
        server.answer = vector("1")
        assert await answered(caller) == "vector"
        assert int(pid.read_text()) != first


@pytest.mark.slow
async def test_an_http_server_that_dies_during_calls_is_found_again() -> None:
    port = free_port()
    async with stub(vector("1")) as server, McpCaller(f"http://127.0.0.1:{port}/mcp") as caller:
        async with http_process(server.url, port) as process:
            assert await answered(caller) == "vector"
            server.answer = ANSWER_NEVER
            server.asked.clear()
            calls = [asyncio.create_task(caller.call("execute_query", QUERY, 30)) for _ in range(5)]
            await server.asked.wait()
            process.kill()
            outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} == {SourceError}
        began = time.monotonic()
        for _ in range(3):
            with pytest.raises(SourceError):
                await caller.call("execute_query", QUERY, 2)
        assert time.monotonic() - began < 7
        task = asyncio.current_task()
        assert task is not None
        assert not task.cancelling()
        server.answer = vector("1")
        async with http_process(server.url, port):
            assert await answered(caller) == "vector"
