"""An investigation's rounds: about the alarm's object, then about where the trouble seems to be.

The second round is asked only where the first found no cause at the alarmed object itself and its
`trouble-spot` names another workload. Its answers stand beside the first round's in the journal,
with `THERE` before their steps' names.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from petops.domain.diagnosis import Diagnosis, Finding, Row, Verdict, Weighs
from petops.domain.evidence import Answer, Unknown
from petops.domain.subject import Kind, Subject
from petops.domain.tracing import TroubleSpot
from petops.engine import fence
from petops.engine.blindness import blind_spots
from petops.engine.investigation import Inquiry, Ports, Report, steps_of, suspected
from petops.engine.ranking import LEAST_CONFIDENCE, Ranked, ranked
from petops.engine.unexplained import with_warning
from petops.playbooks import slow_dependency
from petops.playbooks.base import Case, Evidence, FailureMode, Step
from petops.playbooks.nearby import nearby
from petops.playbooks.steps.beside import monitoring
from petops.playbooks.steps.trouble import trouble_spot
from petops.playbooks.steps.whereabouts import whereabouts
from petops.playbooks.steps.workloads import affected_pods, principal
from petops.ports import Clock

THERE: Final = "there-"
ALWAYS: Final[tuple[Step[Any], ...]] = (affected_pods, monitoring)
"""What is asked whichever modes are thought of."""

Further = Callable[[Sequence[FailureMode]], Iterable[Step[Any]]]
Widen = Callable[["Round", str], Awaitable[None]]


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
    """Return where the trouble seems to be: by the graph's readings, else by whole traces."""
    spot = evidence.fact(trouble_spot)
    if spot is not None and spot.subject is not None:
        return spot.subject, spot.why
    if slow_dependency.NAME in {mode.name for mode in first.modes}:
        found = fence.concluded(slow_dependency.MODE, first.case, evidence)
        if found.verdict is Verdict.SUPPORTED:
            return found.subject, found.because
    return None, ""


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


async def investigated(
    case: Case,
    modes: Iterable[FailureMode],
    ports: Ports,
    *,
    clock: Clock,
    further: Further = lambda _: (),
    known: Sequence[Answer] = (),
    unknown: Sequence[Unknown] = (),
    report: Report | None = None,
    widen: Widen | None = None,
) -> Diagnosis:
    """Ask one round or two, and conclude. What is `known` or `unknown` already is not asked."""
    catalogue = tuple(modes)
    first = first_round(case, catalogue, further)
    asked = _Asker(ports, clock, report, list(known), list(unknown))
    if case.subject is None:
        search = await asked(replace(first, steps=(whereabouts,)))
        found = located(first, search, catalogue, further)
        if found is not None:
            first, why = found
            if widen is not None:
                await widen(replace(first, steps=()), why)
    here = await asked(first)
    more = second_round(first, here, catalogue)
    if more is None:
        return concluded(first, here)
    second, because = more
    if widen is not None:
        await widen(second, because)
    there = await asked(second)
    return concluded(first, here, second, there)


@dataclass(slots=True)
class _Asker:
    """Asks rounds with the same ports, and none of what is known already."""

    ports: Ports
    clock: Clock
    report: Report | None
    known: list[Answer]
    unknown: list[Unknown]

    async def __call__(self, one: Round) -> Evidence:
        inquiry = Inquiry(
            one.case,
            self.ports,
            clock=self.clock,
            known=self.known,
            report=self._noted,
            prefix=one.prefix,
        )
        done = {each.step for each in self.unknown}
        wanted = (step for step in one.steps if one.prefix + step.name not in done)
        return (await inquiry.ask(wanted)).with_unknowns(self.unknown)

    async def _noted(self, result: Answer | Unknown) -> None:
        if self.report is not None:
            await self.report(result)
        if isinstance(result, Answer):
            self.known.append(result)
        else:
            self.unknown.append(result)


def concluded(
    first: Round,
    here: Evidence,
    second: Round | None = None,
    there: Evidence | None = None,
) -> Diagnosis:
    """Let each mode conclude, and rank what they found. Pure: a replay gives the same."""
    findings = [fence.concluded(mode, first.case, here) for mode in first.modes]
    spot = here.fact(trouble_spot)
    if second is not None and there is not None:
        elsewhere = [fence.concluded(mode, second.case, there) for mode in second.modes]
        findings = _seen_as_one(findings, elsewhere, there)
        findings += [_placed(one, here, spot) for one in elsewhere]
    found = _led(ranked(findings), first)
    beside = (*found.also_broken, *_nearby(first.case, here, found.cause))
    gaps = {one.step: one for one in here.unknowns}
    gaps |= {one.step: one for one in (there.unknowns if there is not None else ())}
    blind = blind_spots(here) if first.case.subject is not None else ()
    because = _because(first, here, found, spot, blind)
    return Diagnosis(
        cause=found.cause,
        rivals=found.rivals,
        gaps=tuple(gaps.values()),
        because=because if found.cause else with_warning(because, first.case, here),
        also_broken=beside,
        blind=blind,
    )


