"""What an alarm leads to: an incident of its own, a place in one, or nothing, and why. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from petops.domain import events as ev
from petops.domain.alarm import Alarm, AlarmState, Assessment
from petops.domain.assessment import reached
from petops.domain.incident import Board, Incident
from petops.domain.phases import AT_REST, OVER, Phase
from petops.domain.subject import ClusterName
from petops.domain.topology import Topology
from petops.engine.grouping import Grouping, belongs_to, roots
from petops.engine.record import Decision

NOTHING_LEFT = frozenset({Phase.UNEXPLAINED, Phase.HANDED_OVER})
"""Phases in which petops is done and has changed nothing: with its alarms the incident ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What intake knows besides the board."""

    connected: ClusterName
    assess: Callable[[Alarm], Assessment]
    topology: Topology = field(default_factory=Topology)
    grouping: Grouping = field(default_factory=Grouping)


def admit(alarm: Alarm, board: Board, desk: Desk, *, now: datetime, request: str = "") -> Decision:
    """Decide what `alarm` leads to on this board."""
    if not alarm.cluster.is_same_as(desk.connected):
        because = f"it is an alarm of {alarm.cluster}; this engine is connected to {desk.connected}"
        return _turned_away(alarm, because, now, request)
    known = same_alarm(alarm, board)
    if known is not None:
        decided = _for_known(alarm, known, board, desk, now=now, request=request)
        if decided is not None:
            return decided
    if alarm.state is not AlarmState.ALARM:
        return _turned_away(alarm, f"state {alarm.state}, and nothing is open for it", now, request)
    cleared = board.cleared.get(alarm.fingerprint)
    if cleared is not None and cleared >= alarm.started_at:
        because = f"it had cleared at {cleared:%H:%M:%S}Z already, which was told first"
        return _turned_away(alarm, because, now, request)
    return _placed(alarm, board, desk, now, request)


def _placed(alarm: Alarm, board: Board, desk: Desk, now: datetime, request: str) -> Decision:
    """Return the alarm's place in an incident that is open, else one of its own."""
    part = _part_of(alarm, board)
    if part is not None:
        because = f"it is made of {part[1].name}, which fires in {part[0].id}"
        return _joined(alarm, part[0], because, now, request)
    related = _same_subject(alarm, board, desk)
    if related is not None:
        because = f"{related.id} is about {alarm.subject}"
        return _reopened_or_joined(alarm, related, because, now, request)
    assessment = reached(desk.assess(alarm), alarm, desk.topology)
    origin = None
    if desk.grouping.enabled:
        others = board.latest_first
        found, tie = belongs_to(alarm, assessment.category, others, desk.topology, desk.grouping)
        if found is not None and tie is not None:
            return _joined(alarm, found, f"{tie.because}; {found.id} is about it", now, request)
        origin = tie.origin if tie is not None else None
        if tie is not None:
            assessment = reached(assessment, alarm, desk.topology, because=tie.because)
    opened = ev.IncidentOpened(
        at=now, request=request, alarm=alarm, assessment=assessment, origin=origin
    )
    return Decision(incident=board.next_id, events=(opened,))


def _for_known(  # noqa: PLR0911 (one case after the other)
    alarm: Alarm, known: Incident, board: Board, desk: Desk, *, now: datetime, request: str
) -> Decision | None:
    """Decide on one more change of a known alarm; None where it is a matter of its own again."""
    if alarm.event_id in known.seen_events:
        return _joined(alarm, known, "this change of state was reported before", now, request)
    last = known.alarms.get(alarm.fingerprint)
    if last is not None and alarm.started_at < last.started_at:
        return _joined(alarm, known, "it is older than what is known", now, request)
    if alarm.state is not AlarmState.ALARM:
        return _cleared(alarm, known, board, desk, now=now, request=request)
    if known.phase not in OVER and known.phase in AT_REST:
        times = changes(known, alarm.fingerprint, now, desk.grouping)
        if times >= desk.grouping.flaps_after:
            because = f"it flaps, {times} changes within {_span(desk)}: it is not asked about anew"
            return _joined(alarm, known, because, now, request)
        if not _is_about(alarm, known, desk):
            return _joined(alarm, known, "it fired again; its incident is open", now, request)
    if known.phase in OVER and not _is_about(alarm, known, desk):
        return None
    return _reopened_or_joined(alarm, known, "it fired again", now, request)


def changes(incident: Incident, fingerprint: str, now: datetime, grouping: Grouping) -> int:
    """Return how often an alarm has fired within the time in which that is flapping."""
    count = 0
    for entry in reversed(incident.history):
        if now - entry.event.at > grouping.flaps_within:
            break
        match entry.event:
            case ev.AlarmJoined(alarm=alarm) | ev.Reopened(alarm=alarm):
                fires = alarm.state is AlarmState.ALARM
                count += fires and alarm.fingerprint == fingerprint
            case _:
                pass
    return count


def flaps(incident: Incident, now: datetime, grouping: Grouping) -> bool:
    """Say whether any alarm of the incident comes and goes."""
    return any(
        changes(incident, one, now, grouping) >= grouping.flaps_after for one in incident.alarms
    )


