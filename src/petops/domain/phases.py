"""The phases of an incident, and the one table that says what may follow what."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from petops.domain import events as ev


class Phase(StrEnum):
    """Where an incident stands."""

    OPEN = "open"
    INVESTIGATING = "investigating"
    DIAGNOSED = "diagnosed"
    UNEXPLAINED = "unexplained"
    WAITING = "waiting"
    HANDED_OVER = "handed-over"
    REPAIRING = "repairing"
    WATCHING = "watching"
    RECOVERED = "recovered"
    VERIFIED = "verified"
    MITIGATED = "mitigated"
    FAILED = "failed"
    RESOLVED = "resolved"
    CLOSED = "closed"
    JOINED = "joined"


AT_REST: Final = frozenset(
    {
        Phase.UNEXPLAINED,
        Phase.HANDED_OVER,
        Phase.VERIFIED,
        Phase.MITIGATED,
        Phase.FAILED,
        Phase.RESOLVED,
        Phase.CLOSED,
        Phase.JOINED,
    }
)
"""Phases in which the engine has nothing to do until something new happens."""

OVER: Final = frozenset({Phase.VERIFIED, Phase.RESOLVED, Phase.CLOSED, Phase.JOINED})
"""Phases in which nobody needs to look at the incident any more."""

NOTHING_DONE: Final = frozenset(
    {
        Phase.OPEN,
        Phase.INVESTIGATING,
        Phase.DIAGNOSED,
        Phase.UNEXPLAINED,
        Phase.WAITING,
        Phase.HANDED_OVER,
    }
)
"""Phases in which petops has changed nothing yet: such an incident may go on in another."""

ANYWHERE: Final[frozenset[type]] = frozenset(
    {
        ev.AlarmJoined,
        ev.AlarmSplitOff,
        ev.ApprovalRefused,
        ev.RequestRefused,
        ev.BreakGlassUsed,
        ev.WouldHaveActed,
        ev.Acknowledged,
        ev.Snoozed,
        ev.RunbookFound,
        ev.CauseCorrected,
        ev.Mirrored,
        ev.Noted,
        ev.Unreadable,
    }
)
"""Events that may happen in every phase and change none."""

NEXT: Final[Mapping[tuple[Phase, type], Phase]] = {
    (Phase.OPEN, ev.InvestigationStarted): Phase.INVESTIGATING,
    (Phase.OPEN, ev.NothingToPropose): Phase.HANDED_OVER,
    (Phase.INVESTIGATING, ev.NothingToPropose): Phase.HANDED_OVER,
    (Phase.INVESTIGATING, ev.InvestigationWidened): Phase.INVESTIGATING,
    (Phase.INVESTIGATING, ev.StepAnswered): Phase.INVESTIGATING,
    (Phase.INVESTIGATING, ev.StepUnanswered): Phase.INVESTIGATING,
    (Phase.INVESTIGATING, ev.Diagnosed): Phase.DIAGNOSED,
    (Phase.DIAGNOSED, ev.RemediesProposed): Phase.WAITING,
    (Phase.DIAGNOSED, ev.NothingToPropose): Phase.HANDED_OVER,
    (Phase.WAITING, ev.RemedyRejected): Phase.WAITING,
    (Phase.WAITING, ev.NothingToPropose): Phase.HANDED_OVER,
    (Phase.WAITING, ev.ProposalsLapsed): Phase.DIAGNOSED,
    (Phase.WAITING, ev.ApprovalGiven): Phase.WAITING,
    (Phase.WAITING, ev.RemedyApproved): Phase.REPAIRING,
    (Phase.REPAIRING, ev.ApprovalVoided): Phase.DIAGNOSED,
    (Phase.REPAIRING, ev.ActIntended): Phase.REPAIRING,
    (Phase.REPAIRING, ev.ActProgressed): Phase.REPAIRING,
    (Phase.REPAIRING, ev.StopRequested): Phase.REPAIRING,
    (Phase.REPAIRING, ev.RemedyApplied): Phase.WATCHING,
    (Phase.REPAIRING, ev.ActFailed): Phase.FAILED,
    (Phase.REPAIRING, ev.TakenBack): Phase.FAILED,
    (Phase.FAILED, ev.InverseOffered): Phase.FAILED,
    (Phase.FAILED, ev.ApprovalGiven): Phase.FAILED,
    (Phase.FAILED, ev.RemedyRejected): Phase.FAILED,
    (Phase.FAILED, ev.RemedyApproved): Phase.REPAIRING,
    (Phase.WATCHING, ev.Recovered): Phase.RECOVERED,
    (Phase.WATCHING, ev.RemedyFailed): Phase.FAILED,
    (Phase.RECOVERED, ev.RelapseWatchStarted): Phase.RECOVERED,
    (Phase.RECOVERED, ev.RemedyVerified): Phase.VERIFIED,
    (Phase.RECOVERED, ev.Mitigated): Phase.MITIGATED,
    (Phase.RECOVERED, ev.RemedyFailed): Phase.FAILED,
    **{(phase, ev.Reopened): Phase.OPEN for phase in AT_REST - {Phase.JOINED}},
    **{(phase, ev.IncidentMerged): Phase.JOINED for phase in NOTHING_DONE},
    (Phase.JOINED, ev.SplitApart): Phase.OPEN,
    (Phase.UNEXPLAINED, ev.AskedAgain): Phase.OPEN,
    (Phase.UNEXPLAINED, ev.Resolved): Phase.RESOLVED,
    (Phase.HANDED_OVER, ev.Resolved): Phase.RESOLVED,
    (Phase.DIAGNOSED, ev.NoCauseFound): Phase.UNEXPLAINED,
    **{
        (phase, ev.Closed): Phase.CLOSED
        for phase in Phase
        if phase not in {Phase.REPAIRING, Phase.WATCHING, Phase.CLOSED}
    },
}
"""An act under way cannot be closed over; everything else a person may end."""
