"""Asks every step of all suspected failure modes at the same time, and weighs the answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar, cast

from petops.domain.diagnosis import Diagnosis, Verdict
from petops.domain.evidence import Answer, Asked, Unknown
from petops.domain.facts import Fact
from petops.engine.ranking import ranked
from petops.errors import SourceError
from petops.playbooks.base import Case, Evidence, FailureMode, Sources, Step
from petops.playbooks.nearby import nearby
from petops.ports import Clock, Cluster, Metrics

F = TypeVar("F", bound=Fact)
Report = Callable[[Answer | Unknown], Awaitable[None]]


class Inquiry:
    """One round of questions. A step that several want is asked once."""

    def __init__(
        self,
        case: Case,
        *,
        metrics: Metrics,
        cluster: Cluster,
        clock: Clock,
        own: Mapping[str, object] | None = None,
        known: Iterable[Answer] = (),
        report: Report | None = None,
    ) -> None:
        self._case = case
        self._metrics = metrics
        self._cluster = cluster
        self._clock = clock
        self._own = own or {}
        self._report = report
        self._known = {one.step: one for one in known}
        self._tasks: dict[str, asyncio.Task[Answer | Unknown]] = {}
        self._group: asyncio.TaskGroup | None = None

    async def ask(self, steps: Iterable[Step[Any]]) -> Evidence:
        """Ask all steps at once; return their answers, and why others have none."""
        async with asyncio.TaskGroup() as self._group:
            for one in steps:
                self._started(one)
        results = [task.result() for task in self._tasks.values()]
        answers = [*self._known.values(), *(one for one in results if isinstance(one, Answer))]
        return Evidence(answers, [one for one in results if isinstance(one, Unknown)])

    async def answer(self, step: Step[F]) -> F:
        """Return another step's fact; raise SourceError where it has none."""
        known = self._known.get(step.name)
        if known is None:
            result = await asyncio.shield(self._started(step))
            if isinstance(result, Unknown):
                raise SourceError(f"it needs {step.name}, which is not known: {result.why}")
            known = result
        return cast(F, known.fact)

    def _started(self, step: Step[Any]) -> asyncio.Task[Answer | Unknown]:
        if step.name not in self._tasks and self._group is not None:
            known = self._known.get(step.name)
            if known is not None:
                return self._group.create_task(_already(known))
            self._tasks[step.name] = self._group.create_task(self._asked(step), name=step.name)
        return self._tasks[step.name]

    async def _asked(self, step: Step[Any]) -> Answer | Unknown:
        began = self._clock.now()
        sources = Sources(metrics=self._metrics, cluster=self._cluster, answers=self, own=self._own)
        why = ""
        fact: Fact | None = None
        try:
            async with asyncio.timeout(step.timeout_seconds):
                fact = await step.ask(self._case, sources)
        except SourceError as exc:
            why = exc.message
        except TimeoutError:
            why = f"no answer within {step.timeout_seconds:g} s"
        seconds = (self._clock.now() - began).total_seconds()
        asked: tuple[Asked, ...] = tuple(dict.fromkeys(sources.asked))
        result: Answer | Unknown = (
            Unknown(step=step.name, why=why, asked=asked, seconds=seconds)
            if fact is None
            else Answer(step=step.name, fact=fact, asked=asked, seconds=seconds)
        )
        if self._report is not None:
            await self._report(result)
        return result


async def _already(known: Answer) -> Answer | Unknown:
    return known


def suspected(case: Case, modes: Iterable[FailureMode]) -> tuple[FailureMode, ...]:
    """Return the failure modes that this case makes one think of."""
    return tuple(mode for mode in modes if mode.suspect(case))


def steps_of(
    modes: Iterable[FailureMode], further: Iterable[Step[Any]] = ()
) -> tuple[Step[Any], ...]:
    """Return each distinct step of these modes, in the order in which they name them."""
    own = (one for mode in modes for one in mode.steps)
    return tuple({one.name: one for one in (*own, *further)}.values())


def concluded(
    case: Case, modes: Sequence[FailureMode], evidence: Evidence, unknowns: tuple[Unknown, ...]
) -> Diagnosis:
    """Let each mode conclude, and rank what they found. Pure: a replay gives the same."""
    found = ranked([mode.conclude(case, evidence) for mode in modes])
    beside = (*found.also_broken, *nearby(case, evidence, found.cause))
    if found.cause is not None:
        because = found.cause.because
    elif not found.rivals:
        because = f"no failure mode that petops knows fits category {case.assessment.category}"
    else:
        open_ones = [one.because for one in found.rivals if one.verdict is not Verdict.REFUTED]
        said = "; ".join(open_ones) or f"{len(found.rivals)} failure modes were ruled out"
        because = f"no cause found: {said}"
    return Diagnosis(
        cause=found.cause,
        rivals=found.rivals,
        gaps=unknowns,
        because=because,
        also_broken=beside,
    )
