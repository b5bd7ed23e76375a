"""Scores petops on the lab's drills: is each fault named first, and nothing else ever?"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any, Final

from petops.errors import UsageError
from petops.programs.calibration import Told, calibrated
from petops.programs.drilling import Drilled, rehearsals
from petops.scenarios.drills import Drill
from petops.scenarios.drills_of_faults import FAULTS
from petops.scenarios.drills_of_nothing import NEGATIVES, TWO_AT_ONCE
from petops.scenarios.drills_of_starts import STARTS, STARTS_OVER
from petops.scenarios.drills_unmapped import UNMAPPED

DRILLS: Final = (*FAULTS, *STARTS, *TWO_AT_ONCE, *NEGATIVES, *STARTS_OVER, *UNMAPPED)


def chosen(names: Iterable[str]) -> tuple[Drill, ...]:
    """Return the drills of these names, all of them where there is none; raise UsageError."""
    wanted = tuple(names)
    known = {one.name: one for one in DRILLS}
    for name in wanted:
        if name not in known:
            raise UsageError(f"there is no drill {name[:80]!r}", hint=f"known: {', '.join(known)}")
    return tuple(known[name] for name in wanted) or DRILLS


async def drilled(
    drills: Sequence[Drill], seeds: Iterable[int], away: Sequence[str] = ("",)
) -> AsyncIterator[Drilled]:
    """Yield the verdict on each drill, seed, kind of alarm, and source that is away."""
    for drill, _, rehearsal in rehearsals(drills, seeds):
        for category in drill.categories:
            for source in away:
                yield await rehearsal.drilled(category, source)


def document(results: Iterable[Drilled]) -> dict[str, Any]:
    """Return the verdicts as a JSON document."""
    every = tuple(results)
    return {
        "cases": [_row(one) for one in every],
        "right": sum(one.is_right for one in every),
        "of": len(every),
        "calibration": calibrated(stated(every)),
    }


def stated(results: Iterable[Drilled]) -> list[Told]:
    """Return how sure each cause was said to be, and whether it was the right one."""
    return [
        Told(confidence=one.confidence, is_right=one.mode == one.expected)
        for one in results
        if one.confidence is not None
    ]


def line(one: Drilled) -> tuple[str, str]:
    """Return one verdict as a line for people, with its style."""
    sure = "" if one.confidence is None else f" {one.confidence:.2f}"
    what = f"{one.mode or 'no cause'}{sure}, {one.remedy or 'no remedy'}"
    without = f", {one.away} away" if one.away else ""
    where = f"{one.drill} ({one.category}, seed {one.seed}{without})"
    if one.is_right:
        return f"right  {where:<52}  {what}", "green"
    return f"WRONG  {where:<52}  {what}: {'; '.join(one.wrong)}", "bold red"


def _row(one: Drilled) -> dict[str, Any]:
    subject = one.subject
    return {
        "case": one.drill,
        "seed": one.seed,
        "category": str(one.category),
        "away": one.away,
        "right": one.is_right,
        "expected": {"mode": one.expected},
        "mode": one.mode,
        "subject": subject
        and {"kind": str(subject.kind), "namespace": subject.namespace, "name": subject.name},
        "confidence": one.confidence,
        "remedy": one.remedy,
        "wrong": list(one.wrong),
        "seconds": one.seconds,
    }
