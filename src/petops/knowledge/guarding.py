"""Code of others at arm's length: what goes wrong in it loses its own verdict and nothing else.

Nonsense that it returns goes wrong here, too: whatever passes can be journaled and read again.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from math import isfinite
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from petops.domain.change import Advice, Change
from petops.domain.circumstances import Circumstances
from petops.domain.diagnosis import Finding, Verdict
from petops.domain.facts import Fact
from petops.domain.policy import Refusal, Unclear
from petops.errors import PetopsError, SourceError
from petops.knowledge.sense import OUR_STEPS
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
from petops.remedies.base import Guard, Remedy, Situation
from petops.remedies.guards import ALWAYS
from petops.wire.schemas import dumped, loaded

LONGEST_STEP_SECONDS: Final = 15.0
RELAPSE_SECONDS: Final = 600.0
LONGEST_RELAPSE_SECONDS: Final = 24 * 3600.0
MOST_BYTES: Final = 256 * 1024
"""What one answer or finding may hold: it stands in the journal, and in each surface's memory."""
_EXPECTED: Final = re.compile(r"Expected `([^`]+)`[^\n]*field_name='(\w+)'")
FAILURES: Final = (Exception, SystemExit)
"""What code of others may raise: to end the process is not for it to decide."""

T = TypeVar("T")


def guarded(mode: FailureMode, known_remedies: Callable[[str], bool]) -> FailureMode:
    """Return the mode with a fence around each of its functions."""

    def suspect(case: Case) -> bool:
        try:
            return bool(mode.suspect(case))
        except FAILURES:  # it is not thought of where it cannot say
            return False

    def conclude(case: Case, evidence: Evidence) -> Finding:
        try:
            return _finding(mode, mode.conclude(case, evidence), known_remedies)
        except FAILURES as exc:
            return _undecided(mode, told(exc))

    def judge(
        case: Case, evidence: Evidence, finding: Finding, since: datetime | None
    ) -> Judgement:
        try:
            given = mode.judge(case, evidence, finding, since)
            return _sane(Judgement, given, "judge", "a Judgement")
        except FAILURES as exc:
            return Judgement(symptom_gone=None, cause=CauseNow.UNCLEAR, signals=(told(exc),))

    def relapse_seconds(evidence: Evidence, finding: Finding) -> float:
        try:
            seconds = float(mode.relapse_seconds(evidence, finding))
        except FAILURES:
            seconds = RELAPSE_SECONDS
        wait = seconds if isfinite(seconds) else RELAPSE_SECONDS  # else a usual one
        return max(0.0, min(LONGEST_RELAPSE_SECONDS, wait))

    return replace(
        mode,
        suspect=suspect,
        steps=tuple(_fenced(one) for one in mode.steps),
        conclude=conclude,
        watch_steps=tuple(_fenced(one) for one in mode.watch_steps),
        judge=judge,
        relapse_seconds=relapse_seconds,
    )


def guarded_remedy(remedy: Remedy) -> Remedy:
    """Return the remedy with a fence around its functions, and petops' guards before its own."""

    def plan(situation: Situation) -> Change | Refusal:
        try:
            change = remedy.plan(situation)
            if isinstance(change, Refusal):
                return Refusal(why=str(change)[:300])
            sane: Change = _sane(Change, change, "plan", "a change or a Refusal")
        except FAILURES as exc:
            return Refusal(why=told(exc))
        about = situation.workload.subject
        if not isinstance(sane, Advice) and sane.subject != about:
            # guards have looked at this object only
            return Refusal(why=f"its own code failed: it would change {sane.subject}, not {about}")
        return sane

    named = {one.name for one in ALWAYS}
    own = tuple(_guard(one) for one in remedy.guards if one.name not in named)
    return replace(remedy, plan=plan, guards=(*ALWAYS, *own))


def _guard(guard: Guard) -> Guard:
    def check(change: Change, now: Circumstances) -> Refusal | Unclear | None:
        try:
            said: object = guard.check(change, now)
        except FAILURES as exc:
            return Refusal(why=told(exc))
        if said is None or isinstance(said, Refusal | Unclear):
            return said
        return Refusal(why=f"its own code failed: {guard.name} gave a {type(said).__name__}")

    return replace(guard, check=check)


def _fenced(step: Step[Any]) -> Step[Any]:
    if step is OUR_STEPS.get(step.name):
        return step  # asked once for all who want it, petops' own modes too
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
            return _sane(Fact, await ask(case, sources), "its step", "an OwnFact")
        except (SourceError, TimeoutError):
            raise
        except asyncio.CancelledError as exc:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            raise SourceError("its own code failed: it cancelled itself") from exc
        except FAILURES as exc:
            raise SourceError(told(exc)) from exc

    return asked


def _sane(kind: Any, given: T, of: str, wanted: str) -> T:
    """Return what was given, if it can be written and read again; raise SourceError if not."""
    if not isinstance(given, kind):
        raise SourceError(f"{of} gave a {type(given).__name__}, not {wanted}")
    try:
        text = dumped(kind, given)
        again: T = loaded(kind, text)
    except (ValueError, TypeError, AttributeError, RecursionError) as exc:
        what = type(given).__name__
        raise SourceError(f"{of} gave a {what} that cannot be kept: {_flaw(exc)}") from exc
    if len(text) > MOST_BYTES:
        raise SourceError(f"{of} gave {len(text)} bytes, over {MOST_BYTES}")
    return again


def _flaw(exc: Exception) -> str:
    """Return which field is of the wrong type, as far as pydantic says so."""
    if isinstance(exc, ValidationError):
        first = exc.errors()[0]
        return f"{'.'.join(str(one) for one in first['loc'])}: {first['msg'].lower()}"
    found = _EXPECTED.search(str(exc))
    if found is None:
        return "a value of a wrong type, or text that is no Unicode"
    return f"{found[2]} must be {found[1].replace('plain_function[_number]', 'float')}"


def _finding(mode: FailureMode, given: Finding, is_remedy: Callable[[str], bool]) -> Finding:
    found = _sane(Finding, given, "conclude", "a Finding")
    if found.mode != mode.name:
        return _undecided(mode, f"it concluded for {found.mode}, not for itself")
    if not isfinite(found.confidence):
        return _undecided(mode, f"its confidence is {found.confidence}, which is no number")
    strange = [one for one in found.remedies if not is_remedy(one)]
    said = f" (there is no remedy {', '.join(strange)})"[:300] if strange else ""
    return replace(
        found,
        because=found.because + said,
        confidence=max(0.0, min(MOST_CONFIDENCE, found.confidence)),
        remedies=tuple(one for one in found.remedies if is_remedy(one)),
    )


def _undecided(mode: FailureMode, why: str) -> Finding:
    return Finding(
        mode=mode.name,
        verdict=Verdict.UNDECIDED,
        confidence=0.0,
        because=why,
        rows=(),
        subject=None,
    )


def told(exc: BaseException) -> str:
    """Return the sentence about what code of others raised."""
    text = exc.message if isinstance(exc, PetopsError) else f"{type(exc).__name__}: {exc}"
    return f"its own code failed: {text}"[:300]
