"""An engine as the server sees it, and what it is while another replica leads."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Protocol

from petops.domain.alarm import Alarm
from petops.domain.events import Entry
from petops.domain.incident import Board
from petops.domain.policy import Identity
from petops.domain.requests import AnyRequest
from petops.errors import PetopsError

ParseAlarms = Callable[[bytes], Sequence[Alarm]]
"""Reads the body of a webhook; raises UsageError with one sentence for what is malformed."""


class Serves(Protocol):
    """An engine as the server sees it: `EngineHandle`, told who asks."""

    async def board(self) -> Board:
        """Return every incident as it is now."""

    def entries(self, after: int) -> AsyncIterator[Entry]:
        """Follow the journal: what stands after `after`, then what comes, without end."""

    async def submit(self, request: AnyRequest, by: Identity) -> Entry:
        """Return the entry that answers the request; a refusal is one too."""


class ElsewhereError(PetopsError):
    """Another replica leads; `address` is where it serves, empty where that is not known."""

    def __init__(self, address: str) -> None:
        at = f" at {address}" if address else ""
        super().__init__(f"another replica leads{at}: this one only reads", hint="ask again")
        self.address = address
