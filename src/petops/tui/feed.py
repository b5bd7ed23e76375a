"""One engine as the dashboard follows it: its board, and how the connection fares."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final, cast

from petops.domain.events import Entry
from petops.domain.incident import Board, Incident
from petops.errors import PetopsError
from petops.ports import EngineHandle
from petops.tui.given import Health
from petops.tui.times import Now

GATHER_SECONDS: Final = 0.2
"""Entries are gathered so long before anything is drawn anew: at most five times a second."""

RETRY_SECONDS: Final = 2.0
_WATCH_SECONDS: Final = 0.5
KEPT_ENTRIES: Final = 20_000
_KEPT_AT_LEAST: Final = 12
_PRODUCTION: Final = re.compile(r"(^|[^a-z])(prod|production|prd|live)([^a-z]|$)", re.IGNORECASE)


class Link(StrEnum):
    """How the connection to an engine fares."""

    CONNECTING = "connecting"
    FOLLOWING = "following"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Ref:
    """An incident of one of several engines."""

    engine: str
    incident: str


@lru_cache(maxsize=1024)
def is_production(name: str) -> bool:
    """Say whether a name speaks of production: prod, prd, live or production as a word of it."""
    return bool(_PRODUCTION.search(name))


class Feed:
    """Follows one engine, and keeps its board light enough for hours of entries.

    `pinned` incidents keep their whole history; every other keeps its latest entries.
    """

    def __init__(
        self,
        name: str,
        handle: EngineHandle,
        now: Now,
        *,
        production: bool = False,
        gather_seconds: float = GATHER_SECONDS,
        keeps: int = KEPT_ENTRIES,
    ) -> None:
        self.name = name
        self.handle = handle
        self.board = Board()
        self.link = Link.CONNECTING
        self.why = ""
        self.since = now()
        self.pinned: set[str] = set()
        self._now = now
        self._production = production
        self._gather_seconds = gather_seconds
        self._keeps = keeps
        self._changed: Callable[[Feed], None] = lambda _: None
        self.environment = ""
        self.cluster = ""
        self.health: tuple[Health, ...] = ()
        self.health_unknown = ""
        self._looked_at: datetime | None = None

    @property
    def is_production(self) -> bool:
        """What the engine says of itself; where it says nothing, what its name speaks of."""
        if self.environment:
            return self.environment == "production"
        return self._production or is_production(self.name)

    def is_production_of(self, cluster: str) -> bool:
        """Say whether an object in this cluster is production's: the engine's word counts first."""
        return self.is_production or (not self.environment and is_production(cluster))

    async def look(self, *, at_most_every: float = 0.0) -> None:
        """Ask the engine how its integrations fare, unless that was asked lately."""
        doctor = getattr(self.handle, "doctor", None)
        now = self._now()
        ago = (now - self._looked_at).total_seconds() if self._looked_at else None
        if doctor is None or (ago is not None and ago < at_most_every):
            return
        self._looked_at = now
        try:
            self.health = tuple(_health(one) for one in await doctor())
            self.health_unknown = ""
        except PetopsError as exc:  # an engine of an earlier version has nothing to say
            self.health, self.health_unknown = (), exc.message
        self._changed(self)

    async def _learn(self) -> None:
        """Ask the engine what it is for; one that does not say goes by its name."""
        about = getattr(self.handle, "about", None)
        if about is None:
            return
        with suppress(PetopsError):
            told = await about()
            self.environment = str(told.get("environment") or "")
            self.cluster = str(told.get("cluster") or "")

    async def follow(self, changed: Callable[[Feed], None]) -> None:
        """Keep the board current until cancelled; call `changed` whenever something did."""
        self._changed = changed
        while True:
            try:
                board = await self.handle.board()
            except PetopsError as exc:
                why = exc.message
            else:
                self.board = self._light(board, *board.incidents)
                await self._learn()
                self._linked(Link.FOLLOWING)
                changed(self)
                why = await self._following()
            self._linked(Link.LOST, why)
            changed(self)
            await asyncio.sleep(RETRY_SECONDS)

    async def whole(self, incident: str) -> Incident | None:
        """Fetch an incident with its whole history, and keep that from now on."""
        self.pinned.add(incident)
        board = await self.handle.board()
        found = board.incidents.get(incident)
        if found is not None and board.seq >= self.board.seq:
            held = dict(self.board.incidents) | {incident: found}
            # The board's own seq stays behind: `_fold` leaves out what comes twice.
            self.board = replace(self.board, incidents=held)
            self._changed(self)
        return found

    async def _following(self) -> str:
        """Fold entries as they come, gathered; return why that came to an end."""
        arrived: list[Entry] = []
        news = asyncio.Event()
        why = ""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._collect(arrived, news))
                group.create_task(self._watch_link())
                while True:
                    await news.wait()
                    news.clear()
                    entries, arrived[:] = tuple(arrived), []
                    self._fold(entries)
                    await asyncio.sleep(self._gather_seconds)
        except* PetopsError as raised:
            problem: BaseException = raised
            while isinstance(problem, BaseExceptionGroup):
                problem = problem.exceptions[0]
            why = str(problem)
        return why

    async def _collect(self, arrived: list[Entry], news: asyncio.Event) -> None:
        stream = cast("AsyncGenerator[Entry, None]", self.handle.entries(after=self.board.seq))
        async with aclosing(stream) as entries:
            async for entry in entries:
                arrived.append(entry)
                news.set()
        raise PetopsError("the engine ended")

    async def _watch_link(self) -> None:
        """Look whether the handle has its connection; when it is back, whether to the same journal.

        Raise PetopsError where it is another one, so that it is followed from its beginning.
        """
        was_lost = False
        known = (
            self._connections()
        )  # the first one, too, may meet another engine than the board did
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            is_following = bool(getattr(self.handle, "is_following", True))
            is_another = self._connections() > known
            known = max(known, self._connections())
            if is_following and (was_lost or is_another):
                if not _goes_on(await self.handle.board(), self.board):
                    raise PetopsError("the engine has another journal by now")
                self._linked(Link.FOLLOWING)
                self._changed(self)
            elif not is_following and not was_lost:
                self._linked(Link.LOST, "the connection is lost")
                self._changed(self)
            was_lost = not is_following

    def _connections(self) -> int:
        """Return how often the handle connected, where it counts that."""
        return int(getattr(self.handle, "connections", 0))

    def _fold(self, entries: tuple[Entry, ...]) -> None:
        """Fold what is new; an incident that was fetched whole may be ahead of the stream."""
        held = self.board.incidents
        new = [
            one
            for one in entries
            if one.incident not in held or one.number > held[one.incident].number
        ]
        self.board = self._light(self.board.after(*new), *{one.incident for one in new})
        self._changed(self)

    def _light(self, board: Board, *touched: str) -> Board:
        """Return the board without what no screen shows.

        Those are old entries, the ids of alarms' messages, and answered requests.
        """
        at_most = max(_KEPT_AT_LEAST, self._keeps // max(1, len(board.incidents)))
        held = dict(board.incidents)
        for one in touched:
            found = held.get(one)
            if found is None:
                continue
            history = found.history
            if len(history) > 2 * at_most and one not in self.pinned:
                history = (history[0], *history[-at_most:])
            held[one] = replace(found, history=history, seen_events=frozenset())
        return replace(board, incidents=held, answered={})

    def _linked(self, link: Link, why: str = "") -> None:
        if link is not self.link:
            self.since = self._now()
        self.link, self.why = link, why


def _health(check: Mapping[str, Any]) -> Health:
    told = {name: str(check.get(name) or "") for name in ("name", "verdict", "told", "fix")}
    return Health(
        name=told["name"] or "?", verdict=told["verdict"], says=told["told"], hint=told["fix"]
    )


def last_seen(feed: Feed) -> datetime:
    """Return the time of the latest entry that the feed holds."""
    times = [one.history[-1].event.at for one in feed.board.incidents.values() if one.history]
    return max(times, default=feed.since)


def _goes_on(board: Board, known: Board) -> bool:
    """Say whether a board is of the same journal as one that is known, and no earlier."""
    return board.seq >= known.seq and all(
        (found := board.incidents.get(one.id)) is not None and found.opened_at == one.opened_at
        for one in known.incidents.values()
    )
