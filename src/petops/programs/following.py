"""Follows one incident, and tells it line by line."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable

from petops.domain.events import Entry
from petops.domain.incident import Incident
from petops.domain.phases import AT_REST, Phase
from petops.errors import PetopsError
from petops.ports import EngineHandle
from petops.programs.telling import Line, told

Tell = Callable[[Entry, Iterable[Line]], None]
DIAGNOSIS_SECONDS = 120.0
_DECIDABLE = frozenset({*AT_REST, Phase.WAITING})


async def until(
    engine: EngineHandle,
    incident: str,
    phases: frozenset[Phase],
    tell: Tell,
    *,
    after: int = 0,
    seconds: float = DIAGNOSIS_SECONDS,
) -> Incident:
    """Tell what happens to an incident until it is in one of `phases`; return it then.

    Entries up to `after` are not told again. Raise PetopsError where the time is up.
    """
    try:
        async with asyncio.timeout(seconds):
            async for found in _followed(engine, incident, after, tell):
                if found.phase in phases:
                    return found
    except TimeoutError:
        raise PetopsError(
            f"{incident} is still under way after {seconds:g} s",
            hint=f"petops incidents show {incident}",
        ) from None
    raise PetopsError(f"the engine ended before {incident} was done")


async def until_decidable(
    engine: EngineHandle, incident: str, tell: Tell, *, after: int = 0
) -> Incident:
    """Tell an incident until a person may decide on it, or nothing more happens by itself."""
    return await until(engine, incident, _DECIDABLE, tell, after=after)


async def _followed(
    engine: EngineHandle, incident: str, after: int, tell: Tell
) -> AsyncIterator[Incident]:
    """Yield the incident as it is now, and then after each of its entries."""
    board = await engine.board()
    found = board.incidents.get(incident)
    if found is not None:
        for entry in found.history:
            _tell(entry, after, tell)
        yield found
    async for entry in engine.entries(after=board.seq):
        board = board.after(entry)
        if entry.incident == incident:
            _tell(entry, after, tell)
            yield board.incidents[incident]


def _tell(entry: Entry, after: int, tell: Tell) -> None:
    if entry.seq > after:
        tell(entry, told(entry.event))
