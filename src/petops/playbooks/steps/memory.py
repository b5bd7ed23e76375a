"""Questions about memory, asked of metrics, container lifetime by container lifetime."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise

from petops.domain.evidence import PodScope, Sample, Series, Signal
from petops.domain.facts import (
    AffectedPods,
    ContainerMemory,
    Lifetime,
    Pod,
    Reading,
    RequestLoad,
    Revision,
    Siblings,
)
from petops.domain.subject import Subject
from petops.errors import SourceError
from petops.playbooks.base import Case, Sources, step
from petops.playbooks.growth import distinct, thinned
from petops.playbooks.lifetimes import told_apart
from petops.playbooks.steps.workloads import affected_pods, recent_rollouts, worst_owner

MIB = 1024 * 1024
_SLICES = 12
_Key = tuple[str, str, str]


@step("How does memory move in each container lifetime?")
async def container_memory(case: Case, sources: Sources) -> ContainerMemory:
    """Read the memory of the affected pods, and of their workload's earlier revisions."""
    affected = await sources.answers.answer(affected_pods)
    revisions: tuple[Revision, ...] = ()
    # Without revisions the pods that are gone stay unknown, no more.
    with suppress(SourceError):
        revisions = (await sources.answers.answer(recent_rollouts)).revisions
    if not affected.pods:
        raise SourceError(f"{affected.subject} has no pods")
    scope = PodScope(
        namespace=affected.pods[0].namespace,
        pods=tuple(pod.name for pod in affected.pods),
        prefixes=tuple(one.name for one in revisions),
    )
    gone = _gone(affected, revisions)
    return ContainerMemory(lifetimes=await _lifetimes(case, sources, scope, affected.pods, gone))


