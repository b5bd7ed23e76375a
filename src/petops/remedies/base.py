"""A remedy plans one exact change for a finding; guards say whether it may be offered and made."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from petops.domain.change import Change, GuardResult, Risk
from petops.domain.diagnosis import Finding
from petops.domain.facts import Rollouts
from petops.domain.policy import Circumstances, Refusal
from petops.ports import WorkloadState


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What a remedy plans on: the finding, and the workload as it is now."""

    finding: Finding
    workload: WorkloadState
    rollouts: Rollouts | None
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """One thing that must hold before a change is offered, and again before it is made."""

    name: str
    check: Callable[[Change, Circumstances], Refusal | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedy:
    """`plan` returns the change, or a Refusal where this remedy does not fit the situation."""

    name: str
    risk: Risk
    plan: Callable[[Situation], Change | Refusal]
    guards: tuple[Guard, ...]


def checked(guards: Iterable[Guard], change: Change, now: Circumstances) -> tuple[GuardResult, ...]:
    """Return what each guard says of `change`."""
    results = []
    for guard in guards:
        refusal = guard.check(change, now)
        why = "" if refusal is None else str(refusal)
        results.append(GuardResult(name=guard.name, ok=refusal is None, why=why))
    return tuple(results)
