"""What a workload did over time, read by way of MCP for the dashboard's charts."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Final

from petops.config import Settings
from petops.domain.alarm import Category
from petops.domain.evidence import PodScope, Sample, Series, Signal, Window
from petops.domain.facts import AffectedPods
from petops.domain.incident import Incident
from petops.domain.performance import CpuUse
from petops.domain.phases import OVER
from petops.domain.subject import Kind, Subject
from petops.errors import PetopsError, SourceError
from petops.tui.plots import Curve, Plot, latest, marked, rates

_BEFORE: Final = timedelta(minutes=20)
_AFTER: Final = timedelta(minutes=5)
_MOST_CURVES: Final = 8
_MOST_POINTS: Final = 120
_MIB: Final = 1024 * 1024
_PERCENT: Final = 100
_LOOK_SECONDS: Final = 12.0

_SIGNALS: Final = (
    Signal.MEMORY_RSS_BYTES,
    Signal.CPU_SECONDS_TOTAL,
    Signal.CPU_PERIODS_TOTAL,
    Signal.CPU_THROTTLED_PERIODS_TOTAL,
    Signal.REQUESTS_TOTAL,
    Signal.REQUEST_SECONDS_TOTAL,
    Signal.REQUEST_DURATIONS_TOTAL,
)
_NAMES_OF_PODS: Final[Mapping[Kind, str]] = {
    Kind.DEPLOYMENT: r"-[a-z0-9]{4,11}-[a-z0-9]{5}",
    Kind.STATEFUL_SET: r"-[0-9]+",
    Kind.DAEMON_SET: r"-[a-z0-9]{5}",
    Kind.JOB: r"-[a-z0-9]{5}",
}
_ORDER: Final[Mapping[Category, tuple[str, ...]]] = {
    Category.MEMORY: ("memory", "requests", "cpu"),
    Category.RESTARTS: ("memory", "cpu", "requests"),
    Category.CPU: ("throttled", "cpu", "latency"),
    Category.LATENCY: ("latency", "requests", "cpu"),
}
_USUAL: Final = ("memory", "cpu", "throttled", "latency", "requests")

_Read = Mapping[Signal, Sequence[Series]]
_Pods = Mapping[str, Sequence[Sample]]
_Made = Callable[[Sequence[Sample]], Sequence[Sample]]


class Charting:
    """Reads the curves of the workload that an incident is about."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def charts(self, incident: Incident) -> Sequence[Plot]:
        """Return what its pods did, the curve that the alarm is about first."""
        scope, own = scope_of(incident)
        if scope is None:
            return ()
        await asyncio.to_thread(_imported)
        from petops.app import metrics_of  # noqa: PLC0415 - a second, in the thread above

        window = window_of(incident, datetime.now(UTC))
        async with AsyncExitStack() as stack:
            metrics = await metrics_of(self._settings, stack)

            async def read(signal: Signal) -> Sequence[Series] | PetopsError:
                try:
                    async with asyncio.timeout(_LOOK_SECONDS):
                        return (await metrics.read(signal, scope, window)).series
                except TimeoutError:
                    return SourceError(f"no answer within {_LOOK_SECONDS:g} s")
                except PetopsError as exc:
                    return exc

            answers = await asyncio.gather(*(read(one) for one in _SIGNALS))
        held = dict(zip(_SIGNALS, answers, strict=True))
        good = {
            name: [series for series in one if own.fullmatch(series.label("pod"))]
            for name, one in held.items()
            if not isinstance(one, PetopsError)
        }
        if not good:
            raise next(one for one in answers if isinstance(one, PetopsError))
        return plots(incident, good)


def _imported() -> None:
    """Import what is heavy where it stalls no screen."""
    import petops.app  # noqa: PLC0415, F401


def scope_of(incident: Incident) -> tuple[PodScope | None, re.Pattern[str]]:
    """Return which pods are asked for, and the names among the answers that are really its own.

    A prefix finds pods that came after the diagnosis too, and those of workloads whose name only
    begins alike.
    """
    cause = incident.diagnosis.cause if incident.diagnosis else None
    subject = (cause.target if cause else None) or incident.alarm.subject
    affected: AffectedPods | None = latest(incident, AffectedPods)
    if subject is not None and subject.kind in _NAMES_OF_PODS:
        is_deployment = subject.kind is Kind.DEPLOYMENT
        scope = PodScope(
            namespace=subject.namespace,
            pods=(),
            prefixes=() if is_deployment else (subject.name,),
            deployments=(subject.name,) if is_deployment else (),
        )
        return scope, re.compile(re.escape(subject.name) + _NAMES_OF_PODS[subject.kind])
    names = _names(subject, affected)
    if not names:
        return None, re.compile("")
    namespace = affected.pods[0].namespace if affected and affected.pods else ""
    namespace = subject.namespace if subject and subject.namespace else namespace
    own = re.compile("|".join(re.escape(one) for one in names))
    return PodScope(namespace=namespace, pods=names), own


