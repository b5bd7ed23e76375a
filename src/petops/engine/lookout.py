"""Keeps a recent view of what runs where, for intake: read when alarms come, else never."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Final

from petops.domain.topology import Topology
from petops.errors import SourceError
from petops.ports import Clock
from petops.ports.topology import TopologySource

FRESH: Final = timedelta(seconds=10)
STALE: Final = timedelta(seconds=60)
_PATIENCE_SECONDS: Final = 2.0


class Lookout:
    """The latest topology. A view that is a little old is used while a new one is read."""

    def __init__(self, source: TopologySource | None, clock: Clock) -> None:
        self._source = source
        self._clock = clock
        self._reading: asyncio.Task[None] | None = None
        self._tried_at: datetime | None = None
        self.seen = Topology()

    async def recent(self, group: asyncio.TaskGroup) -> Topology:
        """Return the view; one that is too old, or none, is waited for a little."""
        if self._source is None:
            return self.seen
        now = self._clock.now()
        is_due = self._tried_at is None or now - self._tried_at >= FRESH
        if is_due and (self._reading is None or self._reading.done()):
            self._tried_at = now
            self._reading = group.create_task(self._read(self._source), name="topology")
        too_old = self.seen.at is None or now - self.seen.at >= STALE
        if too_old and self._reading is not None and not self._reading.done():
            await asyncio.wait({self._reading}, timeout=_PATIENCE_SECONDS)
        return self.seen

    async def _read(self, source: TopologySource) -> None:
        """Read once; where that fails the old view goes, for it would tie what is not tied."""
        try:
            self.seen = await source.topology()
        except SourceError:
            if self.seen.at is not None and self._clock.now() - self.seen.at >= STALE:
                self.seen = Topology()
