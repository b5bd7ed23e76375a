"""Lets failure modes conclude from an investigation's rounds, and ranks what they found. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from petops.domain.diagnosis import Diagnosis, Finding, Row, Verdict, Weighs
from petops.domain.subject import Subject
from petops.domain.tracing import TroubleSpot
from petops.engine import fence
from petops.engine.blindness import blind_spots
from petops.engine.ranking import LEAST_CONFIDENCE, Ranked, ranked
from petops.engine.rounds import Round, awaited
from petops.engine.unexplained import with_warning
from petops.playbooks import slow_dependency
from petops.playbooks.base import Case, Evidence
from petops.playbooks.nearby import nearby
from petops.playbooks.steps.objects import service_endpoints
from petops.playbooks.steps.trouble import trouble_spot
from petops.playbooks.steps.whereabouts import whereabouts


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
    if awaited(here) is not None:
        return replace(one, rows=(_without_pods(one, here), *one.rows))
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


def _without_pods(one: Finding, here: Evidence) -> Row:
    return Row(
        mode=one.mode,
        step=service_endpoints.name,
        statement="the Service has no pod, and its workload was looked at",
        seen=f"{awaited(here)} should make the pods that it selects",
        refuted_if="a pod is behind the Service",
        weighs=Weighs.FOR,
        asked=here.asked(service_endpoints),
    )


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
