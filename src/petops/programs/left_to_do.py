"""What an incident leaves to people, from its record alone. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from petops.domain import events as ev
from petops.domain.change import (
    Act,
    Advice,
    Cordon,
    DrainNode,
    RestartWorkload,
    ScaleOut,
    SetCpuLimit,
    SetMemoryLimit,
    UndoRollout,
)
from petops.domain.diagnosis import Verdict, Weighs
from petops.domain.incident import Incident
from petops.domain.phases import OVER, Phase

_FOR_PEOPLE = frozenset({Phase.HANDED_OVER, Phase.UNEXPLAINED, Phase.FAILED})


def left_to_do(incident: Incident) -> tuple[str, ...]:
    """Return what is left to do, each as a line, maybe with what to copy below it."""
    return tuple(
        dict.fromkeys(
            (
                *_open(incident),
                *_after_acts(incident),
                *_advice(incident),
                *_unmeasured(incident),
                *_others(incident),
            )
        )
    )


def _open(incident: Incident) -> Iterator[str]:
    match incident.outcome:
        case ev.Mitigated(forecast=ahead):
            when = ""
            if ahead is not None and ahead.next_kill_at is not None:
                when = f"; next kill expected at {ahead.next_kill_at:%Y-%m-%d %H:%M:%S}Z"
            yield f"Remove the cause: it goes on, the change only took the symptom away{when}"
        case ev.RemedyFailed() | ev.ActFailed():
            yield (
                "Find another remedy: the one that was tried did not do it\n"
                f"petops investigate {shlex.quote(incident.alarm.name)}  # begins a new round"
            )
        case None if incident.phase in _FOR_PEOPLE:
            yield f"Take it over: the incident is {incident.phase}"
        case None if incident.phase not in OVER:
            yield f"Follow it to its end: the incident is {incident.phase}"
    for one in incident.on_offer:
        if not isinstance(one.change, Advice):
            short = one.digest.removeprefix("sha256:")[:8]
            yield f"Decide on: {one.change.summary} (petops approve {incident.id} {short})"
    if incident.broke_glass is not None:
        yield f"Review with a second person why {incident.broke_glass.by.user} broke the glass"


def _after_acts(incident: Incident) -> Iterator[str]:
    taken_back = incident.taken_back is not None
    for intent in incident.intents:
        if incident.applied is not None and not taken_back:
            yield from _after(intent.change)


def _after(change: Act) -> Iterator[str]:
    match change:
        case SetMemoryLimit() | SetCpuLimit() if change.pods:
            yield (
                f"Set {change.container}'s limit to {change.to} in the manifest as well: "
                "pods made from now on get the old one"
            )
        case SetMemoryLimit() | SetCpuLimit() | ScaleOut():
            yield f"Make it last in the manifest of {change.subject.name}: {change.summary}"
        case UndoRollout():
            yield (
                f"Fix what revision {change.from_revision} of {change.subject.name} brought, "
                "before it is rolled out again"
            )
        case RestartWorkload():
            yield f"Find why {change.subject.name} needed a restart: it mends nothing for long"
        case Cordon() | DrainNode():
            name = change.subject.name
            yield f"Replace node {name}, or open it again\nkubectl uncordon {name}"
        case _:
            return


def _advice(incident: Incident) -> Iterator[str]:
    for one in incident.proposals:
        if isinstance(one.change, Advice):
            handover = one.change.handover
            yield one.change.text + (f"\n{handover}" if handover else "")


def _unmeasured(incident: Incident) -> Iterator[str]:
    """Yield the gaps that a verdict hung on; of the others nothing would have changed."""
    diagnosis = incident.diagnosis
    if diagnosis is None:
        return
    findings = [one for one in (diagnosis.cause, *diagnosis.rivals) if one is not None]
    missed = {
        row.step
        for one in findings
        if one.verdict is not Verdict.REFUTED
        for row in one.rows
        if row.weighs is Weighs.NOT_MEASURED
    }
    for gap in diagnosis.gaps:
        if gap.step in missed:
            yield f"Make measurable what was not known: {gap.step} ({gap.why})"


def _others(incident: Incident) -> Iterator[str]:
    diagnosis = incident.diagnosis
    for one in diagnosis.also_broken if diagnosis else ():
        yield f"See to what is broken besides: {one.mode}: {one.because}"
