"""Asks the rounds of an investigation one after the other, and concludes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from petops.domain.diagnosis import Diagnosis
from petops.domain.evidence import Answer, Unknown
from petops.engine.concluding import concluded
from petops.engine.investigation import Inquiry, Ports, Report
from petops.engine.rounds import Further, Round, first_round, located, second_round
from petops.playbooks.base import Case, Evidence, FailureMode
from petops.playbooks.steps.whereabouts import whereabouts
from petops.ports import Clock

Widen = Callable[[Round, str], Awaitable[None]]


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
