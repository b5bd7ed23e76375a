"""What happened: the only thing the engine ever stores."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from petops.domain.alarm import Alarm, Assessment
from petops.domain.change import Act, Proposal
from petops.domain.diagnosis import Diagnosis, LeakForecast
from petops.domain.evidence import Answer, Unknown, Window
from petops.domain.policy import Identity

# Entries of no incident: alarms that were turned away, requests about incidents that do not exist.
NO_INCIDENT = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """`at` is when, in UTC. `request` is the id of the request that caused it, if one did."""

    at: datetime
    request: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentOpened(Happened):
    """An alarm opened an incident."""

    alarm: Alarm
    assessment: Assessment


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmJoined(Happened):
    """Another report belongs to this incident; `because` says why it opened none of its own."""

    alarm: Alarm
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmTurnedAway(Happened):
    """A report led to nothing; `because` says why. Stands under no incident."""

    alarm: Alarm
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reopened(Happened):
    """The alarm came back after the incident had come to rest."""

    alarm: Alarm
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InvestigationStarted(Happened):
    """Each question that is now being asked, by step name, and the time it is asked about."""

    modes: tuple[str, ...]
    steps: tuple[tuple[str, str], ...]
    window: Window


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
class RemediesProposed(Happened):
    """Changes are on offer, best first; what was considered and withheld says why."""

    proposals: tuple[Proposal, ...]
    withheld: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NothingToPropose(Happened):
    """There is a cause and no change that may be offered: a person takes over, with advice."""

    because: str
    proposals: tuple[Proposal, ...] = ()
    withheld: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NoCauseFound(Happened):
    """Nothing that was asked explains the symptom; a person takes over."""

    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedAgain(Happened):
    """No cause was found and the alarm goes on: the investigation begins anew, with newer data."""

    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalsLapsed(Happened):
    """What was on offer is void, since it expired or its object or symptom changed."""

    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RemedyApproved(Happened):
    """A person approved exactly this change. From here on it is made, once."""

    by: Identity
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RemedyRejected(Happened):
    """A person said no to this change."""

    by: Identity
    digest: str
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRefused(Happened):
    """An approval or rejection was not accepted."""

    by: Identity
    digest: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRefused(Happened):
    """Any other request was not accepted."""

    by: Identity
    asked: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ActIntended(Happened):
    """The change is about to be sent; `act` is the id that it leaves on its object."""

    act: str
    digest: str
    change: Act


@dataclass(frozen=True, slots=True, kw_only=True)
class RemedyApplied(Happened):
    """The cluster has the change.

    `settled` is true where that was found by looking after an unknown outcome.
    """

    act: str
    settled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ActFailed(Happened):
    """The cluster does not have the change, and why."""

    act: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered(Happened):
    """The symptom is under its threshold and the replicas are ready: the MTTR clock stops."""

    signals: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RelapseWatchStarted(Happened):
    """Recovery is being watched until then, and why that long."""

    until: datetime
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RemedyVerified(Happened):
    """The relapse watch ended and the cause is gone."""

    signals: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mitigated(Happened):
    """The symptom is gone, the cause goes on: it will be back."""

    because: str
    forecast: LeakForecast | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RemedyFailed(Happened):
    """The change was made and did not help."""

    because: str


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
    | Reopened
    | InvestigationStarted
    | StepAnswered
    | StepUnanswered
    | Diagnosed
    | RemediesProposed
    | NothingToPropose
    | NoCauseFound
    | AskedAgain
    | ProposalsLapsed
    | RemedyApproved
    | RemedyRejected
    | ApprovalRefused
    | RequestRefused
    | ActIntended
    | RemedyApplied
    | ActFailed
    | Recovered
    | RelapseWatchStarted
    | RemedyVerified
    | Mitigated
    | RemedyFailed
    | Resolved
    | Acknowledged
    | Snoozed
    | Closed
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
