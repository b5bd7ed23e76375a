"""What happened: the only thing the engine ever stores."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from petops.domain.diagnosis import Diagnosis
from petops.domain.evidence import Answer, Unknown, Window
from petops.domain.happened import Happened
from petops.domain.intake_events import (
    AlarmJoined,
    AlarmSplitOff,
    AlarmTurnedAway,
    IncidentMerged,
    IncidentOpened,
    JournalPruned,
    Reopened,
    SplitApart,
)
from petops.domain.policy import Identity
from petops.domain.repair_events import (
    ActFailed,
    ActIntended,
    ActProgressed,
    ApprovalGiven,
    ApprovalRefused,
    ApprovalVoided,
    BreakGlassUsed,
    InverseOffered,
    Mitigated,
    NothingToPropose,
    ProposalsLapsed,
    Recovered,
    RelapseWatchStarted,
    RemediesProposed,
    RemedyApplied,
    RemedyApproved,
    RemedyFailed,
    RemedyRejected,
    RemedyVerified,
    StopRequested,
    TakenBack,
    WouldHaveActed,
)
from petops.domain.runbook import Runbook
from petops.domain.subject import Subject

__all__ = [
    "NO_INCIDENT",
    "Acknowledged",
    "ActFailed",
    "ActIntended",
    "ActProgressed",
    "AlarmJoined",
    "AlarmSplitOff",
    "AlarmTurnedAway",
    "ApprovalGiven",
    "ApprovalRefused",
    "ApprovalVoided",
    "AskedAgain",
    "BreakGlassUsed",
    "CauseCorrected",
    "Closed",
    "Diagnosed",
    "Entry",
    "Event",
    "Happened",
    "IncidentMerged",
    "IncidentOpened",
    "InverseOffered",
    "InvestigationStarted",
    "InvestigationWidened",
    "JournalPruned",
    "Mirrored",
    "Mitigated",
    "NoCauseFound",
    "Noted",
    "NothingToPropose",
    "ProposalsLapsed",
    "Recovered",
    "RelapseWatchStarted",
    "RemediesProposed",
    "RemedyApplied",
    "RemedyApproved",
    "RemedyFailed",
    "RemedyRejected",
    "RemedyVerified",
    "Reopened",
    "RequestRefused",
    "Resolved",
    "RunbookFound",
    "Snoozed",
    "SplitApart",
    "StepAnswered",
    "StepUnanswered",
    "StopRequested",
    "TakenBack",
    "Unreadable",
    "WouldHaveActed",
]

# Entries of no incident: alarms that were turned away, requests about incidents that do not exist.
NO_INCIDENT = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class InvestigationStarted(Happened):
    """Each question that is now being asked, by step name, and the time it is asked about."""

    modes: tuple[str, ...]
    steps: tuple[tuple[str, str], ...]
    window: Window


@dataclass(frozen=True, slots=True, kw_only=True)
class InvestigationWidened(Happened):
    """The trouble seems to lie elsewhere: a second round of questions is about `subject`."""

    subject: Subject
    because: str
    steps: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepAnswered(Happened):
    """One step has its answer."""

    answer: Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class StepUnanswered(Happened):
    """One step has no answer, and will have none in this investigation."""

    unknown: Unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosed(Happened):
    """All answers are in and weighed."""

    diagnosis: Diagnosis


@dataclass(frozen=True, slots=True, kw_only=True)
class RunbookFound(Happened):
    """The organisation has a page about the cause; it is kept as it was then."""

    runbook: Runbook


@dataclass(frozen=True, slots=True, kw_only=True)
class NoCauseFound(Happened):
    """Nothing that was asked explains the symptom; a person takes over."""

    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedAgain(Happened):
    """No cause was found and the alarm goes on: the investigation begins anew, with newer data."""

    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRefused(Happened):
    """Any other request was not accepted."""

    by: Identity
    asked: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved(Happened):
    """The alarm cleared and nothing had been done for it."""

    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledged(Happened):
    """A person is looking at it."""

    by: Identity


@dataclass(frozen=True, slots=True, kw_only=True)
class Snoozed(Happened):
    """Nobody is called for it until then."""

    by: Identity
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed(Happened):
    """A person ended it."""

    by: Identity
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CauseCorrected(Happened):
    """A person said what the cause really was; the mode 'nothing' is that nothing was broken.

    It changes no verdict and no phase: it is what the incident, made a case, is scored against.
    """

    by: Identity
    mode: str
    subject: Subject | None = None
    because: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirrored(Happened):
    """A message of another surface shows the incident, up to its entry number `shown`.

    `part` says which of the incident's messages there it is, `message` is its id in `channel`.
    """

    surface: str
    part: str
    channel: str
    message: str
    shown: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted(Happened):
    """Something that went wrong or is worth knowing, without effect on the phase."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable(Happened):
    """An entry that this version does not know; it is kept, and stops acts on its incident."""

    kind: str
    text: str


Event = (
    IncidentOpened
    | AlarmJoined
    | AlarmTurnedAway
    | IncidentMerged
    | SplitApart
    | AlarmSplitOff
    | JournalPruned
    | Reopened
    | InvestigationStarted
    | InvestigationWidened
    | StepAnswered
    | StepUnanswered
    | Diagnosed
    | RemediesProposed
    | NothingToPropose
    | RunbookFound
    | NoCauseFound
    | AskedAgain
    | ProposalsLapsed
    | RemedyApproved
    | ApprovalGiven
    | BreakGlassUsed
    | ApprovalVoided
    | RemedyRejected
    | ApprovalRefused
    | RequestRefused
    | ActIntended
    | ActProgressed
    | StopRequested
    | RemedyApplied
    | ActFailed
    | InverseOffered
    | TakenBack
    | WouldHaveActed
    | Recovered
    | RelapseWatchStarted
    | RemedyVerified
    | Mitigated
    | RemedyFailed
    | Resolved
    | Acknowledged
    | Snoozed
    | Closed
    | CauseCorrected
    | Mirrored
    | Noted
    | Unreadable
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One event as the journal holds it.

    `seq` counts all entries, `number` those of the incident, from 1.
    """

    seq: int
    incident: str
    number: int
    event: Event
