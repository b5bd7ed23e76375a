"""The journal and the board folded from it. Every write of the engine goes through here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

from petops.domain.events import NO_INCIDENT, Entry, Event
from petops.domain.incident import Board
from petops.errors import ConflictError
from petops.ports import Journal

_PAGE = 1000
_TRIES = 5
_TAIL = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Events to append, and the incident that they belong to; no events is a decision too."""

    incident: str
    events: Sequence[Event]


class Record:
    """Appends decisions made on the present board, one at a time.

    And tells everyone who follows.
    """

    def __init__(self, journal: Journal) -> None:
        self.board = Board()
        self._journal = journal
        self._tail: list[Entry] = []
        self._lock = asyncio.Lock()
        self._pulse = asyncio.Event()

    @property
    def token(self) -> int:
        """The fencing token with which this engine holds the journal."""
        return self._journal.token

    async def load(self) -> None:
        """Fold what the journal holds."""
        while page := await self._journal.read(self.board.seq, _PAGE):
            self._folded(page)

    async def append(self, decide: Callable[[Board], Decision]) -> tuple[Entry, ...]:
        """Append what `decide` makes of the board, in one step with looking at it.

        Raise IllegalEventError, with nothing stored, where an event may not happen now. `decide` is
        asked again where somebody else wrote first.
        """
        async with self._lock:
            for _ in range(_TRIES):
                decision = decide(self.board)
                if not decision.events:
                    return ()
                expected = self._checked(decision)
                try:
                    stored = await self._journal.append(
                        decision.incident, expected, decision.events
                    )
                except ConflictError:
                    await self.load()
                    continue
                self._folded(stored)
                self._tell()
                return stored
        raise ConflictError(f"the journal is being written by others, {_TRIES} times in a row")

    async def follow(self, after: int) -> AsyncIterator[Entry]:
        """Yield the entries after `after`, then each as it comes, without end."""
        while True:
            pulse = self._pulse
            page = self._latest(after)
            if page is None:
                page = await self._journal.read(after, _PAGE)
            for entry in page:
                after = entry.seq
                yield entry
            if not page and after >= self.board.seq:
                await pulse.wait()

    async def beyond(self, seq: int) -> None:
        """Return as soon as the board is beyond `seq`."""
        while self.board.seq <= seq:
            await self._pulse.wait()

    def _folded(self, entries: Sequence[Entry]) -> None:
        """Fold what the journal holds by now, and keep the latest for who follows."""
        self.board = self.board.after(*entries)
        self._tail.extend(entries)
        if len(self._tail) > 2 * _TAIL:
            del self._tail[:-_TAIL]

    def _latest(self, after: int) -> Sequence[Entry] | None:
        """Return the entries after `after` where all of them are among the latest.

        So that many followers cost one reading of the journal.
        """
        if not self._tail or after < self._tail[0].seq - 1:
            return None
        return self._tail[after - self._tail[0].seq + 1 :]

    def _checked(self, decision: Decision) -> int:
        """Fold the events on trial; return the number of entries that the incident has now."""
        known = self.board.incidents.get(decision.incident)
        expected = known.number if known else 0
        if decision.incident == NO_INCIDENT:
            expected = self.board.loose
        trial = self.board
        for offset, event in enumerate(decision.events, start=1):
            entry = Entry(
                seq=self.board.seq + offset,
                incident=decision.incident,
                number=expected + offset,
                event=event,
            )
            trial = trial.checked(entry)
        return expected

    def _tell(self) -> None:
        pulse, self._pulse = self._pulse, asyncio.Event()
        pulse.set()
