"""Which curve or which bars show an incident's evidence best. Pure; `pictures` draws them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from petops.domain.facts import ContainerMemory, Lifetime
from petops.domain.incident import Incident
from petops.domain.objects import NodeMemory
from petops.domain.performance import CpuUse, RequestLatency
from petops.slack.look import about, workload
from petops.slack.text import Writer

MOST_LINES: Final = 6
MOST_BARS: Final = 8
_FEWEST_POINTS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A measured line: a name, times and values."""

    name: str
    points: tuple[tuple[datetime, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A measured value, and the one before, where that is known."""

    name: str
    value: float
    before: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Curves, or bars; `limit` is a line across that must not be reached, `began` one upright."""

    title: str
    unit: str
    curves: tuple[Curve, ...] = ()
    bars: tuple[Bar, ...] = ()
    limit: float | None = None
    limit_name: str = ""
    began: datetime | None = None


def has_chart(incident: Incident) -> bool:
    """Say whether the evidence has something to draw."""
    kinds = ContainerMemory | CpuUse | RequestLatency | NodeMemory
    return any(isinstance(one.fact, kinds) for one in incident.answers) and bool(charted(incident))


def charted(incident: Incident) -> Chart | None:
    """Return what shows the evidence best: by the cause, else by the alarm's own category."""
    facts = {type(one.fact): one.fact for one in incident.answers}
    cause = incident.diagnosis.cause if incident.diagnosis else None
    said = f"{cause.mode if cause else ''} {incident.assessment.category}"
    drawn = {
        "memory": _memory(incident, facts.get(ContainerMemory)),
        "node": _node(facts.get(NodeMemory)),
        "cpu": _cpu(facts.get(CpuUse)),
        "latency": _latency(facts.get(RequestLatency)),
    }
    order = sorted(drawn, key=lambda name: name not in said)
    return next((found for name in order if (found := drawn[name]) is not None), None)


def masked(chart: Chart, writer: Writer) -> Chart:
    """Return the chart without what must not leave the cluster."""
    return replace(
        chart,
        title=writer.masked(chart.title),
        curves=tuple(replace(one, name=writer.masked(one.name)) for one in chart.curves),
        bars=tuple(replace(one, name=writer.masked(one.name)) for one in chart.bars),
    )


def _memory(incident: Incident, fact: object) -> Chart | None:
    if not isinstance(fact, ContainerMemory):
        return None
    subject = about(incident)
    own = [one for one in fact.lifetimes if subject is None or one.owner == subject]
    lives = [one for one in own or fact.lifetimes if len(one.readings) >= _FEWEST_POINTS]
    if not lives:
        return None
    several = len({one.container for one in lives}) > 1
    by_name: dict[str, list[Lifetime]] = {}
    for one in lives:
        by_name.setdefault(f"{one.pod}/{one.container}" if several else one.pod, []).append(one)
    curves = [_curve(name, found) for name, found in by_name.items()]
    curves.sort(key=lambda one: -max(value for _, value in one.points))
    limits = [one.limit_mib for one in lives if one.limit_mib]
    return Chart(
        title=f"Memory of {workload(incident)}",
        unit="MiB",
        curves=tuple(curves[:MOST_LINES]),
        limit=min(limits) if limits else None,
        limit_name="limit",
        began=incident.alarm.started_at,
    )


def _curve(name: str, lives: list[Lifetime]) -> Curve:
    """Return one container's lives, one after the other, as one line."""
    points = sorted((each.at, each.mib) for one in lives for each in one.readings)
    return Curve(name=name, points=tuple(points))


def _node(fact: object) -> Chart | None:
    if not isinstance(fact, NodeMemory) or not fact.pods:
        return None
    bars = tuple(
        Bar(name=one.pod, value=one.used_mib, before=one.requested_mib)
        for one in fact.pods[:MOST_BARS]
    )
    title = f"Memory in use, beside what was requested, on {', '.join(fact.nodes)}"
    return Chart(title=title, unit="MiB", bars=bars)


def _cpu(fact: object) -> Chart | None:
    if not isinstance(fact, CpuUse):
        return None
    measured = [one for one in fact.containers if one.throttled_ratio is not None]
    worst = sorted(measured, key=lambda one: -(one.throttled_ratio or 0.0))[:MOST_BARS]
    bars = tuple(
        Bar(
            name=one.pod,
            value=100 * (one.throttled_ratio or 0.0),
            before=None if one.before_ratio is None else 100 * one.before_ratio,
        )
        for one in worst
    )
    return (
        Chart(title="CPU periods throttled, beside before", unit="%", bars=bars) if bars else None
    )


def _latency(fact: object) -> Chart | None:
    if not isinstance(fact, RequestLatency) or not fact.pods:
        return None
    slowest = sorted(fact.pods, key=lambda one: -one.seconds)[:MOST_BARS]
    bars = tuple(
        Bar(
            name=one.pod,
            value=1000 * one.seconds,
            before=None if one.before_seconds is None else 1000 * one.before_seconds,
        )
        for one in slowest
    )
    return Chart(title="Mean request duration, beside before", unit="ms", bars=bars)
