"""Steps, failure modes, and the ledger that a failure mode writes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Generic, Protocol, TypeVar, cast

from petops.domain.alarm import Alarm, Assessment, Category
from petops.domain.diagnosis import Finding, LeakForecast, Row, Verdict, Weighs
from petops.domain.evidence import Answer, Asked, Unknown, Window
from petops.domain.facts import Fact
from petops.domain.subject import Kind, Subject
from petops.errors import SourceError
from petops.ports import NO_CLOUD, NO_LOGS, NO_TRACES, Cloud, Cluster, Logs, Metrics, Told, Traces

F = TypeVar("F", bound=Fact)
T = TypeVar("T")

MOST_CONFIDENCE = 0.97
# What no recording of a real cluster and no public data confirms is never surer than this.
MOST_UNPROVEN = 0.6


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What an investigation is about. `subject` is None where the alarm could not be mapped."""

    alarm: Alarm
    assessment: Assessment
    subject: Subject | None
    window: Window


class Answers(Protocol):
    """Answers of other steps, each asked once however many want it."""

    async def answer(self, step: Step[F]) -> F:
        """Return the step's fact; raise SourceError where it has none."""


@dataclass(slots=True, kw_only=True)
class Sources:
    """What one step may ask. It keeps what was asked, for the record."""

    metrics: Metrics
    cluster: Cluster
    answers: Answers
    own: Mapping[str, Any] = field(default_factory=dict)
    traces: Traces = NO_TRACES
    logs: Logs = NO_LOGS
    cloud: Cloud = NO_CLOUD
    asked: list[Asked] = field(default_factory=list)

    def own_source(self, name: str) -> Any:
        """Return a source of the organisation's own; raise SourceError where it is not set."""
        if name not in self.own:
            raise SourceError(f"there is no source {name}", hint="petops runbooks check")
        return self.own[name]

    def noted(self, told: Told[T]) -> T:
        """Return what was told, having kept what was asked for it."""
        self.asked.extend(told.asked)
        return told.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Step(Generic[F]):
    """One question to the world, and how it is asked."""

    name: str
    question: str
    ask: Callable[[Case, Sources], Awaitable[F]]
    timeout_seconds: float = 15.0


def step(
    question: str, *, timeout_seconds: float = 15.0
) -> Callable[[Callable[[Case, Sources], Awaitable[F]]], Step[F]]:
    """Make a step of a coroutine function; the function's name becomes the step's."""

    def made(ask: Callable[[Case, Sources], Awaitable[F]]) -> Step[F]:
        name = getattr(ask, "__name__", "").replace("_", "-")
        return Step(name=name, question=question, ask=ask, timeout_seconds=timeout_seconds)

    return made


def subject_of(case: Case) -> Subject:
    """Return the object that the alarm is about; raise SourceError where there is none."""
    if case.subject is None:
        raise SourceError(
            f"the alarm names no object: {case.alarm.unmapped or 'it was not mapped'}"
        )
    return case.subject


class Evidence:
    """The answers of one round of questions, by step. `prefix` stands before its steps' names."""

    def __init__(
        self, answers: Iterable[Answer], unknowns: Iterable[Unknown] = (), prefix: str = ""
    ) -> None:
        self._answers: Mapping[str, Answer] = {one.step: one for one in answers}
        self._unknowns: Mapping[str, Unknown] = {one.step: one for one in unknowns}
        self.prefix = prefix

    def name_of(self, wanted: Step[F]) -> str:
        """Return the name that the step has in this round."""
        return self.prefix + wanted.name

    def fact(self, wanted: Step[F]) -> F | None:
        """Return what the step answered, or None where it has no answer."""
        answer = self._answers.get(self.name_of(wanted))
        return None if answer is None else cast(F, answer.fact)

    def asked(self, wanted: Step[F]) -> tuple[Asked, ...]:
        """Return the queries behind a step, answered or not."""
        name = self.name_of(wanted)
        known = self._answers.get(name) or self._unknowns.get(name)
        return known.asked if known else ()

    @property
    def unknowns(self) -> tuple[Unknown, ...]:
        """The steps of this round without an answer."""
        return tuple(one for one in self._unknowns.values() if one.step.startswith(self.prefix))

    def with_unknowns(self, more: Iterable[Unknown]) -> Evidence:
        """Return the same answers, and these gaps as well."""
        every = (*self._unknowns.values(), *more)
        return Evidence(self._answers.values(), every, self.prefix)

    def why_unknown(self, wanted: Step[F]) -> str:
        """Say why the step has no answer."""
        unknown = self._unknowns.get(self.name_of(wanted))
        return unknown.why if unknown else "it was not asked"


