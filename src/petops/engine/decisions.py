"""Which requests of people are accepted on this board, and why not. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from petops.domain import events as ev
from petops.domain.change import Advice, Proposal, is_stepwise
from petops.domain.incident import Board, Incident
from petops.domain.phases import NEXT, Phase
from petops.domain.policy import Identity, Mode, Rules, approvers_needed, may_approve
from petops.domain.requests import (
    Acknowledge,
    ApproveRemedy,
    BreakGlass,
    CloseIncident,
    CorrectCause,
    RecordMirrored,
    RejectRemedy,
    Snooze,
    StopAct,
)
from petops.engine.record import Decision

SHORTEST_PREFIX: Final = 8
Approval = ApproveRemedy | BreakGlass


@dataclass(frozen=True, slots=True, kw_only=True)
class Objections:
    """What the guards object to an approval, empty where nothing.

    `voids` says whether the offer itself is no longer right; else only this approval is refused,
    and the offer stands for somebody else, or for later.
    """

    why: str = ""
    voids: bool = True


OnDigest = ApproveRemedy | BreakGlass | RejectRemedy
Undigested = StopAct | Acknowledge | Snooze | CloseIncident | CorrectCause | RecordMirrored
PersonsRequest = OnDigest | Undigested

MIRROR: Final = "mirror"
"""The channel of petops' own surfaces that say what they have posted; nobody else has it."""


def decide(
    request: PersonsRequest,
    board: Board,
    by: Identity,
    now: datetime,
    *,
    rules: Rules,
    objections: Objections | None = None,
) -> Decision:
    """Return the entries that answer the request; a refusal is one too.

    `objections` is what the guards said of an approval just before; None is that none were asked.
    """
    incident = board.incidents.get(request.incident)
    if incident is None:
        refused = _refused(request, by, now, f"there is no incident {request.incident[:40]}")
        return Decision(incident=ev.NO_INCIDENT, events=(refused,))
    why = refusal(request, incident, by, now, rules=rules)
    if why:
        return Decision(incident=incident.id, events=(_refused(request, by, now, why),))
    if isinstance(request, Approval):
        if objections is None:
            why = "it came on offer just now: read it, and decide again"
            return Decision(incident=incident.id, events=(_refused(request, by, now, why),))
        if objections.why:
            return _voided(request, incident, by, now, objections)
    return Decision(incident=incident.id, events=_accepted(request, incident, by, now))


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


def lapsed(incident: Incident, at_most: int, now: datetime) -> ev.Event:
    """Offer anew what nobody decided on, some times; then leave it to a person."""
    if incident.lapses + 1 < at_most:
        return ev.ProposalsLapsed(at=now, because="nobody decided before it expired")
    because = f"nobody decided, {at_most} times in a row"
    return ev.NothingToPropose(at=now, because=because)


def _why_not_on_offer(incident: Incident, wanted: str) -> str:
    decided = incident.takes_back or incident.approved
    if decided is not None:
        by = decided.by
        return f"{by.user} decided already, by {by.channel}, at {decided.at:%H:%M:%S}Z"
    if any(one.removeprefix("sha256:").startswith(wanted) for one in incident.rejected):
        return "this change was rejected"
    if incident.phase is not Phase.WAITING:
        return f"nothing is on offer while the incident is {incident.phase}"
    return f"no change with digest {wanted[:16]} is on offer; read the incident again"


def refusal(  # noqa: PLR0911 - one flat table of cases
    request: PersonsRequest, incident: Incident, by: Identity, now: datetime, *, rules: Rules
) -> str:
    """Say why the request is not accepted now; empty where it is."""
    if not by.is_known:
        return "nobody stands behind this request: who decides must be known"
    match request:
        case ApproveRemedy() | BreakGlass() | RejectRemedy():
            return _objection_to_decision(request, incident, by, now, rules)
        case CloseIncident() if (incident.phase, ev.Closed) not in NEXT:
            return f"it cannot be closed while it is {incident.phase}"
        case CorrectCause():
            return _objection_to_correction(request, incident)
        case StopAct():
            return _objection_to_stop(incident)
        case RecordMirrored() if by.channel != MIRROR:
            return "only petops' own mirrors say what they have posted"
        case _:
            return ""


def _objection_to_stop(incident: Incident) -> str:
    intent = incident.intent
    if incident.phase is not Phase.REPAIRING or intent is None:
        return f"nothing is being done while the incident is {incident.phase}"
    if not is_stepwise(intent.change):
        return "it is one single write: there is nothing to stop"
    if incident.stop is not None:
        return f"{incident.stop.by.user} stopped it already"
    return ""


def _objection_to_correction(request: CorrectCause, incident: Incident) -> str:
    """A correction needs a verdict to correct; without one it says what petops did not find."""
    if incident.phase in {Phase.OPEN, Phase.INVESTIGATING}:
        return "it is being investigated: wait for the verdict"
    found = incident.diagnosis.cause if incident.diagnosis else None
    is_same = found is not None and found.mode == request.mode
    if is_same and request.subject in {None, found.subject if found else None}:
        return f"{request.mode} is what petops found"
    return ""


