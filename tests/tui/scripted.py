"""An engine that plays a recorded story, and answers as the real one would."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

from petops import wire
from petops.daemon.server import Tokens, hashed, serve_http, server
from petops.domain import events as ev
from petops.domain.alarm import AlarmState, Priority
from petops.domain.events import Entry, Event
from petops.domain.incident import Board, Incident
from petops.domain.policy import Identity
from petops.domain.requests import (
    Acknowledge,
    AnyRequest,
    ApproveRemedy,
    BreakGlass,
    CloseIncident,
    CorrectCause,
    RejectRemedy,
    ReportAlarm,
    Snooze,
    StopAct,
)
from petops.errors import PetopsError
from petops.ports import EngineHandle
from petops.programs.engine_at import EngineAt, at
from petops.programs.telling import summary, told
from petops.tui.desk import Desk
from petops.tui.feed import Feed
from petops.tui.given import Given
from petops.tui.kept import Kept
from petops.tui.times import Times

STORY = tuple(
    wire.entry_from_json(line)
    for line in (Path(__file__).parent / "leak.jsonl").read_text(encoding="utf-8").splitlines()
)
ANA = Identity(user="ana", channel="socket")
GIVEN = Given(tell=told, summarise=summary)


def index_of(kind: type[Event], which: int = 0) -> int:
    """Return where in the story the event of this kind stands."""
    return [n for n, one in enumerate(STORY) if isinstance(one.event, kind)][which]


PROPOSED = index_of(ev.RemediesProposed) + 1
MITIGATED = index_of(ev.Mitigated) + 1
AFTER_APPROVAL = STORY[index_of(ev.RemedyApproved) + 1 : MITIGATED]


def opened() -> ev.IncidentOpened:
    """The event that opens the story's incident."""
    event = STORY[index_of(ev.IncidentOpened)].event
    assert isinstance(event, ev.IncidentOpened)
    return event


class ScriptedEngine:
    """`Serves`: journals what is played or decided, and wakes its followers."""

    def __init__(self, entries: tuple[Entry, ...] = ()) -> None:
        self.held = list(entries)
        self._board = Board().after(*entries)
        self._news = asyncio.Condition()
        self.now = entries[-1].event.at if entries else STORY[0].event.at
        self.submitted: list[AnyRequest] = []
        self.breaks: PetopsError | None = None

    async def board(self) -> Board:
        if self.breaks:
            raise self.breaks
        return self._board

    async def entries(self, after: int) -> AsyncIterator[Entry]:
        while True:
            async with self._news:
                while self._board.seq <= after:
                    await self._news.wait()
            fresh = [one for one in self.held if one.seq > after]
            after = fresh[-1].seq
            for one in fresh:
                yield one

    async def submit(self, request: AnyRequest, by: Identity) -> Entry:
        self.submitted.append(request)
        if isinstance(request, ReportAlarm):
            raise PetopsError("not in this script")
        incident = self._board.incidents.get(request.incident)
        if incident is None:
            return await self.append(ev.NO_INCIDENT, self._refused(request, by, "no such incident"))
        return await self.append(incident.id, self._answer(request, incident, by))

    def _answer(  # noqa: PLR0911
        self, request: AnyRequest, incident: Incident, by: Identity
    ) -> Event:
        match request:
            case ApproveRemedy(digest=digest):
                if digest not in [one.digest for one in incident.on_offer]:
                    return ev.ApprovalRefused(
                        at=self.now, request=request.id, by=by, digest=digest, why="not on offer"
                    )
                return ev.RemedyApproved(at=self.now, request=request.id, by=by, digest=digest)
            case RejectRemedy(digest=digest, because=because):
                return ev.RemedyRejected(
                    at=self.now, request=request.id, by=by, digest=digest, because=because
                )
            case Acknowledge():
                return ev.Acknowledged(at=self.now, request=request.id, by=by)
            case Snooze(until=until):
                return ev.Snoozed(at=self.now, request=request.id, by=by, until=until)
            case CorrectCause(mode=mode, subject=subject, because=because):
                return ev.CauseCorrected(
                    at=self.now,
                    request=request.id,
                    by=by,
                    mode=mode,
                    subject=subject,
                    because=because,
                )
            case BreakGlass(digest=digest, because=because):
                return ev.BreakGlassUsed(
                    at=self.now, request=request.id, by=by, digest=digest, because=because
                )
            case StopAct(because=because):
                return ev.StopRequested(at=self.now, request=request.id, by=by, because=because)
            case CloseIncident(because=because):
                return ev.Closed(at=self.now, request=request.id, by=by, because=because)
            case _:
                return self._refused(request, by, "no")

    def _refused(self, request: AnyRequest, by: Identity, why: str) -> Event:
        asked = type(request).__name__
        return ev.RequestRefused(at=self.now, request=request.id, by=by, asked=asked, why=why)

    async def append(self, incident: str, *events: Event) -> Entry:
        """Append events of an incident."""
        made: list[Entry] = []
        for event in events:
            known = self._board.incidents.get(incident)
            number = known.number + 1 if known else 1
            entry = Entry(seq=self._board.seq + 1, incident=incident, number=number, event=event)
            self.held.append(entry)
            self._board = self._board.after(entry)
            made.append(entry)
        async with self._news:
            self._news.notify_all()
        return made[0]

    async def play(self, entries: tuple[Entry, ...]) -> None:
        """Append the events of recorded entries."""
        for one in entries:
            await self.append(one.incident, one.event)


