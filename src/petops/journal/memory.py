"""A journal that lasts as long as its process: for tests, scenarios and the demo."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence

from petops.domain.events import Entry, Event
from petops.errors import ConflictError


class MemoryJournal:
    """`Journal` as a list. It never waits, so its order is the order of the calls."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self._entries = list(entries)
        self._numbers = {entry.incident: entry.number for entry in self._entries}
        self._seq = self._entries[-1].seq if self._entries else 0

    async def append(
        self, incident: str, expected: int, events: Sequence[Event]
    ) -> tuple[Entry, ...]:
        """Store events after the incident's entry number `expected`."""
        number = self._numbers.get(incident, 0)
        if number != expected:
            raise ConflictError(f"{incident} has {number} entries, not {expected}")
        added = tuple(
            Entry(seq=self._seq + n, incident=incident, number=number + n, event=event)
            for n, event in enumerate(events, start=1)
        )
        self._entries.extend(added)
        self._seq += len(added)
        self._numbers[incident] = number + len(added)
        return added

    async def read(self, after: int, limit: int = 1000) -> tuple[Entry, ...]:
        """Return up to `limit` entries with a seq above `after`, in order."""
        start = bisect_right(self._entries, after, key=lambda entry: entry.seq)
        return tuple(self._entries[start : start + limit])
