"""What an alarm leads to: an incident of its own, a place in one, or nothing, and why. Pure."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from petops.domain import events as ev
from petops.domain.alarm import Alarm, AlarmState, Assessment
from petops.domain.incident import Board, Incident
from petops.domain.phases import AT_REST, OVER, Phase
from petops.domain.subject import ClusterName
from petops.engine.record import Decision


def admit(
    alarm: Alarm,
    board: Board,
    *,
    connected: ClusterName,
    assess: Callable[[Alarm], Assessment],
    now: datetime,
    request: str = "",
) -> Decision:
    """Decide what `alarm` leads to on this board."""
    if not alarm.cluster.is_same_as(connected):
        because = f"it is an alarm of {alarm.cluster}; this engine is connected to {connected}"
        return _turned_away(alarm, because, now, request)
    known = _same_alarm(alarm, board)
    if known is not None:
        return _for_known(alarm, known, now, request)
    if alarm.state is not AlarmState.ALARM:
        return _turned_away(alarm, f"state {alarm.state}, and nothing is open for it", now, request)
    related = _same_subject(alarm, board)
    if related is not None:
        because = f"{related.id} is about {alarm.subject}"
        return _reopened_or_joined(alarm, related, because, now, request)
    opened = ev.IncidentOpened(at=now, request=request, alarm=alarm, assessment=assess(alarm))
    return Decision(incident=board.next_id, events=(opened,))


def _for_known(alarm: Alarm, known: Incident, now: datetime, request: str) -> Decision:
    if alarm.event_id in known.seen_events:
        return _joined(alarm, known, "this change of state was reported before", now, request)
    if alarm.started_at < known.alarm.started_at:
        return _joined(alarm, known, "it is older than what is known", now, request)
    if alarm.state is not AlarmState.ALARM:
        return _cleared(alarm, known, now, request)
    return _reopened_or_joined(alarm, known, "it fired again", now, request)


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


def _cleared(alarm: Alarm, known: Incident, now: datetime, request: str) -> Decision:
    joined = ev.AlarmJoined(
        at=now, request=request, alarm=alarm, because=f"its state is {alarm.state} now"
    )
    events: list[ev.Event] = [joined]
    nothing_done = known.phase in {Phase.UNEXPLAINED, Phase.HANDED_OVER}
    is_the_first = alarm.fingerprint == known.alarm.fingerprint
    if alarm.state is AlarmState.OK and nothing_done and is_the_first:
        events.append(ev.Resolved(at=now, because="the alarm cleared; petops had changed nothing"))
    return Decision(incident=known.id, events=events)


def _joined(
    alarm: Alarm, incident: Incident, because: str, now: datetime, request: str
) -> Decision:
    joined = ev.AlarmJoined(at=now, request=request, alarm=alarm, because=because)
    return Decision(incident=incident.id, events=(joined,))


def _turned_away(alarm: Alarm, because: str, now: datetime, request: str) -> Decision:
    event = ev.AlarmTurnedAway(at=now, request=request, alarm=alarm, because=because)
    return Decision(incident=ev.NO_INCIDENT, events=(event,))


def _same_alarm(alarm: Alarm, board: Board) -> Incident | None:
    """Return the latest incident of the same alarm."""
    same = [one for one in board.incidents.values() if alarm.fingerprint in one.fingerprints]
    return same[-1] if same else None


def _same_subject(alarm: Alarm, board: Board) -> Incident | None:
    """Return an incident that is not over and was raised by this object.

    Or found it as the cause.
    """
    if alarm.subject is None:
        return None
    for incident in board.incidents.values():
        cause = incident.diagnosis.cause if incident.diagnosis else None
        about = {incident.alarm.subject, cause.subject if cause else None}
        if incident.phase not in OVER and alarm.subject in about:
            return incident
    return None
