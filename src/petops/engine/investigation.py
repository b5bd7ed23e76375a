"""Asks every step of all suspected failure modes at the same time, each once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from petops.domain.evidence import Answer, Asked, Unknown
from petops.domain.facts import Fact
from petops.engine import fence
from petops.errors import PetopsError, SourceError, UsageError
from petops.playbooks.base import Case, Evidence, FailureMode, Sources, Step
from petops.ports import (
    NO_CLOUD,
    NO_LOGS,
    NO_TRACES,
    Clock,
    Cloud,
    Cluster,
    Logs,
    Metrics,
    Traces,
)

F = TypeVar("F", bound=Fact)
Report = Callable[[Answer | Unknown], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """All that steps may ask."""

    metrics: Metrics
    cluster: Cluster
    traces: Traces = NO_TRACES
    logs: Logs = NO_LOGS
    cloud: Cloud = NO_CLOUD
    own: Mapping[str, object] = field(default_factory=dict)


class Inquiry:
    """One round of questions. A step that several want is asked once."""

    def __init__(
        self,
        case: Case,
        ports: Ports,
        *,
        clock: Clock,
        known: Iterable[Answer] = (),
        report: Report | None = None,
        prefix: str = "",
    ) -> None:
        self._case = case
        self._ports = ports
        self._clock = clock
        self._report = report
        self._prefix = prefix
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
        unknowns = [one for one in results if isinstance(one, Unknown)]
        return Evidence(answers, unknowns, self._prefix)

    async def answer(self, step: Step[F]) -> F:
        """Return another step's fact; raise SourceError where it has none."""
        known = self._known.get(self._prefix + step.name)
        if known is None:
            result = await asyncio.shield(self._started(step))
            if isinstance(result, Unknown):
                raise SourceError(f"it needs {step.name}, which is not known: {result.why}")
            known = result
        return cast(F, known.fact)

    def _started(self, step: Step[Any]) -> asyncio.Task[Answer | Unknown]:
        name = self._prefix + step.name
        if name not in self._tasks and self._group is not None:
            known = self._known.get(name)
            if known is not None:
                return self._group.create_task(_already(known))
            self._tasks[name] = self._group.create_task(self._asked(step), name=name)
        return self._tasks[name]

    async def _asked(self, step: Step[Any]) -> Answer | Unknown:
        began, ports = self._clock.now(), self._ports
        sources = Sources(
            metrics=ports.metrics,
            cluster=ports.cluster,
            traces=ports.traces,
            logs=ports.logs,
            cloud=ports.cloud,
            answers=self,
            own=ports.own,
        )
        why = ""
        fact: Fact | None = None
        try:
            async with asyncio.timeout(step.timeout_seconds):
                fact = await step.ask(self._case, sources)
        except (SourceError, UsageError) as exc:
            why = exc.message
        except PetopsError:
            raise  # what another step came to could not be written
        except TimeoutError:
            why = f"no answer within {step.timeout_seconds:g} s"
        except Exception as exc:
            why = fence.told(exc)  # the other answers stand without it
        seconds = (self._clock.now() - began).total_seconds()
        asked: tuple[Asked, ...] = tuple(dict.fromkeys(sources.asked))
        name = self._prefix + step.name
        result: Answer | Unknown = (
            Unknown(step=name, why=why, asked=asked, seconds=seconds)
            if fact is None
            else Answer(step=name, fact=fact, asked=asked, seconds=seconds)
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
