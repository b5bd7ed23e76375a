"""An incident is the fold of its events; the board is the fold of all entries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from petops.domain import events as ev
from petops.domain.alarm import Alarm, AlarmState, Assessment
from petops.domain.change import Proposal
from petops.domain.diagnosis import Diagnosis
from petops.domain.evidence import Answer, Unknown, Window
from petops.domain.phases import ANYWHERE, NEXT, Phase
from petops.domain.rounds import changes
from petops.domain.runbook import Runbook
from petops.domain.subject import Subject
from petops.errors import IllegalEventError

_CLEARED_AT_MOST = 1000


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
    origin: Subject | None = None
    alarms: Mapping[str, Alarm] = field(default_factory=dict)
    merged_into: str = ""
    apart_from: frozenset[str] = frozenset()
    joined: int = 0
    seen_events: frozenset[str] = frozenset()
    cycle_began_at: datetime
    window: Window | None = None
    asked: tuple[tuple[str, str], ...] = ()
    widened: tuple[ev.InvestigationWidened, ...] = ()
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
    def has_cleared(self) -> bool:
        """Whether each of its alarms was last seen to be in order; missing data is not."""
        return all(one.state is AlarmState.OK for one in self.alarms.values())

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
            **changes(self, event),
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
        origin=event.origin,
        alarms={event.alarm.fingerprint: event.alarm},
        apart_from=frozenset({event.apart} - {""}),
        seen_events=frozenset({event.alarm.event_id}),
        history=(entry,),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """Every incident, and how far in the journal this is: `seq` is the last entry's number.

    `loose` counts the entries that belong to no incident; `answered` has, by request id, the first
    entry that each request made; `cleared` when an alarm without an incident was seen to clear;
    `closed_books` are incidents whose opening this version cannot read; `highest` is the number of
    the latest id that was ever given.
    """

    seq: int = 0
    incidents: Mapping[str, Incident] = field(default_factory=dict)
    answered: Mapping[str, ev.Entry] = field(default_factory=dict)
    turned_away: int = 0
    loose: int = 0
    closed_books: frozenset[str] = frozenset()
    cleared: Mapping[str, datetime] = field(default_factory=dict)
    highest: int = 0

    def incident(self, wanted: str) -> Incident | None:
        return self.incidents.get(wanted)

    @property
    def next_id(self) -> str:
        """The id that the next incident gets."""
        return f"INC-{self.highest + 1:04d}"

    @property
    def latest_first(self) -> list[Incident]:
        return list(reversed(tuple(self.incidents.values())))

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
    closed_books, cleared = board.closed_books, board.cleared
    highest = board.highest
    for entry in entries:
        if entry.seq <= seq:
            continue
        seq = entry.seq
        event = entry.event
        if event.request:
            answered.setdefault(event.request, entry)
        if isinstance(event, ev.AlarmTurnedAway):
            turned_away += 1
            cleared = _cleared(cleared, event.alarm)
        if entry.incident == ev.NO_INCIDENT:
            loose = max(loose + 1, entry.number)
            if isinstance(event, ev.JournalPruned):
                highest = max(highest, event.incidents)
            continue
        highest = max(highest, _number(entry.incident))
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
        cleared=cleared,
        highest=highest,
    )


def _number(incident: str) -> int:
    last = incident.rpartition("-")[2]
    return int(last) if last.isascii() and last.isdigit() and len(last) < 10 else 0


def _cleared(known: Mapping[str, datetime], alarm: Alarm) -> Mapping[str, datetime]:
    """Keep when an alarm cleared: its own beginning may arrive after its end."""
    if alarm.state is AlarmState.ALARM:
        return known
    latest = max(alarm.started_at, known.get(alarm.fingerprint, alarm.started_at))
    kept = {key: at for key, at in known.items() if key != alarm.fingerprint}
    return dict([*kept.items(), (alarm.fingerprint, latest)][-_CLEARED_AT_MOST:])
