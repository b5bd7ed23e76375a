"""What each event changes of its incident, and what begins anew when it is looked at once more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from petops.domain import events as ev
from petops.domain.alarm import Alarm
from petops.domain.phases import Phase

if TYPE_CHECKING:
    from petops.domain.incident import Incident


def changes(now: Incident, event: ev.Event) -> dict[str, Any]:  # noqa: C901, PLR0911, PLR0912
    """Return the fields that `event` changes, phase and history apart. One flat table of cases."""
    match event:
        case ev.AlarmJoined(alarm=alarm):
            return {
                "joined": now.joined + 1,
                "alarm_state": alarm.state
                if alarm.fingerprint == now.alarm.fingerprint
                else now.alarm_state,
                "alarms": _latest(now, alarm),
                "seen_events": now.seen_events | {alarm.event_id},
            }
        case ev.AlarmSplitOff(fingerprint=fingerprint):
            return {
                "alarms": {key: one for key, one in now.alarms.items() if key != fingerprint},
            }
        case ev.IncidentMerged(into=into, because=because):
            return {"merged_into": into, "ended_because": because}
        case ev.SplitApart(apart=apart):
            return new_round() | {"merged_into": "", "apart_from": now.apart_from | {apart}}
        case ev.AskedAgain():
            return new_round() | {"asked_again": now.asked_again + 1}
        case ev.Reopened(alarm=alarm):
            return new_round() | {
                "asked_again": 0,
                "alarm": alarm,
                "alarm_state": alarm.state,
                "alarms": _latest(now, alarm),
                "cycle_began_at": event.at,
                "seen_events": now.seen_events | {alarm.event_id},
            }
        case ev.InvestigationStarted():
            started = {"window": event.window, "asked": event.steps, "widened": ()}
            return started | {"answers": (), "unknowns": ()}
        case ev.InvestigationWidened():
            return {"widened": (*now.widened, event), "asked": (*now.asked, *event.steps)}
        case ev.StepAnswered(answer=answer):
            return {"answers": (*now.answers, answer)}
        case ev.StepUnanswered(unknown=unknown):
            return {"unknowns": (*now.unknowns, unknown)}
        case ev.Diagnosed():
            return {"diagnosis": event.diagnosis, "diagnosed_at": event.at}
        case ev.RunbookFound(runbook=runbook):
            return {"runbooks": (*now.runbooks, runbook)}
        case ev.RemediesProposed():
            first = now.proposed_at or event.at
            return {
                "proposals": event.proposals,
                "withheld": event.withheld,
                "proposed_at": first,
                "rejected": (),
                "approvals": (),
            }
        case ev.NothingToPropose():
            return {
                "proposals": event.proposals or now.proposals,
                "withheld": event.withheld or now.withheld,
                "ended_because": event.because,
            }
        case ev.ProposalsLapsed():
            return {"lapses": now.lapses + 1, "approvals": ()}
        case ev.ApprovalVoided():
            return {"lapses": now.lapses + 1, "approvals": (), "approved": None}
        case ev.ApprovalGiven():
            return {"approvals": (*now.approvals, event)}
        case ev.RemedyRejected():
            return {"rejected": (*now.rejected, event.digest)}
        case ev.RemedyApproved() if now.phase is Phase.FAILED:
            return {"takes_back": event, "intent": None, "progress": (), "stop": None}
        case ev.RemedyApproved():
            return {"approved": event}
        case ev.BreakGlassUsed():
            return {"broke_glass": event}
        case ev.ActIntended():
            return {"intent": event, "intents": (*now.intents, event)}
        case ev.ActProgressed():
            return {"progress": (*now.progress, *event.done)}
        case ev.StopRequested():
            return {"stop": event}
        case ev.InverseOffered():
            return {"inverse_offer": event.proposals, "rejected": (), "approvals": ()}
        case ev.TakenBack():
            return {"taken_back": event, "inverse_offer": ()}
        case ev.RemedyApplied():
            return {"applied": event}
        case ev.Recovered():
            return {"recovered": event}
        case ev.RelapseWatchStarted():
            return {"watch": event}
        case ev.Mitigated() | ev.RemedyVerified() | ev.RemedyFailed() | ev.ActFailed():
            return {"outcome": event}
        case ev.Resolved() | ev.Closed() | ev.NoCauseFound():
            return {"ended_because": event.because}
        case ev.Acknowledged():
            return {"acknowledged": event}
        case ev.Snoozed():
            return {"snoozed_until": event.until}
        case ev.CauseCorrected():
            return {"corrected": event}
        case ev.Mirrored(surface=surface, part=part):
            here = now.mirror(surface, part)
            return {"mirrored": (*(one for one in now.mirrored if one is not here), event)}
        case ev.Unreadable():
            return {"unreadable": now.unreadable + 1}
        case _:
            return {}


def _latest(now: Incident, alarm: Alarm) -> Mapping[str, Alarm]:
    """Return each alarm as it was last; a message that was long on its way changes nothing."""
    known = now.alarms.get(alarm.fingerprint)
    if known is not None and alarm.started_at < known.started_at:
        return now.alarms
    return {**now.alarms, alarm.fingerprint: alarm}


def new_round() -> dict[str, Any]:
    """Return the fields of an investigation and repair that begin again."""
    return {
        "window": None,
        "asked": (),
        "widened": (),
        "answers": (),
        "unknowns": (),
        "diagnosis": None,
        "diagnosed_at": None,
        "runbooks": (),
        "proposals": (),
        "withheld": (),
        "proposed_at": None,
        "rejected": (),
        "lapses": 0,
        "approvals": (),
        "approved": None,
        "broke_glass": None,
        "intent": None,
        "progress": (),
        "stop": None,
        "applied": None,
        "recovered": None,
        "watch": None,
        "outcome": None,
        "inverse_offer": (),
        "takes_back": None,
        "taken_back": None,
        "ended_because": "",
    }