def _objection_to_decision(
    request: OnDigest, incident: Incident, by: Identity, now: datetime, rules: Rules
) -> str:
    found = on_offer(incident, request.digest)
    if isinstance(found, str):
        return found
    if isinstance(request, RejectRemedy):
        return ""
    return _objection_to_offer(found, incident, now, rules) or _objection_to_person(
        request, incident, found, by, rules
    )


def _objection_to_offer(found: Proposal, incident: Incident, now: datetime, rules: Rules) -> str:
    if isinstance(found.change, Advice):
        return "this is advice: there is nothing that petops could do"
    if now >= found.expires_at:
        return f"it expired at {found.expires_at:%H:%M:%S}Z; read the new proposal"
    if incident.unreadable:
        return "the incident has entries of a newer petops: this version must not act on it"
    if rules.mode is Mode.OBSERVE:
        return "petops only observes (settings: repair.mode)"
    return ""


def _objection_to_person(
    request: Approval, incident: Incident, found: Proposal, by: Identity, rules: Rules
) -> str:
    """Say why this person may not decide alone, or not at all."""
    denied = may_approve(
        by,
        rules,
        remedy=found.remedy,
        risk=str(found.risk),
        namespace=found.change.subject.namespace,
    )
    if denied is not None:
        return str(denied)
    if isinstance(request, BreakGlass):
        if approvers_needed(found.risk) == 1:
            return "one approval is enough for it: no glass has to be broken"
        return (
            "" if rules.break_glass else "breaking glass is not allowed here: ask a second person"
        )
    given = [one for one in incident.approvals if one.digest == found.digest]
    if any(_is_same(one.by, by, rules) for one in given):
        return f"{by.user} approved it already: a second, different person has to"
    return ""


def _is_same(one: Identity, other: Identity, rules: Rules) -> bool:
    """Say whether two identities may be one person: of one name, or of one account.

    Whoever holds the engine's socket holds its token as well: that is one account.
    """
    return one.user == other.user or rules.account_of(one) == rules.account_of(other)


def _accepted(
    request: PersonsRequest, incident: Incident, by: Identity, now: datetime
) -> tuple[ev.Event, ...]:
    if isinstance(request, Approval):
        return _approved(request, incident, by, now)
    return (_done(request, incident, by, now),)


def _done(  # noqa: PLR0911 - one flat table of cases
    request: RejectRemedy | Undigested,
    incident: Incident,
    by: Identity,
    now: datetime,
) -> ev.Event:
    asked = request.id
    match request:
        case RejectRemedy(because=because):
            digest = _full(incident, request.digest)
            return ev.RemedyRejected(at=now, request=asked, by=by, digest=digest, because=because)
        case StopAct(because=because):
            return ev.StopRequested(at=now, request=asked, by=by, because=because)
        case Acknowledge():
            return ev.Acknowledged(at=now, request=asked, by=by)
        case Snooze(until=until):
            return ev.Snoozed(at=now, request=asked, by=by, until=until)
        case CorrectCause(mode=mode, subject=subject, because=because):
            return ev.CauseCorrected(
                at=now, request=asked, by=by, mode=mode, subject=subject, because=because
            )
        case CloseIncident(because=because):
            return ev.Closed(at=now, request=asked, by=by, because=because)
        case RecordMirrored():
            return _mirrored(request, now)


def _mirrored(request: RecordMirrored, now: datetime) -> ev.Event:
    return ev.Mirrored(
        at=now,
        request=request.id,
        surface=request.surface,
        part=request.part,
        channel=request.channel,
        message=request.message,
        shown=request.shown,
    )


def _approved(
    request: Approval, incident: Incident, by: Identity, now: datetime
) -> tuple[ev.Event, ...]:
    """Return the approval; that of the first of two people waits for the other one's."""
    found = on_offer(incident, request.digest)
    if isinstance(found, str):
        return (_refused(request, by, now, found),)
    approved = ev.RemedyApproved(at=now, request=request.id, by=by, digest=found.digest)
    if isinstance(request, BreakGlass):
        used = ev.BreakGlassUsed(
            at=now, request=request.id, by=by, digest=found.digest, because=request.because
        )
        return (approved, used)
    given = sum(one.digest == found.digest for one in incident.approvals)
    if given + 1 < approvers_needed(found.risk):
        return (ev.ApprovalGiven(at=now, request=request.id, by=by, digest=found.digest),)
    return (approved,)


def _voided(
    request: Approval, incident: Incident, by: Identity, now: datetime, objections: Objections
) -> Decision:
    """Refuse an approval that the guards object to; what is no longer right is planned anew."""
    refused = _refused(request, by, now, objections.why)
    if incident.phase is not Phase.WAITING or not objections.voids:
        return Decision(incident=incident.id, events=(refused,))
    lapse = ev.ProposalsLapsed(at=now, because=objections.why)
    return Decision(incident=incident.id, events=(refused, lapse))


def _full(incident: Incident, digest: str) -> str:
    found = on_offer(incident, digest)
    return digest if isinstance(found, str) else found.digest


def _refused(request: PersonsRequest, by: Identity, now: datetime, why: str) -> ev.Event:
    if isinstance(request, OnDigest):
        return ev.ApprovalRefused(
            at=now, request=request.id, by=by, digest=request.digest[:80], why=why
        )
    asked = type(request).__name__
    return ev.RequestRefused(at=now, request=request.id, by=by, asked=asked, why=why)
