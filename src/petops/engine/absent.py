"""Stands in for a failure mode or remedy that the journal names and nobody has installed any more.

An organisation may take its package away while an incident is open. Its record stays readable, and
whatever would need the code that is gone says so.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from petops.domain.change import Change, Risk
from petops.domain.circumstances import Circumstances
from petops.domain.diagnosis import Finding, Verdict
from petops.domain.policy import Refusal
from petops.playbooks.base import Case, CauseNow, Evidence, FailureMode, Judgement
from petops.remedies.base import Guard, Remedy, Situation

_RELAPSE_SECONDS: Final = 600.0
_LIFT: Final = "install what brought it, or close the incident"


def absent_mode(name: str) -> FailureMode:
    """Return a failure mode that is never thought of, and says of a watch that it cannot look."""
    gone = f"the failure mode {name} is not installed any more"

    def conclude(case: Case, evidence: Evidence) -> Finding:
        del case, evidence
        return Finding(mode=name, verdict=Verdict.UNDECIDED, confidence=0.0, because=gone, rows=())

    def judge(
        case: Case, evidence: Evidence, finding: Finding, since: datetime | None
    ) -> Judgement:
        del case, evidence, finding, since
        return Judgement(symptom_gone=None, cause=CauseNow.UNCLEAR, signals=(gone,))

    return FailureMode(
        name=name,
        title=name,
        suspect=lambda _: False,
        steps=(),
        conclude=conclude,
        watch_steps=(),
        judge=judge,
        relapse_seconds=lambda _, __: _RELAPSE_SECONDS,
        watched=f"nothing: {gone}",
    )


def absent_remedy(name: str) -> Remedy:
    """Return a remedy that plans nothing, and whose earlier offers may not be carried out."""
    refusal = Refusal(why=f"the remedy {name} is not installed any more", lift=_LIFT)

    def plan(situation: Situation) -> Change | Refusal:
        del situation
        return refusal

    def check(change: Change, now: Circumstances) -> Refusal:
        del change, now
        return refusal

    guards = (Guard(name="installed", check=check),)
    return Remedy(name=name, risk=Risk.RED, plan=plan, guards=guards)
