"""The least that is an engine: it journals, folds, refuses, and wakes its followers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from petops.domain import events as ev
from petops.domain.alarm import Alarm, AlarmSource, AlarmState, Assessment, Category, Priority
from petops.domain.events import Entry, Event
from petops.domain.incident import Board
from petops.domain.policy import Identity
from petops.domain.requests import Acknowledge, AnyRequest, ApproveRemedy, ReportAlarm
from petops.domain.subject import ClusterName, Kind, Subject
from petops.journal.memory import MemoryJournal
from petops.ports import Journal

NOW = datetime(2026, 11, 23, 6, 43, tzinfo=UTC)
CLUSTER = ClusterName(name="pets")


def alarm(name: str = "memory", text: str = "") -> Alarm:
    return Alarm(
        name=name,
        source=AlarmSource.CLOUDWATCH,
        fingerprint=name,
        event_id=f"{name}-1",
        state=AlarmState.ALARM,
        cluster=CLUSTER,
        started_at=NOW,
        subject=Subject(cluster=CLUSTER, kind=Kind.DEPLOYMENT, namespace="default", name="search"),
        text=text,
    )


class SmallEngine:
    """`Serves`, over any journal."""

    def __init__(self, journal: Journal | None = None) -> None:
        self._journal = journal or MemoryJournal()
        self._board = Board()
        self._news = asyncio.Condition()
        self.followers = 0
        self.breaks: Exception | None = None

    async def board(self) -> Board:
        if self.breaks:
            raise self.breaks
        return self._board

    async def entries(self, after: int) -> AsyncIterator[Entry]:
        self.followers += 1
        try:
            while True:
                async with self._news:
                    while self._board.seq <= after:
                        await self._news.wait()
                for entry in await self._journal.read(after):
                    after = entry.seq
                    yield entry
        finally:
            self.followers -= 1

    async def submit(self, request: AnyRequest, by: Identity) -> Entry:
        if self.breaks:
            raise self.breaks
        answered = self._board.answered.get(request.id)
        if answered is not None:
            return answered
        match request:
            case ReportAlarm():
                why = Assessment(category=Category.MEMORY, priority=Priority.P1, because="x")
                opened = ev.IncidentOpened(
                    at=NOW, request=request.id, alarm=request.alarm, assessment=why
                )
                return await self.append(self._board.next_id, opened)
            case Acknowledge():
                seen = ev.Acknowledged(at=NOW, request=request.id, by=by)
                return await self.append(request.incident, seen)
            case ApproveRemedy():
                refused = ev.ApprovalRefused(
                    at=NOW, request=request.id, by=by, digest=request.digest, why="too late"
                )
                return await self.append(request.incident, refused)
            case _:
                asked = type(request).__name__
                no = ev.RequestRefused(at=NOW, request=request.id, by=by, asked=asked, why="no")
                return await self.append(ev.NO_INCIDENT, no)

    async def append(self, incident: str, event: Event) -> Entry:
        known = self._board.incident(incident)
        expected = known.number if known else 0
        if incident == ev.NO_INCIDENT:
            stood = await self._journal.read(0, 1_000_000)
            expected = sum(one.incident == incident for one in stood)
        (entry,) = await self._journal.append(incident, expected, [event])
        async with self._news:
            self._board = self._board.after(entry)
            self._news.notify_all()
        return entry
