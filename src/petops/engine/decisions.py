"""Which requests of people are accepted on this board, and why not. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from petops.domain import events as ev
from petops.domain.change import Advice, Proposal
from petops.domain.incident import Board, Incident
from petops.domain.phases import NEXT, Phase
from petops.domain.policy import Identity
from petops.domain.requests import (
    Acknowledge,
    ApproveRemedy,
    CloseIncident,
    RejectRemedy,
    Snooze,
)
from petops.engine.record import Decision

SHORTEST_PREFIX: Final = 8
PersonsRequest = ApproveRemedy | RejectRemedy | Acknowledge | Snooze | CloseIncident


def decide(request: PersonsRequest, board: Board, by: Identity, now: datetime) -> Decision:
    """Return the entry that answers the request; a refusal is one too."""
    incident = board.incidents.get(request.incident)
    if incident is None:
        refused = _refused(request, by, now, f"there is no incident {request.incident[:40]}")
        return Decision(incident=ev.NO_INCIDENT, events=(refused,))
    why = _objection(request, incident, by, now)
    event = _refused(request, by, now, why) if why else _accepted(request, incident, by, now)
    return Decision(incident=incident.id, events=(event,))


def refusal(request: PersonsRequest, incident: Incident, by: Identity, now: datetime) -> str:
    """Say why the request is not accepted now; empty where it is."""
    return _objection(request, incident, by, now)


def on_offer(incident: Incident, digest: str) -> Proposal | str:
    """Return the change that `digest`, or a prefix of it, stands for; else why there is none."""
    wanted = digest.removeprefix("sha256:").lower()
    if len(wanted) < SHORTEST_PREFIX:
        return f"a digest may be shortened to {SHORTEST_PREFIX} characters, not to {len(wanted)}"
    found = [
        one for one in incident.on_offer if one.digest.removeprefix("sha256:").startswith(wanted)
    ]
    if len(found) > 1:
        return f"{wanted} stands for {len(found)} changes: give more of the digest"
    if not found:
        return _why_not_on_offer(incident, wanted)
    return found[0]


def _why_not_on_offer(incident: Incident, wanted: str) -> str:
    if incident.approved is not None:
        by = incident.approved.by
        return f"{by.user} decided already, by {by.channel}, at {incident.approved.at:%H:%M:%S}Z"
    if any(one.removeprefix("sha256:").startswith(wanted) for one in incident.rejected):
        return "this change was rejected"
    if incident.phase is not Phase.WAITING:
        return f"nothing is on offer while the incident is {incident.phase}"
    return f"no change with digest {wanted[:16]} is on offer; read the incident again"


def _objection(request: PersonsRequest, incident: Incident, by: Identity, now: datetime) -> str:
    if not by.is_known:
        return "nobody stands behind this request: who decides must be known"
    match request:
        case ApproveRemedy(digest=digest) | RejectRemedy(digest=digest):
            return _objection_to_decision(request, incident, digest, now)
        case CloseIncident() if (incident.phase, ev.Closed) not in NEXT:
            return f"it cannot be closed while it is {incident.phase}"
        case _:
            return ""


def _objection_to_decision(
    request: ApproveRemedy | RejectRemedy, incident: Incident, digest: str, now: datetime
) -> str:
    found = on_offer(incident, digest)
    if isinstance(found, str):
        return found
    if isinstance(request, RejectRemedy):
        return ""
    if isinstance(found.change, Advice):
        return "this is advice: there is nothing that petops could do"
    if now >= found.expires_at:
        return f"it expired at {found.expires_at:%H:%M:%S}Z; read the new proposal"
    if incident.unreadable:
        return "the incident has entries of a newer petops: this version must not act on it"
    return ""


def _accepted(request: PersonsRequest, incident: Incident, by: Identity, now: datetime) -> ev.Event:
    match request:
        case ApproveRemedy():
            digest = _full(incident, request.digest)
            return ev.RemedyApproved(at=now, request=request.id, by=by, digest=digest)
        case RejectRemedy():
            digest = _full(incident, request.digest)
            return ev.RemedyRejected(
                at=now, request=request.id, by=by, digest=digest, because=request.because
            )
        case Acknowledge():
            return ev.Acknowledged(at=now, request=request.id, by=by)
        case Snooze():
            return ev.Snoozed(at=now, request=request.id, by=by, until=request.until)
        case CloseIncident():
            return ev.Closed(at=now, request=request.id, by=by, because=request.because)


def _full(incident: Incident, digest: str) -> str:
    found = on_offer(incident, digest)
    return digest if isinstance(found, str) else found.digest


def _refused(request: PersonsRequest, by: Identity, now: datetime, why: str) -> ev.Event:
    if isinstance(request, ApproveRemedy | RejectRemedy):
        return ev.ApprovalRefused(
            at=now, request=request.id, by=by, digest=request.digest[:80], why=why
        )
    asked = type(request).__name__
    return ev.RequestRefused(at=now, request=request.id, by=by, asked=asked, why=why)
