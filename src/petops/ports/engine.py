"""Time and journal for the engine, and what surfaces need of one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Protocol

from petops.domain.events import Entry, Event
from petops.domain.incident import Board
from petops.domain.requests import AnyRequest


class Clock(Protocol):
    """Time, so that tests can run it."""

    def now(self) -> datetime:
        """Return the present time in UTC, aware."""

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`."""


class Journal(Protocol):
    """Entries, in order, for good."""

    @property
    def token(self) -> int:
        """The fencing token: above that of every engine that held the journal before.

        Once a later engine holds it, `append` raises SupersededError.
        """

    async def append(
        self, incident: str, expected: int, events: Sequence[Event]
    ) -> tuple[Entry, ...]:
        """Store events after the incident's entry number `expected`.

        Raise ConflictError if it has more.
        """

    async def read(self, after: int, limit: int = 1000) -> tuple[Entry, ...]:
        """Return up to `limit` entries with a seq above `after`, in order."""


class EngineHandle(Protocol):
    """All that a surface sees of an engine, in this process or across a network."""

    async def board(self) -> Board:
        """Return every incident as it is now."""

    def entries(self, after: int) -> AsyncIterator[Entry]:
        """Follow the journal: what stands after `after`, then what comes, without end."""

    async def submit(self, request: AnyRequest) -> Entry:
        """Return the entry that answers the request; a refusal is one too."""
