"""An investigation's rounds: about the alarm's object, then about where the trouble seems to be.

The second round is asked only where the first found no cause at the alarmed object itself and its
`trouble-spot` names another workload. Its answers stand beside the first round's in the journal,
with `THERE` before their steps' names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from petops.domain.diagnosis import Finding, Verdict
from petops.domain.evidence import Answer, Unknown
from petops.domain.subject import Kind, Subject
from petops.engine import fence
from petops.engine.investigation import steps_of, suspected
from petops.engine.ranking import LEAST_CONFIDENCE
from petops.playbooks import slow_dependency
from petops.playbooks.base import Case, Evidence, FailureMode, Step
from petops.playbooks.steps.beside import monitoring
from petops.playbooks.steps.objects import service_endpoints
from petops.playbooks.steps.trouble import trouble_spot
from petops.playbooks.steps.whereabouts import whereabouts
from petops.playbooks.steps.workloads import affected_pods, principal

THERE: Final = "there-"
ALWAYS: Final[tuple[Step[Any], ...]] = (affected_pods, monitoring)
"""What is asked whichever modes are thought of."""

Further = Callable[[Sequence[FailureMode]], Iterable[Step[Any]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What is asked in one round, and about what."""

    case: Case
    modes: tuple[FailureMode, ...]
    steps: tuple[Step[Any], ...]
    prefix: str = ""
    led: Evidence | None = None

    @property
    def named(self) -> tuple[tuple[str, str], ...]:
        """The steps as people see them: name and question."""
        about = self.case.subject
        there = f" ({about.name})" if self.prefix and about else ""
        return tuple((self.prefix + one.name, one.question + there) for one in self.steps)


def first_round(case: Case, modes: Iterable[FailureMode], further: Further = lambda _: ()) -> Round:
    """Return the questions about the alarm's own object; `further` ones besides the modes'.

    Where the alarm names none, which one is meant is asked before all.
    """
    wanted = suspected(case, modes)
    before = (whereabouts,) if case.subject is None else ()
    more = (*further(wanted), *ALWAYS) if wanted else ()
    return Round(case=case, modes=wanted, steps=(*before, *steps_of(wanted, more)))


def located(
    first: Round,
    evidence: Evidence,
    modes: Iterable[FailureMode],
    further: Further = lambda _: (),
) -> tuple[Round, str] | None:
    """Return the same questions about the object that seems to be meant, and why; None for none."""
    found = evidence.fact(whereabouts)
    if first.case.subject is not None or found is None or not found.found:
        return None
    worst = found.found[0]
    again = first_round(replace(first.case, subject=worst.subject), modes, further)
    because = f"the alarm names no object; {found.area}: {worst.subject}, {worst.what}"
    return replace(again, led=evidence), because


def second_round(
    first: Round, evidence: Evidence, modes: Iterable[FailureMode]
) -> tuple[Round, str] | None:
    """Return the questions about where the trouble seems to be, and why; None where it is here."""
    affected = evidence.fact(affected_pods)
    place, why = _place(first, evidence)
    if place is None or affected is None:
        return None
    known = {affected.subject, principal(affected), *(pod.owner for pod in affected.pods)}
    if place in known or _has_cause(first, evidence):
        return None
    case = replace(first.case, subject=place)
    wanted = suspected(case, modes)
    steps = tuple(one for one in steps_of(wanted) if one.name != trouble_spot.name)
    because = f"the trouble seems to lie at {place.name}: {why}"
    return Round(case=case, modes=wanted, steps=steps, prefix=THERE), because


def _place(first: Round, evidence: Evidence) -> tuple[Subject | None, str]:
    """Return where the trouble seems to be.

    A Service without any pod has it at the workload that should make them; else the graph's
    readings tell, else whole traces.
    """
    maker = awaited(evidence)
    if maker is not None:
        return maker, f"it should make the pods that {first.case.subject} selects, and has none"
    spot = evidence.fact(trouble_spot)
    if spot is not None and spot.subject is not None:
        return spot.subject, spot.why
    if slow_dependency.NAME in {mode.name for mode in first.modes}:
        found = fence.concluded(slow_dependency.MODE, first.case, evidence)
        if found.verdict is Verdict.SUPPORTED:
            return found.subject, found.because
    return None, ""


def awaited(evidence: Evidence) -> Subject | None:
    """Return the workload whose pods a Service without any would select."""
    affected, seen = evidence.fact(affected_pods), evidence.fact(service_endpoints)
    if affected is None or affected.pods or affected.subject.kind is not Kind.SERVICE:
        return None
    names = (one.awaits for one in (seen.services if seen else ()))
    kind, _, name = next((one for one in names if one), "").partition(" ")
    return replace(affected.subject, kind=Kind(kind), name=name) if name else None


def _has_cause(first: Round, evidence: Evidence) -> bool:
    """Say whether the alarmed object has a cause of its own; what ails a node is none of it."""
    found = (fence.concluded(mode, first.case, evidence) for mode in first.modes)
    return any(
        one.verdict is Verdict.SUPPORTED
        and one.confidence >= LEAST_CONFIDENCE
        and one.mode != slow_dependency.NAME
        and not (one.subject is not None and one.subject.kind is Kind.NODE)
        for one in found
    )


def evidence_of(answers: Iterable[Answer], unknowns: Iterable[Unknown], cause: Finding) -> Evidence:
    """Return the evidence of the round in which this cause was found."""
    is_there = any(row.step.startswith(THERE) for row in cause.rows)
    return Evidence(answers, unknowns, THERE if is_there else "")
