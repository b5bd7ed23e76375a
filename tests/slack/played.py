"""An engine that plays recorded entries and decides as the real one, and Slack without sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from petops.domain import events as ev
from petops.domain.alarm import Priority
from petops.domain.events import Entry, Event
from petops.domain.incident import Board
from petops.domain.policy import Identity, Person, Rules
from petops.domain.requests import AnyRequest, ReportAlarm, SplitOff
from petops.engine import decisions
from petops.engine.record import Decision, Record
from petops.errors import PetopsError
from petops.journal.memory import MemoryJournal
from petops.lab.slack_api import WebApi
from petops.lab.slack_limits import RateLimits
from petops.lab.slack_workspace import BOT_TOKEN, CHANNEL, Workspace
from petops.ports import Clock
from petops.programs.telling import summary, told
from petops.slack.calls import AwayError, LimitedError, TurnedDownError
from petops.slack.due import Rules as Shows
from petops.slack.look import Look
from petops.slack.mirror import Mirror
from petops.slack.people import mapped
from petops.slack.routing import Route
from petops.slack.text import Writer
from tests.tui.scripted import AFTER_APPROVAL, MITIGATED, PROPOSED, STORY, index_of, opened

__all__ = ["AFTER_APPROVAL", "MITIGATED", "PROPOSED", "STORY", "index_of", "opened"]

ANA = Identity(user="ana", channel="terminal")
LOOK = Look(tell=told, summarise=summary, writer=Writer())
PEOPLE: tuple[Person, ...] = mapped(("U0ANA=ana", "U0BEN=ben", "U0DORA=dora", "U0EVE=eve"))
ROUTE = Route(channel=CHANNEL)


class PlayedEngine:
    """`Serves` on a real journal and real decisions; guards are content."""

    def __init__(self, now: Callable[[], datetime], *, rules: Rules | None = None) -> None:
        self.record = Record(MemoryJournal())
        self.now = now
        self.rules = rules or Rules(approval_expires=timedelta(days=1))
        self.crash: Exception | None = None

    async def board(self) -> Board:
        return self.record.board

    def entries(self, after: int) -> AsyncIterator[Entry]:
        return self.record.follow(after)

    async def submit(self, request: AnyRequest, by: Identity) -> Entry:
        if self.crash is not None:
            raise self.crash
        assert not isinstance(request, ReportAlarm | SplitOff)
        known = self.record.board.answered.get(request.id)
        if known is not None:
            return known

        def decided(board: Board) -> Decision:
            if request.id in board.answered:
                return Decision(incident=ev.NO_INCIDENT, events=())
            return decisions.decide(
                request, board, by, self.now(), rules=self.rules, objections=decisions.Objections()
            )

        entries = await self.record.append(decided)
        return entries[0] if entries else self.record.board.answered[request.id]

    async def append(self, incident: str, *events: Event) -> None:
        await self.record.append(lambda _: Decision(incident=incident, events=events))

    async def play(self, entries: Iterable[Entry], incident: str = "") -> None:
        """Append recorded events as if they happened now, offers with time left."""
        for one in entries:
            await self.append(incident or one.incident, fresh(one.event, self.now()))


def fresh(event: Event, now: datetime) -> Event:
    """Return an event as if it happened now."""
    if isinstance(event, ev.RemediesProposed):
        later = now + timedelta(minutes=30)
        offers = tuple(replace(one, expires_at=later) for one in event.proposals)
        return replace(event, at=now, proposals=offers)
    return replace(event, at=now)


def opening(
    name: str,
    now: datetime,
    *,
    priority: Priority = Priority.P1,
    namespace: str = "shop",
    **more: Any,
) -> ev.IncidentOpened:
    """Return what opens an incident of a workload of this name."""
    first = opened()
    assert first.alarm.subject is not None
    subject = replace(first.alarm.subject, name=name, namespace=namespace)
    alarm = replace(
        first.alarm,
        name=f"{name} memory",
        fingerprint=name,
        event_id=name,
        subject=subject,
        started_at=now,
        **more,
    )
    assessment = replace(first.assessment, priority=priority)
    return replace(first, at=now, alarm=alarm, assessment=assessment)


class MemorySlack:
    """`Slack` on the lab's workspace, without sockets.

    `away` gives no answer; `lose` answers get lost after their effect, or before it where
    `before_effect` is set; `calls` is what was called.
    """

    def __init__(self, clock: Clock, *, seconds: float = 0.05) -> None:
        self.workspace = Workspace(clock.now)
        self.api = WebApi(self.workspace, "http://lab")
        self.limits = RateLimits(clock.now)
        self.clock = clock
        self.seconds = seconds
        self.away = False
        self.lose: list[str] = []
        self.before_effect = False
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.told: list[Mapping[str, Any]] = []

    async def call(self, method: str, /, **arguments: object) -> Mapping[str, Any]:
        given = {key: value for key, value in arguments.items() if value is not None}
        await self.clock.sleep(self.seconds)
        if self.away:
            raise AwayError("nobody there", is_unknown=False)
        wait = self.limits.retry_after(method, str(given.get("channel", "")))
        if wait:
            raise LimitedError(method, wait)
        lost = method in self.lose
        if lost:
            self.lose.remove(method)
            if self.before_effect:
                raise AwayError("the line is dead", is_unknown=True)
        self.calls.append((method, given))
        answer = self.api.answer(method, BOT_TOKEN, given)
        if lost:
            raise AwayError("the line is dead", is_unknown=True)
        if not answer["ok"]:
            details = (answer.get("response_metadata") or {}).get("messages") or ()
            raise TurnedDownError(method, answer["error"], tuple(details))
        return answer

    async def put(self, url: str, content: bytes) -> None:
        if self.away:
            raise AwayError("nobody there", is_unknown=False)
        self.workspace.contents[url.rpartition("/")[2]] = content

    async def respond(self, url: str, message: Mapping[str, object]) -> None:
        del url
        self.told.append(message)

    def count(self, method: str) -> int:
        return sum(one == method for one, _ in self.calls)

    def cards(self) -> list[dict[str, Any]]:
        return self.workspace.top(CHANNEL)

    def texts(self) -> str:
        """All that stands in the channel, as one text."""
        return "\n".join(str(one) for one in self.workspace.posted())


@asynccontextmanager
async def mirrored(
    engine: PlayedEngine,
    slack: MemorySlack,
    *,
    shows: Shows | None = None,
    look: Look = LOOK,
    say: Callable[[str], None] = lambda _: None,
) -> AsyncIterator[Mirror]:
    """Run a mirror for as long as the block lasts."""
    mirror = Mirror(
        engine=engine,
        slack=slack,
        rules=shows or Shows(routes=(ROUTE,)),
        look=look,
        clock=slack.clock,
        say=say,
        cluster="lab",
    )
    task = asyncio.create_task(mirror.run())
    try:
        yield mirror
    finally:
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            pass
        except BaseExceptionGroup as group:
            if not group.subgroup(asyncio.CancelledError) and not group.subgroup(PetopsError):
                raise


def words(blocks: Any) -> str:
    """All text of blocks."""
    found: list[str] = []

    def walk(one: object) -> None:
        if isinstance(one, Mapping):
            text = one.get("text")
            if isinstance(text, str):
                found.append(text)
            for each in one.values():
                walk(each)
        elif isinstance(one, list | tuple):
            for each in one:
                walk(each)

    walk(list(blocks))
    return "\n".join(found)