@step("Did the load change as memory did?")
async def request_load(case: Case, sources: Sources) -> RequestLoad:
    """Compare requests a second at the end of the window with those of its first half."""
    affected = await sources.answers.answer(affected_pods)
    if not affected.pods:
        raise SourceError(f"{affected.subject} has no pods")
    scope = PodScope(
        namespace=affected.pods[0].namespace,
        pods=tuple(pod.name for pod in affected.pods),
    )
    readings = await sources.metrics.read(Signal.REQUESTS_TOTAL, scope, case.window)
    sources.asked.append(readings.asked)
    rates = _rates(readings.series, case.window.start, case.window.end)
    if len(rates) < 3:
        raise SourceError("no request counts for these pods")
    first = sum(rates[: len(rates) // 2]) / (len(rates) // 2)
    last = sum(rates[-2:]) / 2
    return RequestLoad(
        first_per_second=first,
        last_per_second=last,
        change_ratio=last / first if first > 0 else None,
    )


@step("Do other pods of the same service do the same?")
async def siblings(case: Case, sources: Sources) -> Siblings:
    """Read the memory of pods of other owners behind the same Services."""
    affected = await sources.answers.answer(affected_pods)
    owner = worst_owner(affected)
    if owner is None:
        raise SourceError(f"{affected.subject} has no pods")
    pods = sources.noted(await sources.cluster.related_pods(owner))
    others = tuple(pod for pod in pods if pod.uid not in {one.uid for one in affected.pods})
    if not others:
        return Siblings(pods=(), lifetimes=())
    scope = PodScope(namespace=others[0].namespace, pods=tuple(pod.name for pod in others))
    lives = await _lifetimes(case, sources, scope, others, {})
    return Siblings(pods=scope.pods, lifetimes=lives)


async def _lifetimes(
    case: Case,
    sources: Sources,
    scope: PodScope,
    pods: tuple[Pod, ...],
    gone: Mapping[str, tuple[Subject, str]],
) -> tuple[Lifetime, ...]:
    """Read memory, cache, limit and start of these pods' containers, and lay them together."""

    async def read(signal: Signal) -> tuple[Series, ...] | SourceError:
        try:
            readings = await sources.metrics.read(signal, scope, case.window)
        except SourceError as exc:
            return exc
        sources.asked.append(readings.asked)
        return readings.series

    async with asyncio.TaskGroup() as group:
        asked = {signal: group.create_task(read(signal)) for signal in _SIGNALS}
    known = {pod.name: pod for pod in pods}
    answers = told_apart({one: _by_container(task.result()) for one, task in asked.items()}, known)
    memory = _fuller(answers[Signal.MEMORY_RSS_BYTES], answers[Signal.MEMORY_WORKING_SET_BYTES])
    if not memory and isinstance(why := asked[Signal.MEMORY_RSS_BYTES].result(), SourceError):
        raise why
    lives = []
    for key, samples in sorted(memory.items()):
        life = _lifetime(key, samples, answers, known, gone)
        if life is not None:
            lives.append(life)
    return _with_last_alive(lives, known)


_SIGNALS = (
    Signal.MEMORY_RSS_BYTES,
    Signal.MEMORY_WORKING_SET_BYTES,
    Signal.MEMORY_CACHE_BYTES,
    Signal.MEMORY_LIMIT_BYTES,
    Signal.STARTED_SECONDS,
)


def _by_container(series: tuple[Series, ...] | SourceError) -> dict[_Key, tuple[Sample, ...]]:
    """Lay series by pod, container and container id; of two scrape jobs the fuller one counts."""
    found: dict[_Key, tuple[Sample, ...]] = {}
    for one in () if isinstance(series, SourceError) else series:
        key = (one.label("pod"), one.label("container"), one.label("id") or one.label("name"))
        if len(one.samples) > len(found.get(key, ())):
            found[key] = one.samples
    return found


def _fuller(
    rss: Mapping[_Key, tuple[Sample, ...]], working_set: Mapping[_Key, tuple[Sample, ...]]
) -> dict[_Key, tuple[Sample, ...]]:
    """Take RSS, which has no page cache in it; the working set where RSS was hardly looked at."""
    found = dict(working_set)
    for key, samples in rss.items():
        if 2 * len(samples) >= len(found.get(key, ())):
            found[key] = samples
    return found


def _lifetime(
    key: _Key,
    samples: tuple[Sample, ...],
    answers: Mapping[Signal, Mapping[_Key, tuple[Sample, ...]]],
    known: Mapping[str, Pod],
    gone: Mapping[str, tuple[Subject, str]],
) -> Lifetime | None:
    pod_name, container, container_id = key
    pod = known.get(pod_name)
    if pod is not None:
        owner, revision = pod.owner, pod.revision
    else:
        prefix = pod_name.rpartition("-")[0]
        if prefix not in gone:
            return None
        owner, revision = gone[prefix]
    started = answers[Signal.STARTED_SECONDS].get(key, ())
    return Lifetime(
        pod=pod_name,
        container=container,
        container_id=container_id,
        owner=owner,
        revision=revision,
        started_at=datetime.fromtimestamp(started[-1].value, UTC) if started else None,
        alive=False,
        limit_mib=_limit_mib(key, answers[Signal.MEMORY_LIMIT_BYTES], known.values()),
        seen_until=samples[-1].at,
        readings=_readings(samples),
        cache=_readings(answers[Signal.MEMORY_CACHE_BYTES].get(key, ())),
    )


def _readings(samples: Iterable[Sample]) -> tuple[Reading, ...]:
    readings = [Reading(at=one.at, mib=one.value / MIB) for one in samples if one.value > 0]
    return thinned(distinct(readings))


def _limit_mib(
    key: _Key, limits: Mapping[_Key, tuple[Sample, ...]], pods: Iterable[Pod]
) -> float | None:
    """Take the limit that was scraped; where it is gone with its container, the specification's."""
    samples = limits.get(key, ())
    if samples and samples[-1].value > 0:
        return samples[-1].value / MIB
    same = [
        one.memory_limit_bytes
        for pod in pods
        for one in pod.containers
        if one.name == key[1] and (pod.name == key[0] or one.memory_limit_bytes)
    ]
    return next((limit / MIB for limit in same if limit), None)


def _with_last_alive(lives: Iterable[Lifetime], known: Mapping[str, Pod]) -> tuple[Lifetime, ...]:
    """Mark the latest lifetime of each running container as alive.

    With its start by Kubernetes' word.
    """
    latest: dict[tuple[str, str], Lifetime] = {}
    kept = [life for life in lives if life.readings]
    for life in kept:
        before = latest.get((life.pod, life.container))
        if before is None or life.seen_until > before.seen_until:
            latest[life.pod, life.container] = life
    return tuple(_marked(life, latest, known) for life in kept)


def _marked(
    life: Lifetime, latest: Mapping[tuple[str, str], Lifetime], known: Mapping[str, Pod]
) -> Lifetime:
    if latest[life.pod, life.container] is not life or life.pod not in known:
        return life
    running = next((one for one in known[life.pod].containers if one.name == life.container), None)
    if running is None or running.waiting or running.started_at is None:
        return life
    if life.seen_until < running.started_at:
        return life  # the container that runs now was not looked at yet
    return replace(life, started_at=running.started_at, alive=True)


def _gone(affected: AffectedPods, revisions: Iterable[Revision]) -> dict[str, tuple[Subject, str]]:
    """Map ReplicaSet names to owner and revision.

    So that readings of pods that are gone find home.
    """
    owner = worst_owner(affected)
    if owner is None:
        return {}
    return {one.name: (owner, one.name.rpartition("-")[2]) for one in revisions}


def _rates(series: Iterable[Series], start: datetime, end: datetime) -> list[float]:
    """Return requests a second in each slice of the window that was looked at, all series together.

    A counter that fell began anew. What a slice has no samples for is not counted as quiet.
    """
    span = (end - start).total_seconds() / _SLICES
    rates: dict[int, float] = {}
    for one in series:
        rises: dict[int, float] = {}
        times: dict[int, float] = {}
        for before, now in pairwise(one.samples):
            index = min(_SLICES - 1, int((now.at - start).total_seconds() / span))
            rise = now.value - before.value
            rises[index] = rises.get(index, 0.0) + (rise if rise >= 0 else now.value)
            times[index] = times.get(index, 0.0) + (now.at - before.at).total_seconds()
        for index, seconds in times.items():
            rates[index] = rates.get(index, 0.0) + rises[index] / max(seconds, 1.0)
    return [rates[index] for index in sorted(rates)]