def _names(subject: Subject | None, affected: AffectedPods | None) -> tuple[str, ...]:
    if subject is not None and subject.kind is Kind.POD:
        return (subject.name,)
    pods = affected.pods if affected else ()
    first = pods[0].namespace if pods else ""
    return tuple(one.name for one in pods if one.namespace == first)


def window_of(incident: Incident, now: datetime) -> Window:
    """Return the time to draw: from before the alarm to now, or to shortly after its end."""
    end = now
    if incident.phase in OVER and incident.history:
        end = min(now, incident.history[-1].event.at + _AFTER)
    return Window(start=incident.cycle_began_at - _BEFORE, end=end)


def plots(incident: Incident, read: _Read) -> tuple[Plot, ...]:
    """Return the plots that have curves, with kills, rollouts and the change drawn in."""
    cpu: CpuUse | None = latest(incident, CpuUse)
    limits = [one.limit_cores for one in cpu.containers if one.limit_cores] if cpu else []
    rate = {one: _by_pod(read.get(one, ()), rates) for one in _SIGNALS[1:]}
    throttled = _over(
        rate[Signal.CPU_THROTTLED_PERIODS_TOTAL], rate[Signal.CPU_PERIODS_TOTAL], _PERCENT
    )
    latency = _over(rate[Signal.REQUEST_SECONDS_TOTAL], rate[Signal.REQUEST_DURATIONS_TOTAL])
    cause = incident.diagnosis.cause if incident.diagnosis else None
    blamed = cause.container if cause else ""  # a limit is a container's: so is its curve
    memory = [
        one
        for one in read.get(Signal.MEMORY_RSS_BYTES, ())
        if not blamed or one.label("container") == blamed
    ]
    made = (
        _plot("memory", "MiB", _by_pod(memory, _mebibytes)),
        _plot("cpu", "cores", rate[Signal.CPU_SECONDS_TOTAL], min(limits) if limits else None),
        _plot("throttled", "%", throttled),
        _plot("latency", "s", latency),
        _plot("requests", "req/s", rate[Signal.REQUESTS_TOTAL]),
    )
    held = [marked(one, incident) for one in made if one.curves]
    order = tuple(dict.fromkeys((*_ORDER.get(incident.assessment.category, ()), *_USUAL)))
    return tuple(sorted(held, key=lambda one: order.index(one.title)))


def _plot(title: str, unit: str, curves: _Pods, limit: float | None = None) -> Plot:
    known = [(name, points) for name, points in curves.items() if len(points) > 1]
    known.sort(key=lambda pair: -max(one.value for one in pair[1]))
    end = max((points[-1].at for _, points in known), default=None)
    return Plot(
        title=title,
        unit=unit,
        limit=limit,
        curves=tuple(
            Curve(name=name, points=_fewer(points), ended=_is_gone(points, end))
            for name, points in known[:_MOST_CURVES]
        ),
    )


def _is_gone(points: Sequence[Sample], end: datetime | None) -> bool:
    return end is not None and end - points[-1].at > _BEFORE / 10


def _fewer(points: Sequence[Sample]) -> tuple[Sample, ...]:
    step = max(1, len(points) // _MOST_POINTS)
    return (*points[:-1:step], points[-1])


def _by_pod(
    series: Iterable[Series], made: Callable[[Sequence[Sample]], Sequence[Sample]]
) -> _Pods:
    """Return each pod's values over time: those of its containers and paths are added up."""
    found: dict[str, dict[datetime, float]] = {}
    for one in series:
        held = found.setdefault(one.label("pod"), {})
        for point in made(one.samples):
            held[point.at] = held.get(point.at, 0.0) + point.value
    return {
        pod: [Sample(at=at, value=held[at]) for at in sorted(held)] for pod, held in found.items()
    }


def _over(part: _Pods, whole: _Pods, scale: float = 1.0) -> _Pods:
    """Return one over the other at the times that both have; nothing over nothing is left out."""
    made = {}
    for pod, points in part.items():
        below = {one.at: one.value for one in whole.get(pod, ())}
        made[pod] = [
            Sample(at=one.at, value=one.value / below[one.at] * scale)
            for one in points
            if below.get(one.at)
        ]
    return made


def _mebibytes(samples: Sequence[Sample]) -> Sequence[Sample]:
    return [Sample(at=one.at, value=one.value / _MIB) for one in samples]
