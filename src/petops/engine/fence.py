"""What a bug in petops costs: one answer, one failure mode's word, or one incident; never more.

What went wrong is said where its answer would stand, by kind and place only: the text of an
exception may hold anything. The whole of it goes to the log.
"""

from __future__ import annotations

import logging
from datetime import datetime
from pathlib import PurePath
from traceback import extract_tb
from typing import Final

from petops.domain import events as ev
from petops.domain.diagnosis import Diagnosis, Finding, Verdict
from petops.domain.phases import Phase
from petops.playbooks.base import Case, CauseNow, Evidence, FailureMode, Judgement

BUG: Final = "a bug in petops"
_log = logging.getLogger(__name__)


def told(exc: Exception) -> str:
    """Return what happened, for people, and write the whole of it to the log."""
    _log.error("%s", BUG, exc_info=exc)
    while isinstance(exc, ExceptionGroup):
        exc = exc.exceptions[0]
    frames = extract_tb(exc.__traceback__)
    where = f" at {PurePath(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{BUG}: {type(exc).__name__}{where}; its log has more"


def concluded(mode: FailureMode, case: Case, evidence: Evidence) -> Finding:
    """Let a failure mode conclude; where its code fails it is undecided, and says so."""
    try:
        return mode.conclude(case, evidence)
    except Exception as exc:
        return Finding(
            mode=mode.name,
            verdict=Verdict.UNDECIDED,
            confidence=0.0,
            because=f"{mode.name} was not judged: {told(exc)}",
            rows=(),
            subject=None,
        )


def judged(
    mode: FailureMode, case: Case, evidence: Evidence, cause: Finding, since: datetime | None
) -> Judgement:
    """Let a failure mode judge how it stands; where its code fails that is not known."""
    try:
        return mode.judge(case, evidence, cause, since)
    except Exception as exc:
        return Judgement(symptom_gone=None, cause=CauseNow.UNCLEAR, signals=(told(exc),))


def bugs_in(diagnosis: Diagnosis | None) -> tuple[str, ...]:
    """Return what a diagnosis lacks for want of sound code; a score counts each as wrong."""
    if diagnosis is None:
        return ()
    gaps = [f"{one.step}: {one.why}" for one in diagnosis.gaps]
    return tuple(one for one in (*gaps, *(f.because for f in diagnosis.rivals)) if BUG in one)


def given_up(phase: Phase, why: str, at: datetime) -> ev.Event | None:
    """Return what hands an incident in this phase to a person; None where petops has to go on.

    A change that was begun is seen to its end: what became of it must be known.
    """
    because = f"{why}. A person takes over"
    if phase in {Phase.WATCHING, Phase.RECOVERED}:
        return ev.RemedyFailed(at=at, because=f"whether it helped is not known: {because}")
    if phase in {Phase.OPEN, Phase.INVESTIGATING, Phase.DIAGNOSED, Phase.WAITING}:
        return ev.NothingToPropose(at=at, because=because)
    return None
