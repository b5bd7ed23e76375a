"""A journal that lasts as long as its process: for tests, scenarios and the demo."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence

from petops.domain.events import Entry, Event
from petops.errors import ConflictError, SupersededError


class _Kept:
    """What all holders of one journal share."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.entries = list(entries)
        self.numbers = {entry.incident: entry.number for entry in self.entries}
        self.seq = self.entries[-1].seq if self.entries else 0
        self.token = 0


class MemoryJournal:
    """`Journal` as a list. It never waits, so its order is the order of the calls."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self._hold(_Kept(entries))

    def _hold(self, kept: _Kept) -> None:
        self._kept = kept
        kept.token += 1
        self._token = kept.token

    def taken_over(self) -> MemoryJournal:
        """Return the same journal for a later engine: this one may only read from now on."""
        later = type(self)()
        later._hold(self._kept)
        return later

    @property
    def token(self) -> int:
        """The fencing token of this holder."""
        return self._token

    async def append(
        self, incident: str, expected: int, events: Sequence[Event]
    ) -> tuple[Entry, ...]:
        """Store events after the incident's entry number `expected`."""
        kept = self._kept
        if kept.token != self._token:
            raise SupersededError("a later engine holds the journal", hint="attach to that engine")
        number = kept.numbers.get(incident, 0)
        if number != expected:
            raise ConflictError(f"{incident} has {number} entries, not {expected}")
        added = tuple(
            Entry(seq=kept.seq + n, incident=incident, number=number + n, event=event)
            for n, event in enumerate(events, start=1)
        )
        kept.entries.extend(added)
        kept.seq += len(added)
        kept.numbers[incident] = number + len(added)
        return added

    async def read(self, after: int, limit: int = 1000) -> tuple[Entry, ...]:
        """Return up to `limit` entries with a seq above `after`, in order."""
        entries = self._kept.entries
        start = bisect_right(entries, after, key=lambda entry: entry.seq)
        return tuple(entries[start : start + limit])
