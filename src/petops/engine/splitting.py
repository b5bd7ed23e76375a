"""Undoing a grouping by hand: what a person splits off stays apart. Pure."""

from __future__ import annotations

from datetime import datetime

from petops.domain import events as ev
from petops.domain.alarm import Alarm
from petops.domain.incident import Board, Incident
from petops.domain.policy import Identity
from petops.domain.requests import SplitOff
from petops.engine.intake import goes_on_in
from petops.engine.record import Decision


def split(request: SplitOff, board: Board, by: Identity, now: datetime) -> Decision:
    """Return the incident that the alarm or the joined incident gets, or a refusal."""
    incident = board.incidents.get(request.incident)
    if incident is None:
        why = f"there is no incident {request.incident[:40]}"
        return _refused(request, by, now, why, ev.NO_INCIDENT)
    if not by.is_known:
        why = "nobody stands behind this request: who decides must be known"
        return _refused(request, by, now, why, incident.id)
    joined = board.incidents.get(request.part)
    if joined is not None:
        if not joined.merged_into or goes_on_in(joined, board).id != incident.id:
            why = f"{joined.id} does not go on in {incident.id}"
            return _refused(request, by, now, why, incident.id)
        apart = ev.SplitApart(at=now, request=request.id, by=by, apart=incident.id)
        return Decision(incident=joined.id, events=(apart,))
    alarm = _alarm(request.part, incident)
    if isinstance(alarm, str):
        return _refused(request, by, now, alarm, incident.id)
    opened = ev.IncidentOpened(
        at=now,
        request=request.id,
        alarm=alarm,
        assessment=incident.assessment,
        apart=incident.id,
    )
    return Decision(incident=board.next_id, events=(opened,))


def taken_out(opened: ev.Entry, by: Identity, now: datetime) -> Decision | None:
    """Return what the incident that an alarm was split off journals about it."""
    event = opened.event
    if not isinstance(event, ev.IncidentOpened) or not event.apart:
        return None
    out = ev.AlarmSplitOff(at=now, by=by, fingerprint=event.alarm.fingerprint, to=opened.incident)
    return Decision(incident=event.apart, events=(out,))


def _alarm(wanted: str, incident: Incident) -> Alarm | str:
    """Return the one alarm of this fingerprint or name, else why there is none."""
    if wanted in incident.alarms:
        found = [incident.alarms[wanted]]
    else:
        found = [one for one in incident.alarms.values() if one.name == wanted]
    if not found:
        return f"{incident.id} has no alarm {wanted[:80]}; its alarms: {_names(incident)}"
    if len(found) > 1:
        many = ", ".join(one.fingerprint for one in found)[:300]
        return f"{len(found)} alarms have this name: give a fingerprint of {many}"
    if found[0].fingerprint == incident.alarm.fingerprint:
        return f"{wanted[:80]} opened {incident.id}: split the others off instead"
    return found[0]


def _names(incident: Incident) -> str:
    names = sorted({one.name for one in incident.alarms.values()})
    return ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")


def _refused(request: SplitOff, by: Identity, now: datetime, why: str, place: str) -> Decision:
    refused = ev.RequestRefused(at=now, request=request.id, by=by, asked="SplitOff", why=why)
    return Decision(incident=place, events=(refused,))
