"""What happens between a diagnosis and its end: offers, decisions, acts, and what they led to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from petops.domain.change import Act, Proposal
from petops.domain.diagnosis import LeakForecast
from petops.domain.happened import Happened
from petops.domain.policy import Identity


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
class ProposalsLapsed(Happened):
    """What was on offer is void, since it expired or its object or symptom changed."""

    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RemedyApproved(Happened):
    """A person approved exactly this change. From here on it is made, once."""

    by: Identity
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalGiven(Happened):
    """The first of two people approved a red change; it waits for another one."""

    by: Identity
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakGlassUsed(Happened):
    """A lone responder approved what needs two people, and said why. Everybody is told."""

    by: Identity
    digest: str
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalVoided(Happened):
    """An approved change was not made, since it would no longer be right; nothing was sent."""

    because: str


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
class ActIntended(Happened):
    """The change is about to be sent; `act` is the id that it leaves on its object.

    `token` is the fencing token of the engine that sends it: a later engine's is higher.
    """

    act: str
    digest: str
    change: Act
    token: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ActProgressed(Happened):
    """A change that goes on pod by pod: what was done, how many are left, what stands against."""

    act: str
    done: tuple[str, ...]
    left: int
    blocked: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StopRequested(Happened):
    """A person wants the act under way to end where it is."""

    by: Identity
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RemedyApplied(Happened):
    """The cluster has the change.

    `settled` is true where that was found by looking after an unknown outcome.
    """

    act: str
    settled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ActFailed(Happened):
    """The cluster does not have the change, and why; `changed` where a part of it was made."""

    act: str
    why: str
    changed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class InverseOffered(Happened):
    """The change did not help, or ended half way: what takes it back is on offer."""

    because: str
    proposals: tuple[Proposal, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenBack(Happened):
    """The cluster has what takes the change back."""

    act: str
    settled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class WouldHaveActed(Happened):
    """petops only observes: this is what it would have offered, or made, and why it did not."""

    digests: tuple[str, ...]
    summaries: tuple[str, ...]
    because: str


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
