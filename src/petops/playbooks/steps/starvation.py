"""Who waits for a CPU that somebody else has, and who has it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

from petops.domain.evidence import PodScope, Readings, Sample, Signal, Window
from petops.domain.facts import Pod
from petops.domain.performance import CpuShortage, CpuWait, NodeCpu
from petops.domain.subject import Kind, Subject
from petops.errors import SourceError
from petops.playbooks.base import Case, Sources, step
from petops.playbooks.counters import APART, LATELY, before, lately, rise
from petops.playbooks.pod_trouble import living
from petops.playbooks.steps.cpu import request_latency
from petops.playbooks.steps.workloads import affected_pods, node_conditions
from petops.playbooks.together import together

# A pod that waits less than this has a CPU when it wants one; nobody's node need be read then.
WAITS_RATIO: Final = 0.1
# Requests that take this many times as long as before are slower.
SLOWER_RATIO: Final = 1.5
_LOOK_BACK: Final = timedelta(hours=1)
_STRETCH: Final = timedelta(minutes=5)
_MOST_PODS: Final = 60
_MOST_NAMESPACES: Final = 12


@step("Does it wait for a CPU that others have?")
async def cpu_shortage(case: Case, sources: Sources) -> CpuShortage:
    """Read pressure, or else run queues; where somebody waits, what the node's pods use.

    Kubelets before 1.34 export neither: then the node is read under who became slower.
    """
    affected = await sources.answers.answer(affected_pods)
    pods = [pod for pod in living(affected.pods) if pod.node][:_MOST_PODS]
    if not pods:
        raise SourceError("it has no pods on nodes")
    scope = PodScope(namespace=pods[0].namespace, pods=tuple(pod.name for pod in pods))
    for signal in (Signal.CPU_WAITING_SECONDS_TOTAL, Signal.CPU_QUEUED_SECONDS_TOTAL):
        readings = _kept(sources, await sources.metrics.read(signal, scope, case.window))
        waits = _waits(readings, pods, case.window.end)
        if waits:
            break
    if not waits:
        slowest = await _slowest(pods, sources)
        full = await _node(case, sources, slowest, _LOOK_BACK) if slowest is not None else None
        return CpuShortage(waits=(), node=full)
    worst = max(waits, key=lambda one: one.waiting_ratio)
    if worst.waiting_ratio < WAITS_RATIO:
        return CpuShortage(waits=tuple(waits))
    near = next(pod for pod in pods if pod.name == worst.pod)
    return CpuShortage(waits=tuple(waits), node=await _node(case, sources, near, LATELY + APART))


async def _slowest(pods: Iterable[Pod], sources: Sources) -> Pod | None:
    """Return the pod whose requests take longer than before by most; None where none does."""
    known = {pod.name: pod for pod in pods}
    with suppress(SourceError):
        latency = await sources.answers.answer(request_latency)
        times = [
            (one.seconds / one.before_seconds, one.pod)
            for one in latency.pods
            if one.before_seconds and one.pod in known
        ]
        ratio, name = max(times, default=(0.0, ""))
        return known[name] if ratio >= SLOWER_RATIO else None
    return None


def _kept(sources: Sources, readings: Readings) -> Readings:
    sources.asked.append(readings.asked)
    return readings


def _waits(readings: Readings, pods: Iterable[Pod], end: datetime) -> list[CpuWait]:
    """Return each pod's longest wait of its containers, in seconds a second."""
    found: dict[str, list[tuple[float, float | None]]] = defaultdict(list)
    for one in readings.series:
        now, then = rise(lately(one.samples, end)), rise(before(one.samples, end))
        if now is not None:
            found[one.label("pod")].append((now.per_second, then.per_second if then else None))
    return [
        CpuWait(
            pod=pod.name,
            owner=pod.owner,
            node=pod.node,
            waiting_ratio=min(1.0, max(found[pod.name], key=lambda one: one[0])[0]),
            before_ratio=max(found[pod.name], key=lambda one: one[0])[1],
        )
        for pod in pods
        if pod.name in found
    ]


async def _node(case: Case, sources: Sources, near: Pod, span: timedelta) -> NodeCpu:
    nodes = await sources.answers.answer(node_conditions)
    about = Subject(cluster=near.owner.cluster, kind=Kind.NODE, name=near.node)
    pods = living(sources.noted(await sources.cluster.pods(about)))
    spaces: dict[str, list[str]] = defaultdict(list)
    for pod in pods:
        spaces[pod.namespace].append(pod.name)
    window = Window.before(case.window.end, span)
    largest = sorted(spaces, key=lambda one: (-len(spaces[one]), one))[:_MOST_NAMESPACES]
    scopes = [PodScope(namespace=one, pods=tuple(sorted(spaces[one]))) for one in largest]
    every = await together(
        *(sources.metrics.read(Signal.CPU_SECONDS_TOTAL, one, window) for one in scopes)
    )
    used: dict[tuple[str, str], float] = defaultdict(float)
    earlier: dict[int, float] = defaultdict(float)
    for scope, readings in zip(scopes, every, strict=True):
        for one in _kept(sources, readings).series:
            cores = _cores(one.samples, case.window.end)
            if cores is not None:
                used[scope.namespace, one.label("pod")] += cores
            for stretch, much in _stretches(one.samples, case.window.end).items():
                earlier[stretch] += much
    by_owner: dict[Subject, float] = defaultdict(float)
    for pod in pods:
        by_owner[pod.owner] += used.get((pod.namespace, pod.name), 0.0)
    greediest = max(by_owner, key=lambda one: (by_owner[one], str(one)), default=None)
    rooms = (one.allocatable_cores for one in nodes.states if one.name == near.node)
    return NodeCpu(
        node=near.node,
        used_cores=sum(used.values()),
        allocatable_cores=next(rooms, None),
        unmeasured_pods=sum((pod.namespace, pod.name) not in used for pod in pods),
        greediest=greediest,
        greediest_cores=by_owner[greediest] if greediest is not None else 0.0,
        calm_cores=min((much for stretch, much in earlier.items() if stretch), default=None),
    )


def _stretches(samples: Iterable[Sample], end: datetime) -> dict[int, float]:
    """Return the cores used in each five minutes, by how many such stretches ago."""
    parts: dict[int, list[Sample]] = defaultdict(list)
    for one in samples:
        parts[int((end - one.at) / _STRETCH)].append(one)
    rises = {stretch: rise(found) for stretch, found in parts.items()}
    return {stretch: one.per_second for stretch, one in rises.items() if one is not None}


def _cores(samples: tuple[Sample, ...], end: datetime) -> float | None:
    found = rise(lately(samples, end))
    return None if found is None else found.per_second