def _span(desk: Desk) -> str:
    return f"{desk.grouping.flaps_within.total_seconds() / 60:g} minutes"


def _is_about(alarm: Alarm, incident: Incident, desk: Desk) -> bool:
    """Say whether the incident is about the alarm's own object, or was opened by this alarm."""
    if alarm.fingerprint == incident.alarm.fingerprint or alarm.subject is None:
        return True
    return desk.topology.workload(alarm.subject) in roots(incident, desk.topology)


def _reopened_or_joined(
    alarm: Alarm, known: Incident, because: str, now: datetime, request: str
) -> Decision:
    """Begin the incident anew where it had come to rest.

    Else the alarm is one more report of it.
    """
    if known.phase not in AT_REST:
        return _joined(alarm, known, f"{because}; its incident is open", now, request)
    because = f"{because}; the incident was {known.phase}"
    reopened = ev.Reopened(at=now, request=request, alarm=alarm, because=because)
    return Decision(incident=known.id, events=(reopened,))


def _cleared(
    alarm: Alarm, known: Incident, board: Board, desk: Desk, *, now: datetime, request: str
) -> Decision:
    because = f"its state is {alarm.state} now"
    joined = ev.AlarmJoined(at=now, request=request, alarm=alarm, because=because)
    events: list[ev.Event] = [joined]
    if known.phase in NOTHING_LEFT and _all_clear(alarm, known, board):
        if flaps(known, now, desk.grouping):
            quiet = desk.grouping.quiet.total_seconds() / 60
            because += f"; it flaps, so that its incident stays open for {quiet:g} quiet minutes"
            events[0] = ev.AlarmJoined(at=now, request=request, alarm=alarm, because=because)
        else:
            events.append(ev.Resolved(at=now, because=CLEARED))
    return Decision(incident=known.id, events=events)


CLEARED = "the alarm cleared; petops had changed nothing"


def _all_clear(alarm: Alarm, known: Incident, board: Board) -> bool:
    """Say whether with this change nothing of the incident goes on."""
    if alarm.state is not AlarmState.OK:
        return False
    others = [one for key, one in known.alarms.items() if key != alarm.fingerprint]
    return all(one.state is AlarmState.OK for one in others) and not _merged_goes_on(
        known, board, but=alarm.fingerprint
    )


def has_cleared(incident: Incident, board: Board) -> bool:
    """Say whether nothing of an incident goes on, nor of those that were merged into it."""
    return incident.has_cleared and not _merged_goes_on(incident, board)


def _merged_goes_on(incident: Incident, board: Board, but: str = "") -> bool:
    return any(
        alarm.state is not AlarmState.OK
        for one in board.incidents.values()
        if one.merged_into == incident.id
        for key, alarm in one.alarms.items()
        if key != but and key not in incident.alarms
    )


def _joined(
    alarm: Alarm, incident: Incident, because: str, now: datetime, request: str
) -> Decision:
    joined = ev.AlarmJoined(at=now, request=request, alarm=alarm, because=because)
    return Decision(incident=incident.id, events=(joined,))


def _turned_away(alarm: Alarm, because: str, now: datetime, request: str) -> Decision:
    event = ev.AlarmTurnedAway(at=now, request=request, alarm=alarm, because=because)
    return Decision(incident=ev.NO_INCIDENT, events=(event,))


def same_alarm(alarm: Alarm, board: Board) -> Incident | None:
    """Return the latest incident of the same alarm, or the one in which that goes on."""
    merged = None
    for one in board.latest_first:
        if alarm.fingerprint in one.alarms:
            if not one.merged_into:
                return one
            merged = merged or goes_on_in(one, board)
    return merged


def goes_on_in(incident: Incident, board: Board) -> Incident:
    """Return the incident at the end of all mergers."""
    seen = {incident.id}
    while incident.merged_into and incident.merged_into not in seen:
        following = board.incidents.get(incident.merged_into)
        if following is None:
            break
        incident = following
        seen.add(incident.id)
    return incident


def _part_of(alarm: Alarm, board: Board) -> tuple[Incident, Alarm] | None:
    """Return the latest open incident with an alarm that a composite one is made of, and fires."""
    wanted = set(alarm.made_of)
    for incident in board.latest_first if wanted else ():
        for one in incident.alarms.values() if incident.phase not in OVER else ():
            fires = one.state is AlarmState.ALARM and one.source is alarm.source
            if fires and (one.name in wanted or one.fingerprint in wanted):
                return incident, one
    return None


def _same_subject(alarm: Alarm, board: Board, desk: Desk) -> Incident | None:
    """Return an incident that is not over and was raised by this object.

    Or found it as the cause.
    """
    if alarm.subject is None:
        return None
    subject = desk.topology.workload(alarm.subject)
    for incident in board.incidents.values():
        if incident.phase in OVER or incident.alarm.is_forecast != alarm.is_forecast:
            continue
        if subject in roots(incident, desk.topology):
            return incident
    return None
