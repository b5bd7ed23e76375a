"""What is to be sent: what should stand in Slack, less what the journal says stands there. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Final

from petops.domain import events as ev
from petops.domain.incident import Board, Incident
from petops.domain.phases import OVER, Phase
from petops.slack.blocks import Message, card
from petops.slack.charts import has_chart
from petops.slack.look import NEEDS_PERSON, SURFACE, Look, number_told
from petops.slack.routing import Route, route_of
from petops.slack.storm import Storm, storm_message, storms
from petops.slack.text import section
from petops.slack.thread import note, told_until

CARD: Final = "card"
THREAD: Final = "thread"
CHART: Final = "chart"
STORM: Final = "storm"
CALL: Final = "call"
HORIZON: Final = timedelta(days=3)


class Rank(IntEnum):
    """What comes first where a channel takes one message a second."""

    NEW = 0
    CALL = 1
    CHANGED = 2
    THREAD = 3
    CHART = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """One message to be posted, or changed where `message` has its id.

    `shown` is the entry that it will show; `told` the one up to which the thread has told already.
    """

    rank: Rank
    route: Route
    incident: Incident
    part: str
    shown: int
    message: str = ""
    thread: str = ""
    told: int = 0
    storm: Storm | None = None

    @property
    def channel(self) -> str:
        """Where it goes: a card stays where it was posted, whatever the routes say by now."""
        card_at = self.incident.mirror(SURFACE, CARD)
        return card_at.channel if card_at and self.storm is None else self.route.channel

    @property
    def order(self) -> tuple[int, str, datetime, str]:
        """What puts the first to be sent first."""
        one = self.incident
        return (self.rank, str(one.assessment.priority), one.cycle_began_at, one.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What decides what is due."""

    routes: tuple[Route, ...]
    storm_incidents: int = 8
    storm_within: timedelta = timedelta(minutes=2)


def due(board: Board, rules: Rules, now: datetime) -> tuple[Due, ...]:
    """Return everything that is to be sent, the first first."""
    began = _began(board)
    placed = _placed(board, rules)
    found: list[Due] = []
    for route in rules.routes:
        here = [one for one, at in placed.values() if at is route]
        stormy: set[str] = set()
        for storm in storms(here, rules.storm_incidents, rules.storm_within):
            members = [one for one in storm.members if one.mirror(SURFACE, CARD) is None]
            stormy |= {one.id for one in members}
            found += _storm(storm, route, began, now)
        for one in here:
            if one.id not in stormy:
                found += _incident(one, route, began, now)
    return tuple(sorted(found, key=lambda one: one.order))


def _placed(board: Board, rules: Rules) -> Mapping[str, tuple[Incident, Route]]:
    found = {}
    for one in board.incidents.values():
        route = route_of(one, rules.routes)
        if route is not None:
            found[one.id] = (one, route)
    return found


def _began(board: Board) -> datetime | None:
    """Return when anything was first shown in Slack: what was over by then is not shown now."""
    times = (
        posted.at
        for one in board.incidents.values()
        for posted in one.mirrored
        if posted.surface == SURFACE
    )
    return min(times, default=None)


def _wanted(incident: Incident, began: datetime | None, now: datetime) -> bool:
    """Say whether an incident that was never shown is to be shown."""
    if incident.phase is Phase.JOINED or incident.cycle_began_at < now - HORIZON:
        return False
    return incident.phase not in OVER or (began is not None and incident.opened_at >= began)


def _incident(
    incident: Incident, route: Route, began: datetime | None, now: datetime
) -> Iterator[Due]:
    latest = number_told(incident)
    shown = incident.mirror(SURFACE, CARD)
    if shown is None:
        if _wanted(incident, began, now):
            yield Due(rank=Rank.NEW, route=route, incident=incident, part=CARD, shown=latest)
        return
    if _is_call_due(incident, route, shown, now):
        yield Due(
            rank=Rank.CALL,
            route=route,
            incident=incident,
            part=CALL,
            shown=latest,
            thread=shown.message,
        )
    if shown.shown < latest:
        yield Due(
            rank=Rank.CHANGED,
            route=route,
            incident=incident,
            part=CARD,
            shown=latest,
            message=shown.message,
        )
    yield from _thread(incident, route, shown.message)


