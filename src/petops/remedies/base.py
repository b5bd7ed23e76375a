"""A remedy plans one exact change for a finding; guards say whether it may be offered and made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from petops.domain.change import Change, GuardResult, Risk
from petops.domain.circumstances import Circumstances
from petops.domain.diagnosis import Finding
from petops.domain.facts import Pod, Rollouts
from petops.domain.objects import NodeMemory
from petops.domain.policy import Refusal, Rules, Unclear
from petops.domain.terrain import NodeSite, Room
from petops.ports import WorkloadState


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What a remedy plans on: the finding, and its object as it is now with what stands around it.

    `workload` is what remedies change, maybe a node; `node` has the pods on it.
    """

    finding: Finding
    workload: WorkloadState
    rollouts: Rollouts | None
    now: datetime
    rules: Rules = field(default_factory=Rules)
    room: Room = field(default_factory=Room)
    node: NodeSite | None = None
    pods: tuple[Pod, ...] = ()
    memory: NodeMemory | None = None


class Weight(StrEnum):
    """What a guard's objection does.

    BLOCKS: the change is neither offered nor made. MARKS: it is offered with the objection, and not
    made while that holds. TELLS: people read it and decide.
    """

    BLOCKS = "blocks"
    MARKS = "marks"
    TELLS = "tells"


Check = Callable[[Change, Circumstances], Refusal | Unclear | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """One thing that must hold before a change is offered, and again before it is made.

    A strict one objects where it cannot find out; any other says that it could not.
    """

    name: str
    check: Check
    weight: Weight = Weight.BLOCKS
    is_strict: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedy:
    """`plan` returns the change, or a Refusal where this remedy does not fit the situation.

    `risk_in` has the failure modes in which its risk is another one.
    """

    name: str
    risk: Risk
    plan: Callable[[Situation], Change | Refusal]
    guards: tuple[Guard, ...]
    risk_in: Mapping[str, Risk] = field(default_factory=dict)

    def risk_for(self, mode: str) -> Risk:
        """Return the risk of this remedy for a failure mode."""
        return self.risk_in.get(mode, self.risk)


def guard(check: Check, weight: Weight = Weight.BLOCKS, *, is_strict: bool = False) -> Guard:
    """Return the guard that a function is, called by the function's name."""
    name = getattr(check, "__name__", "").replace("_", "-")
    return Guard(name=name, check=check, weight=weight, is_strict=is_strict)


def checked(guards: Iterable[Guard], change: Change, now: Circumstances) -> tuple[GuardResult, ...]:
    """Return what each guard says of `change`."""
    return tuple(_said(one, one.check(change, now)) for one in guards)


def _said(by: Guard, said: Refusal | Unclear | None) -> GuardResult:
    match said:
        case None:
            return GuardResult(name=by.name, ok=True)
        case Refusal():
            return GuardResult(name=by.name, ok=False, why=str(said))
        case Unclear(why=why):
            why = f"could not be found out: {why}"
            return GuardResult(name=by.name, ok=not by.is_strict, why=why, known=False)


def objections(
    guards: Iterable[Guard], results: Iterable[GuardResult], *, deciding: bool
) -> tuple[GuardResult, ...]:
    """Return the results that stand against offering the change or, when deciding, making it."""
    counts = {Weight.BLOCKS, Weight.MARKS} if deciding else {Weight.BLOCKS}
    weighing = {one.name for one in guards if one.weight in counts}
    return tuple(one for one in results if not one.ok and one.name in weighing)
