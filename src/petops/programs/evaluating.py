"""Scores a folder of cases: each is investigated anew, and set against its known verdict."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any, Final

from petops.config import Settings
from petops.domain.change import Advice
from petops.domain.incident import Incident
from petops.domain.subject import Subject
from petops.engine.fence import bugs_in
from petops.errors import PetopsError, UsageError, first_problem
from petops.programs.calibration import Told, calibrated, calibration_lines
from petops.programs.cases import investigated
from petops.programs.replaying import EXPECTED

AT_ONCE: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One case: what was expected, what was found, and in what that is wrong."""

    case: str
    expected: Mapping[str, Any]
    mode: str | None
    subject: Subject | None
    confidence: float | None
    remedy: str | None
    wrong: tuple[str, ...]
    seconds: float

    @property
    def is_right(self) -> bool:
        return not self.wrong


async def evaluated(folder: Path, settings: Settings | None = None) -> tuple[Score, ...]:
    """Return the score of each case in the folder, or of the folder if it is one.

    Of the settings only what they say of an organisation's own knowledge counts.
    """
    given = settings or Settings()
    gate = asyncio.Semaphore(AT_ONCE)

    async def scored(case: Path) -> Score:
        async with gate:
            return await _scored(case, given)

    cases = cases_in(folder)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(scored(case)) for case in cases]
    return tuple(task.result() for task in tasks)


def cases_in(folder: Path) -> list[Path]:
    """Return the folders that have an expected verdict; raise UsageError where none has."""
    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder}")
    if (folder / EXPECTED).is_file():
        return [folder]
    found = sorted(one.parent for one in folder.glob(f"*/{EXPECTED}"))
    if not found:
        raise UsageError(
            f"no folder in {folder} has an {EXPECTED}", hint="docs/cases.md says what a case holds"
        )
    return found


async def _scored(case: Path, settings: Settings) -> Score:
    began = monotonic()
    expected: Mapping[str, Any] = {}
    try:
        expected = read_expected(case)
        incident = await investigated(case, settings, quiet=True)
    except (PetopsError, ExceptionGroup) as raised:
        exc = first_problem(raised)
        if exc is None:
            raise
        return Score(
            case=case.name,
            expected=expected,
            mode=None,
            subject=None,
            confidence=None,
            remedy=None,
            wrong=(exc.message,),
            seconds=round(monotonic() - began, 2),
        )
    return score(case.name, expected, incident, monotonic() - began)


def read_expected(case: Path) -> Mapping[str, Any]:
    """Return the case's expected verdict; raise UsageError where it is none."""
    file = case / EXPECTED
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, OSError) as exc:
        raise UsageError(f"{file} cannot be read: {exc}") from exc
    if not isinstance(found, dict) or "mode" not in found:
        raise UsageError(f"{file} names no mode", hint='{"mode": null} is no cause')
    lists, names = found.get("also_broken", []), found.get("subject") or {}
    if not isinstance(lists, list) or not all(isinstance(one, dict) for one in (names, *lists)):
        raise UsageError(f"{file} does not say what it expects as docs/cases.md has it")
    return found


def score(
    name: str, expected: Mapping[str, Any], incident: Incident, seconds: float = 0.0
) -> Score:
    """Set an incident against what was expected of it."""
    diagnosis = incident.diagnosis
    cause = diagnosis.cause if diagnosis else None
    offered = [one for one in incident.proposals if not isinstance(one.change, Advice)]
    first = next(iter([*offered, *incident.proposals]), None)
    remedy = first.remedy if first else None
    mode, subject = (cause.mode, cause.subject) if cause else (None, None)
    wrong = []
    if mode != expected["mode"]:
        wrong.append(f"mode {mode or 'none'}, not {expected['mode'] or 'none'}")
    elif expected.get("subject") and not _is_about(subject, expected["subject"]):
        wrong.append(f"about {subject}, not {expected['subject']}")
    if "remedy" in expected and remedy != expected["remedy"]:
        wrong.append(f"remedy {remedy or 'none'}, not {expected['remedy'] or 'none'}")
    if expected["mode"] is None and offered:
        wrong.append(f"{offered[0].remedy} is offered for what is not wrong")
    for one in expected.get("also_broken", ()):
        beside = diagnosis.also_broken if diagnosis else ()
        if not any(
            found.mode == one.get("mode") and _is_about(found.subject, one.get("subject") or {})
            for found in beside
        ):
            wrong.append(f"does not say that {one} is broken too")
    wrong += bugs_in(diagnosis)
    return Score(
        case=name,
        expected=expected,
        mode=mode,
        subject=subject,
        confidence=cause.confidence if cause else None,
        remedy=remedy,
        wrong=tuple(wrong),
        seconds=round(seconds, 2),
    )


def _is_about(subject: Subject | None, wanted: Mapping[str, Any]) -> bool:
    if subject is None:
        return False
    found = {"kind": str(subject.kind), "namespace": subject.namespace, "name": subject.name}
    return all(found.get(key) == (value or "") for key, value in wanted.items())


def document(scores: Iterable[Score]) -> dict[str, Any]:
    """Return the scores as a JSON document, with stated against observed rightness."""
    every = tuple(scores)
    return {
        "cases": [_row(one) for one in every],
        "right": sum(one.is_right for one in every),
        "of": len(every),
        "calibration": calibration(every),
    }


def _row(one: Score) -> dict[str, Any]:
    subject = one.subject
    return {
        "case": one.case,
        "right": one.is_right,
        "expected": dict(one.expected),
        "mode": one.mode,
        "subject": subject
        and {"kind": str(subject.kind), "namespace": subject.namespace, "name": subject.name},
        "confidence": one.confidence,
        "remedy": one.remedy,
        "wrong": list(one.wrong),
        "seconds": one.seconds,
    }


def calibration(scores: Iterable[Score]) -> list[dict[str, Any]]:
    """Return, by stated confidence, how many causes were named and how many of them rightly."""
    return calibrated(
        Told(confidence=one.confidence, is_right=one.mode == one.expected.get("mode"))
        for one in scores
        if one.confidence is not None
    )


def lines(scores: Iterable[Score]) -> list[tuple[str, str]]:
    """Return the scores as lines for people, each with its style."""
    every = tuple(scores)
    wide = max((len(one.case) for one in every), default=0)
    told = []
    for one in every:
        sure = "" if one.confidence is None else f" {one.confidence:.2f}"
        what = f"{one.mode or 'no cause'}{sure}, {one.remedy or 'no remedy'}"
        verdict = "right" if one.is_right else "WRONG"
        text = f"{verdict}  {one.case:<{wide}}  {what}"
        if one.wrong:
            text += f": {'; '.join(one.wrong)}"
        told.append((text, "green" if one.is_right else "bold red"))
    told.append((f"{sum(one.is_right for one in every)} of {len(every)} right", "bold"))
    return [*told, *calibration_lines(calibration(every))]