def _seen_as_one(
    findings: list[Finding], elsewhere: Sequence[Finding], there: Evidence
) -> list[Finding]:
    """Let who waits and what was found at the other end be about one thing, so that it joins.

    Where nothing was found there, the waiting is judged by what was seen there.
    """
    held = [
        one
        for one in elsewhere
        if one.verdict is Verdict.SUPPORTED and one.confidence >= LEAST_CONFIDENCE
    ]
    if not held:
        return [
            slow_dependency.settled(one, there) if one.mode == slow_dependency.NAME else one
            for one in findings
        ]
    found = max(held, key=lambda one: one.confidence)
    return [
        replace(one, subject=found.subject) if one.mode == slow_dependency.NAME else one
        for one in findings
    ]


def _placed(one: Finding, here: Evidence, spot: TroubleSpot | None) -> Finding:
    """Give a finding of the second round the row that says why that place was looked at."""
    if one.verdict is not Verdict.SUPPORTED:
        return one
    one = replace(one, explains=(*one.explains, slow_dependency.NAME))
    if spot is None or not spot.cause:
        return one
    row = Row(
        mode=one.mode,
        step=trouble_spot.name,
        statement=f"what {spot.alarmed} shows comes from {spot.cause}",
        seen=spot.why,
        refuted_if="its own part stays within what normal times know, or its callees explain it",
        weighs=Weighs.FOR,
        asked=here.asked(trouble_spot),
    )
    because = f"{one.because}; {spot.alarmed} shows it, which waits for {spot.cause}"
    return replace(one, rows=(row, *one.rows), because=because)


def _nearby(case: Case, here: Evidence, cause: Finding | None) -> tuple[Finding, ...]:
    """Return what ails other pods, those of the cause left out."""
    about = {cause.subject, cause.culprit} if cause else set[Subject | None]()
    return tuple(one for one in nearby(case, here, cause) if one.subject not in about)


def _led(found: Ranked, first: Round) -> Ranked:
    """Give the cause the row that says how its object was found, where the alarm named none."""
    seen = first.led.fact(whereabouts) if first.led is not None else None
    if seen is None or found.cause is None or first.led is None:
        return found
    worst = seen.found[0]
    row = Row(
        mode=found.cause.mode,
        step=whereabouts.name,
        statement=f"the alarm names no object: {worst.subject} is meant",
        seen=f"{seen.area}: {worst.what}",
        refuted_if="it is well, or another one is meant",
        weighs=Weighs.FOR,
        asked=first.led.asked(whereabouts),
    )
    return replace(found, cause=replace(found.cause, rows=(row, *found.cause.rows)))


def _because(
    first: Round,
    here: Evidence,
    found: Ranked,
    spot: TroubleSpot | None,
    blind: Sequence[str],
) -> str:
    if found.cause is not None:
        return found.cause.because
    if not found.rivals:
        return f"no failure mode that petops knows fits category {first.case.assessment.category}"
    if first.case.subject is None:
        return f"no cause found: {_nowhere(here)}"
    open_ones = [one.because for one in found.rivals if one.verdict is not Verdict.REFUTED]
    said = (
        "; ".join(dict.fromkeys(open_ones)) or f"{len(found.rivals)} failure modes were ruled out"
    )
    if spot is not None and spot.cause:
        said = f"{spot.why}, but no failure mode that petops knows fits there; {said}"
    if first.led is not None:
        said = f"the alarm names no object, and {first.case.subject} was looked at; {said}"
    if blind:
        return f"monitoring is blind: {'; '.join(blind)}. No cause can be told: {said}"
    return f"no cause found: {said}"


def _nowhere(here: Evidence) -> str:
    looked = here.fact(whereabouts)
    if looked is None:
        return f"which object is meant is not known: {here.why_unknown(whereabouts)}"
    return f"the alarm names no object, and nothing ails in {looked.area}: {looked.why}"


def evidence_of(answers: Iterable[Answer], unknowns: Iterable[Unknown], cause: Finding) -> Evidence:
    """Return the evidence of the round in which this cause was found."""
    is_there = any(row.step.startswith(THERE) for row in cause.rows)
    return Evidence(answers, unknowns, THERE if is_there else "")
