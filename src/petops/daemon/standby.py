"""A replica that does not lead: it reads the shared journal, and says who leads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Final

from petops.daemon.serves import ElsewhereError, Serves
from petops.domain.events import Entry
from petops.domain.incident import Board
from petops.domain.policy import Identity
from petops.domain.requests import AnyRequest
from petops.ports import Journal

_PAGE: Final = 1000
_LOOK_EVERY_SECONDS: Final = 0.25


class Standby:
    """`Serves`, to read only. Without a journal that can be shared it has nothing to show."""

    def __init__(self, journal: Journal | None, leader: Callable[[], str]) -> None:
        self._journal = journal
        self._leader = leader
        self._board = Board()
        self._reading = asyncio.Lock()

    async def board(self) -> Board:
        """Return every incident as the journal tells it now."""
        if self._journal is None:
            raise ElsewhereError(self._leader())
        async with self._reading:
            while page := await self._journal.read(self._board.seq, _PAGE):
                self._board = self._board.after(*page)
        return self._board

    async def entries(self, after: int) -> AsyncIterator[Entry]:
        """Follow the journal."""
        if self._journal is None:
            raise ElsewhereError(self._leader())
        while True:
            page = await self._journal.read(after, _PAGE)
            for entry in page:
                after = entry.seq
                yield entry
            if not page:
                await asyncio.sleep(_LOOK_EVERY_SECONDS)

    async def submit(self, request: AnyRequest, by: Identity) -> Entry:
        """Say who leads: only that replica decides."""
        del request, by
        raise ElsewhereError(self._leader())


class Switch:
    """`Serves`, by whichever it is now: the engine of this replica, or the standby."""

    def __init__(self, standby: Serves) -> None:
        self._standby = standby
        self._now = standby
        self._switched = asyncio.Event()

    @property
    def leads(self) -> bool:
        """Whether this replica's engine is at work."""
        return self._now is not self._standby

    def to(self, engine: Serves | None) -> None:
        """Serve by this engine; None is by the standby. Who follows comes back by itself."""
        self._now = engine or self._standby
        switched, self._switched = self._switched, asyncio.Event()
        switched.set()

    async def board(self) -> Board:
        """Return every incident as it is now."""
        return await self._now.board()

    async def entries(self, after: int) -> AsyncIterator[Entry]:
        """Follow the journal until the replica's part changes; the follower then comes back."""
        ended = asyncio.ensure_future(self._switched.wait())
        entries = self._now.entries(after).__aiter__()
        try:
            while not ended.done():
                following = asyncio.ensure_future(anext(entries, None))
                await asyncio.wait({following, ended}, return_when=asyncio.FIRST_COMPLETED)
                if not following.done():
                    following.cancel()
                    await asyncio.wait({following})
                    return
                entry = following.result()
                if entry is None:
                    return
                yield entry
        finally:
            ended.cancel()

    async def submit(self, request: AnyRequest, by: Identity) -> Entry:
        """Return the entry that answers the request; raise ElsewhereError where another leads."""
        return await self._now.submit(request, by)
