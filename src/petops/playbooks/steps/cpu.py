"""Questions about CPU and latency, asked of metrics."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from petops.domain.evidence import PodScope, Sample, Series, Signal
from petops.domain.facts import Pod
from petops.domain.performance import ContainerCpu, CpuUse, PodLatency, RequestLatency
from petops.domain.subject import Subject
from petops.errors import SourceError
from petops.playbooks.base import Case, Sources, step
from petops.playbooks.counters import before, lately, rise
from petops.playbooks.steps.workloads import affected_pods, principal, recent_rollouts, worst_owner

# Means are taken over so long at a time, so that a while of trouble does not outweigh the rest.
STRETCH = timedelta(minutes=3)
# Prometheus forgets a series after five minutes without a sample.
STALE = timedelta(minutes=5)
_Key = tuple[str, str]
_Samples = Mapping[_Key, tuple[Sample, ...]]


@step("How much CPU does it use of its limit, and is it throttled?")
async def cpu_use(case: Case, sources: Sources) -> CpuUse:
    """Read usage and CFS periods of the affected pods and of those that serve beside them."""
    pods, beside_unknown = await _pods_and_siblings(sources)
    usage, periods, throttled = await _read(
        case,
        sources,
        pods,
        (
            Signal.CPU_SECONDS_TOTAL,
            Signal.CPU_PERIODS_TOTAL,
            Signal.CPU_THROTTLED_PERIODS_TOTAL,
        ),
        per_container=True,
    )
    keys = sorted({*usage, *periods})
    known = {pod.name: pod for pod in pods}
    found = (
        _container(
            known.get(key[0]),
            key[1],
            _Counters(
                usage=usage.get(key, ()),
                periods=periods.get(key, ()),
                throttled=throttled.get(key, ()),
            ),
            case.window.end,
        )
        for key in keys
    )
    return CpuUse(
        containers=tuple(one for one in found if one is not None), beside_unknown=beside_unknown
    )


@step("How long do its requests take?")
async def request_latency(case: Case, sources: Sources) -> RequestLatency:
    """Read the mean request duration of each pod, lately, and of its workload before.

    Pods that are gone count for before: one that was slow from its birth has no better past.
    """
    pods, _ = await _pods_and_siblings(sources)
    affected = await sources.answers.answer(affected_pods)
    sets: tuple[str, ...] = ()
    # Without revisions the pods that are gone stay unknown, no more.
    with suppress(SourceError):
        revisions = (await sources.answers.answer(recent_rollouts)).revisions
        sets = tuple(one.name for one in revisions)
    seconds, counts = await _read(
        case,
        sources,
        pods,
        (Signal.REQUEST_SECONDS_TOTAL, Signal.REQUEST_DURATIONS_TOTAL),
        per_container=False,
        sets=sets,
    )
    end, owner_of = case.window.end, {pod.name: pod.owner for pod in pods}
    owner = principal(affected)
    means: dict[Subject, list[float]] = {}
    for pod, _ in seconds:
        whose = owner_of.get(pod, owner)
        means.setdefault(whose, []).extend(
            _stretches(seconds[pod, ""], counts.get((pod, ""), ()), end)
        )
    found = []
    for one in pods:
        key = (one.name, "")
        now = _mean(lately(seconds.get(key, ()), end), lately(counts.get(key, ()), end))
        if now is None:
            continue
        earlier = means.get(one.owner)
        found.append(
            PodLatency(
                pod=one.name,
                owner=one.owner,
                seconds=now,
                before_seconds=median(earlier) if earlier else None,
            )
        )
    return RequestLatency(pods=tuple(found))


def _stretches(
    seconds: tuple[Sample, ...], counts: tuple[Sample, ...], end: datetime
) -> Iterator[float]:
    """Yield one pod's mean durations, stretch by stretch, until well before now."""
    earlier_seconds, earlier_counts = before(seconds, end), before(counts, end)
    if not earlier_seconds:
        return
    at, last = earlier_seconds[0].at, earlier_seconds[-1].at
    while at < last:
        until = at + STRETCH
        mean = _mean(_between(earlier_seconds, at, until), _between(earlier_counts, at, until))
        if mean is not None:
            yield mean
        at = until


def _between(samples: tuple[Sample, ...], start: datetime, end: datetime) -> tuple[Sample, ...]:
    return tuple(one for one in samples if start <= one.at <= end)


async def _pods_and_siblings(sources: Sources) -> tuple[tuple[Pod, ...], str]:
    """Return the affected pods and those that serve beside them, and why the latter are unknown.

    A role that may not read Services still lets a workload's own pods be measured.
    """
    affected = await sources.answers.answer(affected_pods)
    owner = worst_owner(affected)
    if owner is None:
        raise SourceError(f"{affected.subject} has no pods")
    related: tuple[Pod, ...] = ()
    unknown = ""
    try:
        related = sources.noted(await sources.cluster.related_pods(owner))
    except SourceError as exc:
        unknown = exc.message
    known = {pod.uid: pod for pod in (*affected.pods, *related)}
    return tuple(known.values()), unknown


