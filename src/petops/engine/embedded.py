"""An engine in this process, as a surface sees it."""

from __future__ import annotations

from collections.abc import AsyncIterator

from petops.domain.events import Entry
from petops.domain.incident import Board
from petops.domain.policy import Identity
from petops.domain.requests import AnyRequest
from petops.engine.engine import Engine


class Embedded:
    """`EngineHandle` on an engine in this process, for one identity."""

    def __init__(self, engine: Engine, by: Identity) -> None:
        self._engine = engine
        self._by = by

    async def board(self) -> Board:
        """Return every incident as it is now."""
        return await self._engine.board()

    def entries(self, after: int) -> AsyncIterator[Entry]:
        """Follow the journal from `after` on, without end."""
        return self._engine.entries(after)

    async def submit(self, request: AnyRequest) -> Entry:
        """Return the entry that answers the request."""
        return await self._engine.submit(request, self._by)