TOKEN = "s3cret"  # noqa: S105
ABOUT = {"cluster": "petops-lab", "environment": "", "version": "0"}
CHECKS = (
    {"name": "kubernetes", "verdict": "ok", "told": "petops-lab, version v1.32", "fix": None},
    {"name": "prometheus", "verdict": "broken", "told": "refused", "fix": "is its address right?"},
    {"name": "alarm queue", "verdict": "unknown", "told": "it was not looked at", "fix": None},
    {"name": "slack", "verdict": "off", "told": "no token is set", "fix": None},
)


async def examine() -> Sequence[Mapping[str, Any]]:
    return CHECKS


class Beside:
    """`EngineHandle` on an engine in this process, with what it tells of itself."""

    async def about(self) -> Mapping[str, Any]:
        return ABOUT

    async def doctor(self) -> Sequence[Mapping[str, Any]]:
        return CHECKS

    def __init__(self, engine: ScriptedEngine) -> None:
        self._engine = engine

    async def board(self) -> Board:
        return await self._engine.board()

    def entries(self, after: int) -> AsyncIterator[Entry]:
        return self._engine.entries(after)

    async def submit(self, request: AnyRequest) -> Entry:
        return await self._engine.submit(request, ANA)


@asynccontextmanager
async def embedded(engine: ScriptedEngine, folder: Path) -> AsyncIterator[EngineHandle]:
    del folder
    yield Beside(engine)


@asynccontextmanager
async def attached(engine: ScriptedEngine, folder: Path) -> AsyncIterator[EngineHandle]:
    """The way of `--attach`: over HTTP, with a bearer token."""
    del folder
    api = server(engine, Tokens({hashed(TOKEN): "ana"}), {}, about=ABOUT, examine=examine)
    async with serve_http(api, "127.0.0.1", 0) as url, EngineAt(at(url, TOKEN)) as handle:
        await handle.reached()
        yield handle


def desk(
    *feeds: tuple[str, EngineHandle],
    now: datetime | None = None,
    given: Given = GIVEN,
    kept: Path | None = None,
    ascii_only: bool = False,
    keeps: int = 20_000,
    zone: tzinfo = UTC,
) -> Desk:
    """Return a desk whose clock stands still, with times in UTC."""
    moment = now or STORY[PROPOSED - 1].event.at + timedelta(seconds=75)
    made = [
        Feed(name, handle, lambda: moment, gather_seconds=0.01, keeps=keeps)
        for name, handle in feeds
    ]
    return Desk(
        feeds=made,
        given=given,
        kept=Kept(kept),
        times=Times(zone=zone),
        now=lambda: moment,
        ascii_only=ascii_only,
    )


def many(count: int) -> tuple[Entry, ...]:
    """Return entries that open so many incidents, of all priorities."""
    first = opened()
    subject = first.alarm.subject
    assert subject is not None
    entries = []
    for number in range(1, count + 1):
        name = f"service-{number:04d}"
        alarm = replace(
            first.alarm,
            name=name,
            fingerprint=name,
            event_id=name,
            state=AlarmState.ALARM,
            subject=replace(subject, name=name),
        )
        priority = list(Priority)[number % 4]
        event = replace(
            first,
            at=first.at + timedelta(seconds=number),
            alarm=alarm,
            assessment=replace(first.assessment, priority=priority),
        )
        entries.append(Entry(seq=number, incident=f"INC-{number:04d}", number=1, event=event))
    return tuple(entries)
