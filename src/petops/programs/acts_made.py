"""Which acts an incident has seen, in all its rounds: who approved each, and how it ended. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from petops.domain import events as ev
from petops.domain.change import Proposal, inverse
from petops.domain.incident import Incident
from petops.domain.policy import Identity

_ENDS = (ev.RemedyApplied, ev.TakenBack, ev.ActFailed)


@dataclass(frozen=True, slots=True, kw_only=True)
class ActMade:
    """One act, told for people. It ends when it is made; its outcome may show long after."""

    summary: str
    act: str
    digest: str
    began_at: datetime
    approvers: tuple[str, ...]
    risk: str = ""
    broke_glass: str = ""
    outcome: str = "under way"
    ended_at: datetime | None = None
    diff: tuple[str, ...] = ()
    inverse: str = ""


def acts_made(incident: Incident) -> tuple[ActMade, ...]:
    """Return the acts of an incident, the first one first."""
    acts: list[ActMade] = []
    offers: dict[str, Proposal] = {}
    approvals: dict[str, tuple[str, ...]] = {}
    reasons: dict[str, str] = {}
    for entry in incident.history:
        event = entry.event
        match event:
            case ev.RemediesProposed(proposals=proposals) | ev.InverseOffered(proposals=proposals):
                offers |= {one.digest: one for one in proposals}
                approvals = {}
            case ev.ApprovalGiven(digest=digest, by=by) | ev.RemedyApproved(digest=digest, by=by):
                approvals[digest] = (*approvals.get(digest, ()), _name(by))
            case ev.BreakGlassUsed(digest=digest, because=because):
                reasons[digest] = because
            case ev.ActIntended():
                who = approvals.get(event.digest, ())
                acts.append(_begun(event, offers.get(event.digest), who, reasons))
            case _ if acts and (outcome := _outcome(event)):
                ended = event.at if isinstance(event, _ENDS) else acts[-1].ended_at
                acts[-1] = replace(acts[-1], outcome=outcome, ended_at=ended)
    return tuple(acts)


def _begun(
    event: ev.ActIntended,
    offer: Proposal | None,
    approvers: tuple[str, ...],
    reasons: dict[str, str],
) -> ActMade:
    back = inverse(event.change)
    return ActMade(
        summary=event.change.summary,
        act=event.act,
        digest=event.digest,
        began_at=event.at,
        approvers=approvers,
        risk=str(offer.risk) if offer else "",
        broke_glass=reasons.get(event.digest, ""),
        diff=offer.dry_run.diff if offer else (),
        inverse=back.summary if back else "",
    )


def _outcome(event: ev.Event) -> str:  # noqa: PLR0911 - one flat table of cases
    match event:
        case ev.RemedyApplied(settled=settled):
            return "applied, found by looking at the object" if settled else "applied"
        case ev.TakenBack():
            return "applied: the change before it is taken back"
        case ev.ActFailed(why=why, changed=changed):
            return f"{'half way' if changed else 'not made'}: {why}"
        case ev.Recovered():
            return "applied, and the symptom went"
        case ev.RemedyVerified():
            return "applied, and the cause is gone"
        case ev.Mitigated():
            return "applied; the symptom went, the cause goes on"
        case ev.RemedyFailed(because=because):
            return f"applied, and did not help: {because}"
        case _:
            return ""


def _name(by: Identity) -> str:
    return f"{by.user} ({by.channel})"
