"""An incident is the fold of its events; the board is the fold of all entries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from petops.domain import events as ev
from petops.domain.alarm import Alarm, AlarmState, Assessment
from petops.domain.change import Proposal
from petops.domain.diagnosis import Diagnosis
from petops.domain.evidence import Answer, Unknown, Window
from petops.domain.phases import ANYWHERE, NEXT, Phase
from petops.domain.runbook import Runbook
from petops.errors import IllegalEventError


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """What is known of one incident after its latest event."""

    id: str
    phase: Phase
    number: int = 0
    opened_at: datetime
    alarm: Alarm
    assessment: Assessment
    alarm_state: AlarmState = AlarmState.ALARM
    joined: int = 0
    seen_events: frozenset[str] = frozenset()
    fingerprints: frozenset[str] = frozenset()
    cycle_began_at: datetime
    window: Window | None = None
    asked: tuple[tuple[str, str], ...] = ()
    answers: tuple[Answer, ...] = ()
    unknowns: tuple[Unknown, ...] = ()
    diagnosis: Diagnosis | None = None
    diagnosed_at: datetime | None = None
    runbooks: tuple[Runbook, ...] = ()
    proposals: tuple[Proposal, ...] = ()
    withheld: tuple[tuple[str, str], ...] = ()
    asked_again: int = 0
    proposed_at: datetime | None = None
    rejected: tuple[str, ...] = ()
    lapses: int = 0
    approvals: tuple[ev.ApprovalGiven, ...] = ()
    approved: ev.RemedyApproved | None = None
    broke_glass: ev.BreakGlassUsed | None = None
    intent: ev.ActIntended | None = None
    intents: tuple[ev.ActIntended, ...] = ()
    progress: tuple[str, ...] = ()
    stop: ev.StopRequested | None = None
    applied: ev.RemedyApplied | None = None
    recovered: ev.Recovered | None = None
    watch: ev.RelapseWatchStarted | None = None
    outcome: ev.Mitigated | ev.RemedyVerified | ev.RemedyFailed | ev.ActFailed | None = None
    inverse_offer: tuple[Proposal, ...] = ()
    takes_back: ev.RemedyApproved | None = None
    taken_back: ev.TakenBack | None = None
    ended_because: str = ""
    acknowledged: ev.Acknowledged | None = None
    snoozed_until: datetime | None = None
    corrected: ev.CauseCorrected | None = None
    mirrored: tuple[ev.Mirrored, ...] = ()
    unreadable: int = 0
    history: tuple[ev.Entry, ...] = ()

    @property
    def on_offer(self) -> tuple[Proposal, ...]:
        """The changes that may still be decided on: after a failure, what takes it back."""
        offers = {Phase.WAITING: self.proposals, Phase.FAILED: self.inverse_offer}
        return tuple(one for one in offers.get(self.phase, ()) if one.digest not in self.rejected)

    @property
    def chosen(self) -> Proposal | None:
        """The change that was approved last in this round."""
        approved = self.takes_back or self.approved
        if approved is None:
            return None
        known = (*self.proposals, *self.inverse_offer)
        return next((one for one in known if one.digest == approved.digest), None)

    def mirror(self, surface: str, part: str) -> ev.Mirrored | None:
        """Return where a surface shows a part of the incident, if it does."""
        found = (one for one in self.mirrored if (one.surface, one.part) == (surface, part))
        return next(found, None)

    def after(self, entry: ev.Entry) -> Incident:
        """Return the incident once `entry` has happened; refuse what may not happen now."""
        kind = type(entry.event)
        if kind not in ANYWHERE and (self.phase, kind) not in NEXT:
            raise IllegalEventError(f"{kind.__name__} while {self.phase}, incident {self.id}")
        if kind is ev.ApprovalVoided and self.intent is not None:
            raise IllegalEventError(f"{kind.__name__} after the act was begun, incident {self.id}")
        return self.folded(entry)

    def folded(self, entry: ev.Entry) -> Incident:
        """Fold an entry that stands in the journal, whatever rule holds today."""
        event = entry.event
        return replace(
            self,
            phase=NEXT.get((self.phase, type(event)), self.phase),
            number=entry.number,
            history=(*self.history, entry),
            **_changes(self, event),
        )


def opened(entry: ev.Entry) -> Incident:
    """Return the incident that its first entry opens."""
    event = entry.event
    if not isinstance(event, ev.IncidentOpened):
        raise IllegalEventError(
            f"{type(event).__name__} before incident {entry.incident} was opened"
        )
    return Incident(
        id=entry.incident,
        phase=Phase.OPEN,
        number=entry.number,
        opened_at=event.at,
        cycle_began_at=event.at,
        alarm=event.alarm,
        assessment=event.assessment,
        seen_events=frozenset({event.alarm.event_id}),
        fingerprints=frozenset({event.alarm.fingerprint}),
        history=(entry,),
    )


def _changes(now: Incident, event: ev.Event) -> dict[str, Any]:  # noqa: C901, PLR0911, PLR0912
    """Return the fields that `event` changes, phase and history apart. One flat table of cases."""
    match event:
        case ev.AlarmJoined(alarm=alarm):
            return {
                "joined": now.joined + 1,
                "alarm_state": alarm.state
                if alarm.fingerprint == now.alarm.fingerprint
                else now.alarm_state,
                "seen_events": now.seen_events | {alarm.event_id},
                "fingerprints": now.fingerprints | {alarm.fingerprint},
            }
        case ev.AskedAgain():
            return _new_round() | {"asked_again": now.asked_again + 1}
        case ev.Reopened(alarm=alarm):
            return _new_round() | {
                "asked_again": 0,
                "alarm": alarm,
                "alarm_state": alarm.state,
                "cycle_began_at": event.at,
                "seen_events": now.seen_events | {alarm.event_id},
                "fingerprints": now.fingerprints | {alarm.fingerprint},
            }
        case ev.InvestigationStarted():
            return {"window": event.window, "asked": event.steps, "answers": (), "unknowns": ()}
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


def _new_round() -> dict[str, Any]:
    """Return the fields of an investigation and repair that begin again."""
    return {
        "window": None,
        "asked": (),
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """Every incident, and how far in the journal this is: `seq` is the last entry's number.

    `loose` counts the entries that belong to no incident; `answered` has, by request id, the first
    entry that each request made; `closed_books` are incidents whose opening this version cannot
    read.
    """

    seq: int = 0
    incidents: Mapping[str, Incident] = field(default_factory=dict)
    answered: Mapping[str, ev.Entry] = field(default_factory=dict)
    turned_away: int = 0
    loose: int = 0
    closed_books: frozenset[str] = frozenset()

    def incident(self, wanted: str) -> Incident | None:
        return self.incidents.get(wanted)

    @property
    def next_id(self) -> str:
        """The id that the next incident gets."""
        return f"INC-{len(self.incidents) + len(self.closed_books) + 1:04d}"

    def checked(self, entry: ev.Entry) -> Board:
        """Fold an entry that is about to be appended; refuse what may not happen now."""
        known = self.incidents.get(entry.incident)
        if entry.incident != ev.NO_INCIDENT:
            _ = opened(entry) if known is None else known.after(entry)
        return _folded(self, (entry,))

    def after(self, *entries: ev.Entry) -> Board:
        """Fold entries that stand in the journal."""
        return _folded(self, entries)


def _folded(board: Board, entries: Iterable[ev.Entry]) -> Board:
    """Fold many entries with one copy of the mappings."""
    incidents, answered = dict(board.incidents), dict(board.answered)
    seq, turned_away, loose = board.seq, board.turned_away, board.loose
    closed_books = board.closed_books
    for entry in entries:
        if entry.seq <= seq:
            continue
        seq = entry.seq
        event = entry.event
        if event.request:
            answered.setdefault(event.request, entry)
        if isinstance(event, ev.AlarmTurnedAway):
            turned_away += 1
        if entry.incident == ev.NO_INCIDENT:
            loose += 1
            continue
        known = incidents.get(entry.incident)
        if known is not None:
            incidents[entry.incident] = known.folded(entry)
        elif isinstance(event, ev.IncidentOpened):
            incidents[entry.incident] = opened(entry)
        else:
            closed_books = closed_books | {entry.incident}
    return Board(
        seq=seq,
        incidents=incidents,
        answered=answered,
        turned_away=turned_away,
        loose=loose,
        closed_books=closed_books,
    )