@dataclass(slots=True, kw_only=True)
class Ledger:
    """Collects one failure mode's rows, and the confidence that they add up to."""

    mode: str
    evidence: Evidence
    rows: list[Row] = field(default_factory=list)
    confidence: float = 0.0
    refuted: bool = False

    def row(
        self, of: Step[F], weighs: Weighs, statement: str, *, seen: str, refuted_if: str
    ) -> None:
        """Write a row that changes no confidence."""
        asked = self.evidence.asked(of)
        self.rows.append(
            Row(
                mode=self.mode,
                step=self.evidence.name_of(of),
                statement=statement,
                seen=seen,
                refuted_if=refuted_if,
                weighs=weighs,
                asked=asked,
            )
        )

    def supports(
        self, of: Step[F], weight: float, statement: str, *, seen: str, refuted_if: str
    ) -> None:
        """Write what speaks for the hypothesis, and add its weight."""
        self.row(of, Weighs.FOR, statement, seen=seen, refuted_if=refuted_if)
        self.confidence += weight

    def opposes(
        self, of: Step[F], weight: float, statement: str, *, seen: str, refuted_if: str
    ) -> None:
        """Write what speaks against the hypothesis, and take its weight off."""
        self.row(of, Weighs.AGAINST, statement, seen=seen, refuted_if=refuted_if)
        self.confidence -= weight

    def refutes(self, of: Step[F], statement: str, *, seen: str, refuted_if: str) -> None:
        """Write what rules the hypothesis out."""
        self.row(of, Weighs.AGAINST, statement, seen=seen, refuted_if=refuted_if)
        self.refuted = True

    def not_measured(self, of: Step[F], statement: str, *, refuted_if: str, why: str = "") -> None:
        """Write that this is not known; it proves nothing and adds nothing."""
        seen = f"not measured: {why or self.evidence.why_unknown(of)}"
        self.row(of, Weighs.NOT_MEASURED, statement, seen=seen, refuted_if=refuted_if)

    def finding(
        self,
        verdict: Verdict,
        because: str,
        *,
        subject: Subject | None = None,
        is_proven: bool = True,
        remedies: tuple[str, ...] = (),
        explains: tuple[str, ...] = (),
        **more: Any,
    ) -> Finding:
        """Return what the rows add up to; only what is supported explains and offers anything."""
        holds = verdict is Verdict.SUPPORTED
        most = MOST_CONFIDENCE if is_proven else MOST_UNPROVEN
        if holds and not is_proven:
            because += " (unproven: no recording of a real cluster confirms this yet)"
        return Finding(
            mode=self.mode,
            verdict=verdict,
            confidence=round(max(0.0, min(most, self.confidence)), 2),
            because=because,
            rows=tuple(self.rows),
            subject=subject,
            remedies=remedies if holds else (),
            explains=explains if holds else (),
            **more,
        )


# Symptoms of workloads. An alarm's kind is only where somebody looked first: what Kubernetes says
# of the pods themselves is asked for in each of them.
OF_WORKLOADS = (
    Category.MEMORY,
    Category.CPU,
    Category.RESTARTS,
    Category.LATENCY,
    Category.ERRORS,
    Category.AVAILABILITY,
)


def suspected_in(*categories: Category, on_nodes: bool = False) -> Callable[[Case], bool]:
    """Return a `suspect` for these kinds of symptom, and for what is not known to be of a kind.

    An alarm about a node is not about whatever ails on it, unless the mode is thought of there too.
    """
    wanted = frozenset({*categories, Category.OTHER})

    def suspect(case: Case) -> bool:
        on_node = case.subject is not None and case.subject.kind is Kind.NODE
        return case.assessment.category in wanted and (on_nodes or not on_node)

    return suspect


class CauseNow(StrEnum):
    """What a look after the change says of the cause."""

    GONE = "gone"
    GOES_ON = "goes-on"
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """How it stands with a symptom and its cause.

    `symptom_gone` is None where that was not measured.
    """

    symptom_gone: bool | None
    cause: CauseNow
    signals: tuple[str, ...]
    forecast: LeakForecast | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureMode:
    """One way in which things fail: when to think of it, what to ask, and how to conclude.

    `judge` looks at fresh evidence of `watch_steps` at or after a change (`since` is None before
    any change). `relapse_seconds` is how long recovery must hold before it counts as verified.
    """

    name: str
    title: str
    suspect: Callable[[Case], bool]
    steps: tuple[Step[Any], ...]
    conclude: Callable[[Case, Evidence], Finding]
    watch_steps: tuple[Step[Any], ...]
    judge: Callable[[Case, Evidence, Finding, datetime | None], Judgement]
    relapse_seconds: Callable[[Evidence, Finding], float]
    watched: str
