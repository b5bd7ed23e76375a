"""What a chart shows: curves over time, their limit, and what happened meanwhile. Values only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, Final

from petops.domain import events as ev
from petops.domain.evidence import Sample
from petops.domain.facts import ContainerMemory, Lifetime, Rollouts, Stops
from petops.domain.incident import Incident
from petops.domain.objects import Evictions, ObjectEvents
from petops.domain.quantity import short

THOUSAND: Final = 1000
_AROUND: Final = timedelta(minutes=2)
_MOST_MARKS: Final = 8


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened at one time: a kill, a rollout, the change."""

    at: datetime
    name: str
    tone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """One series. `ended` is set where what it measured is gone; `top` is its own limit."""

    name: str
    points: tuple[Sample, ...]
    ended: bool = False
    top: float | None = None

    @property
    def last(self) -> Sample:
        return self.points[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """A chart's content. Every curve has points; `ahead` is where the last one is heading."""

    title: str
    unit: str
    curves: tuple[Curve, ...]
    marks: tuple[Mark, ...] = ()
    limit: float | None = None
    ahead: Sample | None = None

    @property
    def start(self) -> datetime:
        return min(one.points[0].at for one in self.curves)

    @property
    def end(self) -> datetime:
        return max(one.last.at for one in self.curves)


def amount(value: float, unit: str) -> str:
    """Return a value in few characters: bytes with their binary prefix, the rest with k, M, G."""
    if unit in {"bytes", "B"}:
        return short(value)
    if unit == "MiB":
        return f"{value:.0f} MiB"
    if unit == "%":
        return f"{value:.0f} %"
    if unit == "s" and abs(value) < 1:
        return f"{value * THOUSAND:.0f} ms"
    size = value
    for prefix in ("", "k", "M", "G"):
        if abs(size) < THOUSAND:
            return f"{size:.3g}{prefix} {unit}".rstrip()
        size /= THOUSAND
    return f"{size:.4g}T {unit}".rstrip()


def memory_of(incident: Incident) -> Plot | None:
    """Return the memory of the container that is blamed, else of all that were measured."""
    fact = latest(incident, ContainerMemory)
    if fact is None:
        return None
    measured = tuple(one for one in fact.lifetimes if one.readings)
    cause = incident.diagnosis.cause if incident.diagnosis else None
    if cause is not None and cause.subject is not None:
        blamed = tuple(
            one
            for one in measured
            if one.owner == cause.subject and cause.container in {"", one.container}
        )
        measured = blamed or measured
    if not measured:
        return None
    limits = [one.limit_mib for one in measured if one.limit_mib]
    limit = max(limits) if limits else None
    kill = cause.forecast.next_kill_at if cause and cause.forecast else None
    plot = Plot(
        title="memory",
        unit="MiB",
        curves=tuple(_lifetime(one) for one in measured),
        limit=limit,
        ahead=Sample(at=kill, value=limit) if kill and limit else None,
    )
    return marked(plot, incident)


def with_memory(read: Sequence[Plot], memory: Plot | None) -> tuple[Plot, ...]:
    """Return what was read with the journal's memory in it.

    The journal knows of limit, lifetimes and the next kill, but ends with the investigation: curves
    that go on after it are drawn with its limit.
    """
    live = next((one for one in read if memory and one.title == memory.title), None)
    if memory is None:
        return tuple(read)
    if live is None:
        return (memory, *read)
    made = memory
    if live.end > memory.end:
        ahead = memory.ahead if memory.ahead and memory.ahead.at > live.end else None
        curves = tuple(replace(one, top=memory.limit) for one in live.curves)
        made = replace(live, curves=curves, limit=memory.limit, ahead=ahead)
    return tuple(made if one is live else one for one in read)


def _lifetime(life: Lifetime) -> Curve:
    points = tuple(Sample(at=one.at, value=one.mib) for one in life.readings)
    return Curve(name=life.pod, points=points, ended=not life.alive, top=life.limit_mib)


def marked(plot: Plot, incident: Incident) -> Plot:
    """Return the plot with the kills, rollouts and changes that fall into its time."""
    start, end = plot.start - _AROUND, plot.end + _AROUND
    found = sorted(
        {one for one in _marks(incident) if start <= one.at <= end}, key=lambda one: one.at
    )
    return replace(plot, marks=tuple(found[-_MOST_MARKS:]))


def _marks(incident: Incident) -> Iterable[Mark]:
    stops: Stops | None = latest(incident, Stops)
    for stop in stops.out_of_memory if stops else ():
        if stop.finished_at is not None:
            yield Mark(stop.finished_at, "kill", "bad")
    for kind in (Evictions, ObjectEvents):
        fact = latest(incident, kind)
        for one in fact.occurrences if fact else ():
            if one.reason == "Evicted" and one.last_at is not None:
                yield Mark(one.last_at, "eviction", "bad")
    rollouts: Rollouts | None = latest(incident, Rollouts)
    if rollouts and rollouts.current and rollouts.current_since:
        yield Mark(rollouts.current_since, f"rollout r{rollouts.current.number}", "info")
    for event in (incident.applied, incident.taken_back):
        if event is not None:
            is_change = isinstance(event, ev.RemedyApplied)
            yield Mark(event.at, "change" if is_change else "taken back", "good")


def latest(incident: Incident, kind: type[Any]) -> Any:
    """Return the latest fact of this kind that a step answered; None where none did."""
    found = (one.fact for one in reversed(incident.answers) if isinstance(one.fact, kind))
    return next(found, None)


def rates(samples: Sequence[Sample]) -> tuple[Sample, ...]:
    """Return a counter's rise a second from each sample to the next; one that fell began anew."""
    return tuple(
        Sample(at=b.at, value=(b.value - a.value if b.value >= a.value else b.value) / seconds)
        for a, b in pairwise(samples)
        if (seconds := (b.at - a.at).total_seconds()) > 0
    )
