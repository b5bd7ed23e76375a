"""Runs drills: a world in memory, something done to it, an alarm, and the verdict on it.

Everything from the alarm to the offers is what runs in production, on the production adapters for
Kubernetes; only time is not waited for, and metrics come without a Prometheus in between.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Final

from petops.actuators.kubernetes import KubernetesActuator
from petops.domain.alarm import Alarm, AlarmSource, AlarmState, Assessment, Category, Priority
from petops.domain.change import Advice, Proposal
from petops.domain.diagnosis import Diagnosis
from petops.domain.events import Entry
from petops.domain.incident import Incident
from petops.domain.policy import Identity
from petops.domain.requests import ReportAlarm
from petops.domain.subject import Subject
from petops.engine.embedded import Embedded
from petops.engine.engine import Engine
from petops.engine.fence import bugs_in
from petops.engine.surroundings import Surroundings
from petops.journal.memory import MemoryJournal
from petops.lab.ports_in_memory import WorldCalls, WorldMetrics
from petops.lab.world import CLUSTER, World
from petops.programs.drilling_traces import WorldXRay
from petops.programs.following import until_decidable
from petops.programs.telling import Line
from petops.scenarios import BEHAVIOURS
from petops.scenarios.drills import About, Drill, Expected, Posed
from petops.sources.kubernetes import KubernetesCluster
from petops.sources.kubernetes_site import KubernetesSite
from petops.sources.xray import XRayTraces

BEGAN: Final = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
HISTORY: Final = timedelta(minutes=45)
AWAY: Final = (
    *("metrics", "traces"),
    *("events", "log", "nodes", "replicasets", "services", "endpointslices"),
)
"""What may be away, one at a time: metrics, traces, or what the API server forbids to read."""


class StandingClock:
    """`Clock` that moves only where somebody lets time pass."""

    def __init__(self) -> None:
        self.at = BEGAN

    def now(self) -> datetime:
        """Return the time, in UTC."""
        return self.at

    async def sleep(self, seconds: float) -> None:
        """Let the time pass at once."""
        self.at += timedelta(seconds=seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drilled:
    """One verdict on one drill. `away` is the source that could not be asked, if any."""

    drill: str
    seed: int
    category: Category
    away: str
    expected: str | None
    mode: str | None
    subject: Subject | None
    confidence: float | None
    remedy: str | None
    wrong: tuple[str, ...]
    because: str
    seconds: float

    @property
    def is_right(self) -> bool:
        return not self.wrong


class Rehearsal:
    """One drill in one world, of which several alarms may be investigated."""

    def __init__(
        self,
        drill: Drill,
        seed: int,
        *,
        size: int = 1,
        calls: type[WorldCalls] = WorldCalls,
        metrics: type[WorldMetrics] = WorldMetrics,
        xray: type[WorldXRay] = WorldXRay,
    ) -> None:
        self._drill, self._seed = drill, seed
        self._calls, self._metrics, self._xray = calls, metrics, xray
        self._clock = StandingClock()
        history = HISTORY if size == 1 else None
        self.world = World(self._clock, seed, BEHAVIOURS, history=history, size=size)
        posed = drill.begin(self.world)
        if drill.later is not None:
            self._pass(drill.after)
            drill.later(self.world)
        self._pass(drill.seconds - drill.after)
        self._posed = posed if isinstance(posed, Posed) else posed(self.world)

    def _pass(self, seconds: float) -> None:
        """Let time pass in strides, so that autoscalers and kubelets are looked at as they go."""
        while seconds > 0:
            stride = min(seconds, 15.0)
            self._clock.at += timedelta(seconds=stride)
            self.world.step()
            seconds -= stride

    async def drilled(self, category: Category, away: str = "") -> Drilled:
        """Investigate an alarm of this kind, with a source away, and judge the verdict."""
        began = monotonic()
        found = await self._investigated(category, away)
        cause = found.diagnosis.cause if found.diagnosis else None
        offered = [one for one in found.proposals if not isinstance(one.change, Advice)]
        first = next(iter([*offered, *found.proposals]), None)
        return Drilled(
            drill=self._drill.name,
            seed=self._seed,
            category=category,
            away=away,
            expected=self._posed.expects.mode,
            mode=cause.mode if cause else None,
            subject=cause.subject if cause else None,
            confidence=cause.confidence if cause else None,
            remedy=first.remedy if first else None,
            wrong=tuple(self._wrong(found, is_whole=not away)),
            because=found.diagnosis.because if found.diagnosis else "",
            seconds=round(monotonic() - began, 3),
        )

    async def _investigated(self, category: Category, away: str) -> Incident:
        calls = self._calls(self.world, frozenset({away} - {"", "metrics", "traces"}))
        metrics = self._metrics(self.world)
        metrics.is_down = away == "metrics"
        cluster = KubernetesCluster(calls, CLUSTER)

        def assessed(_: Alarm) -> Assessment:
            return Assessment(category=category, priority=Priority.P2, because="a drill")

        given = Surroundings(
            clock=self._clock,
            cluster=cluster,
            metrics=metrics,
            actuator=KubernetesActuator(calls),
            site=KubernetesSite(calls, CLUSTER),
            assess=assessed,
            new_id=lambda: str(uuid.uuid4()),
        )
        by = Identity(user="drill", channel="terminal")
        async with XRayTraces(client=self._xray(self.world)) as traces:
            if away != "traces":
                given = replace(given, traces=traces)
            async with Engine(MemoryJournal(), given).running() as running:
                engine = Embedded(running, by)
                entry = await engine.submit(ReportAlarm(id=str(uuid.uuid4()), alarm=self._alarm()))
                return await until_decidable(engine, entry.incident, _silent)

    def _alarm(self) -> Alarm:
        about = self._posed.about
        return Alarm(
            name=self._drill.alarm or f"{about.name}-alarm",
            source=AlarmSource.CLOUDWATCH,
            fingerprint=f"drill:{about.name}",
            event_id=str(uuid.uuid4()),
            state=AlarmState.ALARM,
            cluster=CLUSTER,
            started_at=self._clock.now(),
            subject=None if self._drill.labels else _subject(about),
            labels=self._drill.labels,
        )

    def _wrong(self, found: Incident, *, is_whole: bool) -> Iterator[str]:
        """Say in what the verdict is wrong. With a source away only a false one is."""
        expects, diagnosis = self._posed.expects, found.diagnosis
        yield from bugs_in(diagnosis)
        offered = [one for one in found.proposals if not isinstance(one.change, Advice)]
        first = next(iter([*offered, *found.proposals]), None)
        if expects.mode is None:
            yield from _invented(diagnosis, offered)
        else:
            yield from _missed(diagnosis, expects, is_whole=is_whole)
        right = diagnosis and diagnosis.cause and diagnosis.cause.mode == expects.mode
        if right and is_whole and expects.remedies:
            offered_first = first.remedy if first else "nothing"
            if offered_first not in expects.remedies:
                yield f"{offered_first} first, not {expects.remedies[0]}"
        if is_whole:
            yield from _not_told(diagnosis, expects.also_broken)


def _invented(diagnosis: Diagnosis | None, offered: Sequence[Proposal]) -> Iterator[str]:
    cause = diagnosis.cause if diagnosis else None
    if cause is not None:
        yield f"{cause.mode} on {cause.subject}, where nothing is wrong: {cause.because}"
    if offered:
        yield f"{offered[0].remedy} is offered for what is not wrong"


def _missed(diagnosis: Diagnosis | None, expects: Expected, *, is_whole: bool) -> Iterator[str]:
    cause = diagnosis.cause if diagnosis else None
    if cause is None:
        if is_whole:
            yield f"no cause, not {expects.mode}: {diagnosis.because if diagnosis else ''}"
    elif cause.mode != expects.mode:
        yield f"{cause.mode}, not {expects.mode}: {cause.because}"
    elif expects.about is not None and cause.subject != _subject(expects.about):
        yield f"about {cause.subject}, not {expects.about.kind} {expects.about.name}"


def rehearsals(
    drills: Iterable[Drill], seeds: Iterable[int]
) -> Iterator[tuple[Drill, int, Rehearsal]]:
    """Yield each drill in a world of each seed."""
    every = tuple(seeds)
    for drill in drills:
        for seed in every:
            yield drill, seed, Rehearsal(drill, seed)


def _not_told(diagnosis: Diagnosis | None, wanted: Iterable[tuple[str, str]]) -> Iterator[str]:
    told = {
        (one.mode, one.subject.name if one.subject else "")
        for one in (diagnosis.also_broken if diagnosis else ())
    }
    for mode, name in wanted:
        if (mode, name) not in told:
            yield f"does not say that {name} is broken too ({mode})"


def _subject(about: About) -> Subject:
    return Subject(cluster=CLUSTER, kind=about.kind, namespace=about.namespace, name=about.name)


def _silent(entry: Entry, lines: Iterable[Line]) -> None:
    del entry, lines
