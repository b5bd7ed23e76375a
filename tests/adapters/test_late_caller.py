"""An MCP server that is loaded late: not before it is wanted, once for all, and with its reason."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest

from petops.errors import PetopsError, SourceError, UsageError
from petops.sources.late_caller import Caller, LateCaller


class Echo:
    """Answers with what it is asked; counts how often it was opened and closed."""

    def __init__(self, trouble: PetopsError | None = None) -> None:
        self.opened = self.closed = 0
        self.trouble, self.loaded = trouble, asyncio.Event()

    async def call(
        self, tool: str, arguments: Mapping[str, Any], timeout_seconds: float
    ) -> Mapping[str, Any]:
        return {"tool": tool, **arguments}

    async def open(self) -> AbstractAsyncContextManager[Caller]:
        await self.loaded.wait()
        return self._held()

    @asynccontextmanager
    async def _held(self) -> AsyncIterator[Caller]:
        self.opened += 1
        if self.trouble:
            raise self.trouble
        yield self
        self.closed += 1


async def test_the_first_calls_open_it_once_and_it_ends_with_the_block() -> None:
    echo, said = Echo(), list[str]()
    async with LateCaller(echo.open, said.append) as late:
        assert not echo.opened
        with pytest.raises(SourceError, match=r"not loaded in 0\.01 s"):
            await late.call("a", {}, 0.01)
        calls = [asyncio.create_task(late.call("a", {"n": number}, 5)) for number in range(3)]
        echo.loaded.set()
        assert [one["n"] for one in await asyncio.gather(*calls)] == [0, 1, 2]
    assert (echo.opened, echo.closed, said) == (1, 1, [])


async def test_what_is_set_wrongly_is_said_once_and_told_by_each_call() -> None:
    echo, said = Echo(UsageError("that is no address", hint="set another")), list[str]()
    echo.loaded.set()
    async with LateCaller(echo.open, said.append) as late:
        late.warm()
        for _ in range(2):
            with pytest.raises(SourceError, match="that is no address"):
                await late.call("a", {}, 5)
    assert said == ["metrics cannot be asked: that is no address"]


async def test_what_is_still_loading_does_not_hold_up_the_end() -> None:
    echo = Echo()
    async with asyncio.timeout(5), LateCaller(echo.open, print) as late:
        late.warm()
        waiting = asyncio.create_task(late.call("a", {}, 60))
        await asyncio.sleep(0)
    with pytest.raises(SourceError, match="was closed"):
        await waiting


@pytest.mark.slow
def test_a_daemon_is_ready_before_it_loads_what_only_incidents_need() -> None:
    """All that is imported up to then: mcp, boto3 and slack-sdk would double it."""
    code = (
        "import sys, petops.programs.daemon, petops.programs.replicas, petops.commands.daemon\n"
        "print([one for one in ('mcp', 'boto3', 'slack_sdk', 'requests') if one in sys.modules])"
    )
    ran = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert ran.stdout.strip() == "[]"
