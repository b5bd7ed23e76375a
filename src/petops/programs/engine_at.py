"""An engine at an address that need not answer yet: it is connected to when it is asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from petops.domain.events import Entry
from petops.domain.incident import Board
from petops.domain.requests import AnyRequest
from petops.remote import RemoteEngine, Renew, connected

Reach = Callable[[], AbstractAsyncContextManager[RemoteEngine]]
"""Goes the way to an engine; raises PetopsError where it cannot be gone now."""


def at(where: Path | str, token: str = "", renew: Renew | None = None) -> Reach:
    """Return the way to an engine at a socket's path or a base URL."""
    return lambda: connected(where, token, renew)


class EngineAt:
    """`EngineHandle` that may be made before its engine is there. Each call raises PetopsError."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self._stack = AsyncExitStack()
        self._reaching = asyncio.Lock()
        self._engine: RemoteEngine | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        raised: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    @property
    def is_following(self) -> bool:
        """Whether `entries` has its connection."""
        return self._engine is not None and self._engine.is_following

    @property
    def connections(self) -> int:
        """How often `entries` got its connection."""
        return self._engine.connections if self._engine is not None else 0

    async def board(self) -> Board:
        """Return every incident as it is now."""
        return await (await self._connected()).board()

    async def entries(self, after: int) -> AsyncGenerator[Entry, None]:
        """Follow the journal."""
        engine = await self._connected()
        async with aclosing(engine.entries(after)) as entries:
            async for entry in entries:
                yield entry

    async def submit(self, request: AnyRequest) -> Entry:
        """Return the entry that answers the request."""
        return await (await self._connected()).submit(request)

    async def about(self) -> Mapping[str, Any]:
        """Return which engine this is."""
        return await (await self._connected()).about()

    async def doctor(self) -> Sequence[Mapping[str, Any]]:
        """Return how its integrations fare."""
        return await (await self._connected()).doctor()

    async def reached(self) -> None:
        """Go the way to it now, if that has not been done."""
        await self._connected()

    async def _connected(self) -> RemoteEngine:
        async with self._reaching:
            if self._engine is None:
                self._engine = await self._stack.enter_async_context(self._reach())
        return self._engine