async def _read(
    case: Case,
    sources: Sources,
    pods: tuple[Pod, ...],
    signals: tuple[Signal, ...],
    *,
    per_container: bool,
    sets: tuple[str, ...] = (),
) -> list[_Samples]:
    names = tuple(pod.name for pod in pods)
    scope = PodScope(namespace=pods[0].namespace, pods=names, prefixes=sets)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_series(case, sources, one, scope)) for one in signals]
    results = [task.result() for task in tasks]
    failed = next((one for one in results if isinstance(one, SourceError)), None)
    if failed is not None:
        raise failed
    return [
        _latest_life(one, per_container=per_container)
        for one in results
        if not isinstance(one, SourceError)
    ]


async def _series(
    case: Case, sources: Sources, signal: Signal, scope: PodScope
) -> tuple[Series, ...] | SourceError:
    """Return the series, or the error: a task group would wrap it."""
    try:
        readings = await sources.metrics.read(signal, scope, case.window)
    except SourceError as exc:
        return exc
    sources.asked.append(readings.asked)
    return readings.series


def _latest_life(
    series: Iterable[Series], *, per_container: bool
) -> dict[_Key, tuple[Sample, ...]]:
    """Lay series by pod and container; the latest of several lives, the sum of several paths."""
    found: dict[_Key, list[tuple[Sample, ...]]] = {}
    for one in series:
        if one.samples:
            key = (one.label("pod"), one.label("container") if per_container else "")
            found.setdefault(key, []).append(one.samples)
    if per_container:
        return {key: max(many, key=lambda one: one[-1].at) for key, many in found.items()}
    return {key: _summed(many) for key, many in found.items()}


def _summed(many: list[tuple[Sample, ...]]) -> tuple[Sample, ...]:
    """Add series that were scraped together: one pod counts each path and method by itself."""
    totals: dict[datetime, float] = {}
    shared = set.intersection(*({one.at for one in samples} for samples in many))
    for samples in many:
        for one in samples:
            if one.at in shared:
                totals[one.at] = totals.get(one.at, 0.0) + one.value
    if not totals:
        return max(many, key=lambda one: one[-1].value)
    return tuple(Sample(at=at, value=totals[at]) for at in sorted(totals))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Counters:
    """One container's counters in the window."""

    usage: tuple[Sample, ...]
    periods: tuple[Sample, ...]
    throttled: tuple[Sample, ...]


def _container(
    pod: Pod | None, name: str, counters: _Counters, end: datetime
) -> ContainerCpu | None:
    spec = next((one for one in pod.containers if one.name == name), None) if pod else None
    if pod is None or spec is None:
        return None
    usage, periods, throttled = counters.usage, counters.periods, counters.throttled
    used, elapsed = rise(lately(usage, end)), rise(lately(periods, end))
    ratio = _ratio(lately(throttled, end), lately(periods, end))
    if ratio is None and elapsed is not None and throttled:
        ratio = 0.0  # it did not run at all: then nothing made it wait
    # A series that ended is stale; one look is all that there ever was.
    speaks = len(periods) == 1 or _is_fresh(periods, end)
    once = ratio is None and speaks and bool(throttled) and periods[-1].value > 0
    if once:
        # Seen once: the counters began with the container, so they speak of its whole life.
        ratio = min(1.0, throttled[-1].value / periods[-1].value)
    return ContainerCpu(
        pod=pod.name,
        container=name,
        owner=pod.owner,
        revision=pod.revision,
        usage_cores=used.per_second if used else _since_start(usage, spec.started_at, end),
        limit_cores=spec.cpu_limit_cores,
        throttled_ratio=ratio,
        before_ratio=_ratio(before(throttled, end), before(periods, end)),
        lifetime_only=once,
    )


def _is_fresh(samples: tuple[Sample, ...], end: datetime) -> bool:
    """Say whether the last sample still speaks of now, as Prometheus itself would take it."""
    return bool(samples) and end - samples[-1].at <= STALE


def _since_start(
    usage: tuple[Sample, ...], started_at: datetime | None, end: datetime
) -> float | None:
    if started_at is None or not (len(usage) == 1 or _is_fresh(usage, end)):
        return None
    seconds = (usage[-1].at - started_at).total_seconds()
    return usage[-1].value / seconds if seconds > 0 else None


def _ratio(part: tuple[Sample, ...], whole: tuple[Sample, ...]) -> float | None:
    """Return how much of one counter's rise another's is; None where either was not measured."""
    parts, wholes = rise(part), rise(whole)
    if parts is None or wholes is None or wholes.amount <= 0:
        return None
    return min(1.0, parts.amount / wholes.amount)


def _mean(seconds: tuple[Sample, ...], counts: tuple[Sample, ...]) -> float | None:
    total, count = rise(seconds), rise(counts)
    if total is None or count is None or count.amount <= 0:
        return None
    return total.amount / count.amount