def _thread(incident: Incident, route: Route, thread: str) -> Iterator[Due]:
    posted = incident.mirror(SURFACE, THREAD)
    told = posted.shown if posted else 0
    until = told_until(incident, told)
    if until > told:
        yield Due(
            rank=Rank.THREAD,
            route=route,
            incident=incident,
            part=THREAD,
            shown=until,
            thread=thread,
            told=told,
        )
    diagnosed = _diagnosed(incident)
    drawn = incident.mirror(SURFACE, CHART)
    if (drawn.shown if drawn else 0) < diagnosed and has_chart(incident):
        yield Due(
            rank=Rank.CHART,
            route=route,
            incident=incident,
            part=CHART,
            shown=diagnosed,
            thread=thread,
        )


def _diagnosed(incident: Incident) -> int:
    """Return the number of the latest diagnosis, 0 if there is none in this round."""
    if incident.diagnosis is None:
        return 0
    found = (one for one in reversed(incident.history) if isinstance(one.event, ev.Diagnosed))
    return next((one.number for one in found), 0)


def _is_call_due(incident: Incident, route: Route, card_at: ev.Mirrored, now: datetime) -> bool:
    """Say whether somebody is to be called now that nobody was called for in quiet hours."""
    return (
        incident.mirror(SURFACE, CALL) is None
        and incident.phase in NEEDS_PERSON
        and incident.acknowledged is None
        and bool(route.calls(incident, now))
        and first_posted(incident, card_at) is not None
        and route.is_quiet(incident, first_posted(incident, card_at) or now)
    )


def first_posted(incident: Incident, card_at: ev.Mirrored) -> datetime | None:
    """Return when the card was posted; what was recorded later are its changes."""
    posted = (
        one.event.at
        for one in incident.history
        if isinstance(one.event, ev.Mirrored)
        and (one.event.surface, one.event.part) == (SURFACE, CARD)
        and one.event.message == card_at.message
    )
    return next(posted, None)


def _storm(storm: Storm, route: Route, began: datetime | None, now: datetime) -> Iterator[Due]:
    anchor = storm.anchor
    posted = anchor.mirror(SURFACE, STORM)
    latest = max(_seq_told(one) for one in storm.members)
    if posted is None and not any(_wanted(one, began, now) for one in storm.members):
        return
    if posted is None or posted.shown < latest:
        yield Due(
            rank=Rank.NEW if posted is None else Rank.CHANGED,
            route=route,
            incident=anchor,
            part=STORM,
            shown=latest,
            message=posted.message if posted else "",
            storm=storm,
        )


def _seq_told(incident: Incident) -> int:
    for entry in reversed(incident.history):
        if not isinstance(entry.event, ev.Mirrored):
            return entry.seq
    return 0


def written(one: Due, look: Look, now: datetime) -> Message:
    """Return the message that a due one is: of everything that it may be, but a chart."""
    if one.storm is not None:
        mention = _storm_mention(one, now)
        return storm_message(one.storm, look, mention)
    if one.part == CALL:
        call = one.route.calls(one.incident, now)
        text = f"{call} `{one.incident.id}` still needs a person"
        return Message(text=text, blocks=(section(text),))
    if one.part == THREAD:
        return note(one.incident, one.told, one.shown, look, _reopened(one, now))
    return card(one.incident, look, now, _card_mention(one, now))


def _card_mention(one: Due, now: datetime) -> str:
    """Return the mention with which the card was posted: a change must not lose or add one."""
    card_at = one.incident.mirror(SURFACE, CARD)
    posted = first_posted(one.incident, card_at) if card_at else None
    return one.route.calls(one.incident, posted or now)


def _storm_mention(one: Due, now: datetime) -> str:
    if one.message or one.storm is None:
        return ""
    calls = (one.route.calls(each, now) for each in one.storm.members)
    return next((each for each in calls if each), "")


def _reopened(one: Due, now: datetime) -> str:
    """Return whom to call where an alarm came back: that is a new thing."""
    news = (each.event for each in one.incident.history if one.told < each.number <= one.shown)
    again = any(isinstance(each, ev.Reopened) for each in news)
    return one.route.calls(one.incident, now) if again else ""


def by_channel(found: Iterable[Due]) -> dict[str, list[Due]]:
    """Return what is due by channel, each in order."""
    channels: dict[str, list[Due]] = {}
    for one in found:
        channels.setdefault(one.channel, []).append(one)
    return channels
