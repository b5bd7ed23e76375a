"""Code of others at arm's length: what goes wrong in it loses its own verdict and nothing else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from petops.domain.diagnosis import Finding, Verdict
from petops.domain.facts import Fact
from petops.errors import PetopsError, SourceError
from petops.playbooks.base import (
    MOST_CONFIDENCE,
    Case,
    CauseNow,
    Evidence,
    FailureMode,
    Judgement,
    Sources,
    Step,
)

LONGEST_STEP_SECONDS: Final = 15.0
RELAPSE_SECONDS: Final = 600.0


def guarded(mode: FailureMode, known_remedies: Callable[[str], bool]) -> FailureMode:
    """Return the mode with a fence around each of its functions."""

    def suspect(case: Case) -> bool:
        try:
            return bool(mode.suspect(case))
        except Exception:  # it is not thought of where it cannot say
            return False

    def conclude(case: Case, evidence: Evidence) -> Finding:
        try:
            found = mode.conclude(case, evidence)
            if found.mode != mode.name:
                return _undecided(mode, f"it concluded for {found.mode}, not for itself")
        except Exception as exc:
            return _undecided(mode, _told(exc))
        return replace(
            found,
            confidence=max(0.0, min(MOST_CONFIDENCE, found.confidence)),
            remedies=tuple(one for one in found.remedies if known_remedies(one)),
        )

    def judge(
        case: Case, evidence: Evidence, finding: Finding, since: datetime | None
    ) -> Judgement:
        try:
            return mode.judge(case, evidence, finding, since)
        except Exception as exc:
            return Judgement(symptom_gone=None, cause=CauseNow.UNCLEAR, signals=(_told(exc),))

    def relapse_seconds(evidence: Evidence, finding: Finding) -> float:
        try:
            return max(0.0, float(mode.relapse_seconds(evidence, finding)))
        except Exception:  # a usual wait
            return RELAPSE_SECONDS

    return replace(
        mode,
        suspect=suspect,
        steps=tuple(_fenced(one) for one in mode.steps),
        conclude=conclude,
        watch_steps=tuple(_fenced(one) for one in mode.watch_steps),
        judge=judge,
        relapse_seconds=relapse_seconds,
    )


def _fenced(step: Step[Any]) -> Step[Any]:
    return replace(
        step,
        ask=_safe(step.ask),
        timeout_seconds=min(step.timeout_seconds, LONGEST_STEP_SECONDS),
    )


def _safe(
    ask: Callable[[Case, Sources], Awaitable[Fact]],
) -> Callable[[Case, Sources], Awaitable[Fact]]:
    async def asked(case: Case, sources: Sources) -> Fact:
        try:
            return await ask(case, sources)
        except (PetopsError, TimeoutError):
            raise
        except Exception as exc:
            raise SourceError(_told(exc)) from exc

    return asked


def _undecided(mode: FailureMode, why: str) -> Finding:
    return Finding(
        mode=mode.name,
        verdict=Verdict.UNDECIDED,
        confidence=0.0,
        because=why,
        rows=(),
        subject=None,
    )


def _told(exc: Exception) -> str:
    text = exc.message if isinstance(exc, PetopsError) else f"{type(exc).__name__}: {exc}"
    return f"its own code failed: {text}"[:300]
