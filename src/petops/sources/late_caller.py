"""An MCP server that is loaded when it is first wanted: its SDK takes most of a second to import.

An engine is ready before that, and loads it then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, Self

from petops.errors import PetopsError, SourceError


class Caller(Protocol):
    """Calls a tool by name."""

    async def call(
        self, tool: str, arguments: Mapping[str, Any], timeout_seconds: float
    ) -> Mapping[str, Any]:
        """Return the structured answer; raise SourceError."""


Opening = Callable[[], Awaitable[AbstractAsyncContextManager[Caller]]]
"""Loads what is needed, off the event loop, and returns the server to be entered."""


class LateCaller:
    """Calls a server that is opened by `warm`, or by the first call.

    The server lives in a task of its own, since whoever is first may be gone long before it.
    """

    def __init__(self, opening: Opening, say: Callable[[str], None]) -> None:
        self._opening, self._say = opening, say
        self._opened: asyncio.Future[Caller] | None = None
        self._holding: asyncio.Task[None] | None = None
        self._ending = asyncio.Event()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._ending.set()
        if self._holding is not None:
            if self._opened is not None and not self._opened.done():
                self._holding.cancel()
            await asyncio.wait({self._holding})

    def warm(self) -> None:
        """Begin to open the server; what goes wrong is said, and told again by each call."""
        if self._holding is None:
            self._opened = asyncio.get_running_loop().create_future()
            self._holding = asyncio.create_task(self._hold(self._opened))

    async def call(
        self, tool: str, arguments: Mapping[str, Any], timeout_seconds: float
    ) -> Mapping[str, Any]:
        """Return a tool's structured answer; raise SourceError if it refused or cannot be had."""
        self.warm()
        assert self._opened is not None  # noqa: S101 - `warm` made it
        try:
            async with asyncio.timeout(timeout_seconds):
                caller = await asyncio.shield(self._opened)
        except TimeoutError as exc:
            raise SourceError(f"the MCP server was not loaded in {timeout_seconds:g} s") from exc
        except asyncio.CancelledError:
            if self._opened.cancelled():
                raise SourceError("the MCP server was closed") from None
            raise
        return await caller.call(tool, arguments, timeout_seconds)

    async def _hold(self, opened: asyncio.Future[Caller]) -> None:
        try:
            async with await self._opening() as caller:
                opened.set_result(caller)
                await self._ending.wait()
        except PetopsError as exc:
            if opened.done():
                raise
            self._say(f"metrics cannot be asked: {exc.message}")
            opened.set_exception(SourceError(exc.message, hint=exc.hint))
            opened.exception()  # told: nobody may ever call
        finally:
            opened.cancel()
