"""Questions about the nodes under the pods: who takes their memory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import timedelta

from petops.domain.evidence import PodScope, Sample, Signal, Window
from petops.domain.facts import Pod
from petops.domain.objects import (
    NodeChange,
    NodeChanges,
    NodeMemory,
    NodePods,
    NodeRelief,
    PlacedPod,
    PodMemory,
    condition_of,
)
from petops.domain.subject import HAS_REPLICAS, Kind, Subject
from petops.errors import SourceError
from petops.playbooks.base import Case, Sources, step
from petops.playbooks.node_trouble import MEMORY, recent_evictions, starved_nodes
from petops.playbooks.pod_trouble import living
from petops.playbooks.steps.objects import evictions
from petops.playbooks.steps.workloads import affected_pods, node_conditions

MIB = 1024 * 1024
_MOST_NODES = 2
_MOST_NAMESPACES = 12
_MOST_OWNERS = 8
_RETURNS = HAS_REPLICAS - {Kind.DAEMON_SET}
_MOST_CHANGES = 30
_SHORT = frozenset({"NodeHasInsufficientMemory", "EvictionThresholdMet"})
_LOOK_BACK = timedelta(minutes=10)
_Pod = tuple[str, str]
_Run = tuple[str, str]


@step("Which pods run on the node, and what did they request?")
async def node_pods(case: Case, sources: Sources) -> NodePods:
    """List every pod on the nodes that are, or just were, short of memory."""
    affected = await sources.answers.answer(affected_pods)
    nodes = await sources.answers.answer(node_conditions)
    evicted = await sources.answers.answer(evictions)
    names = starved_nodes(affected, nodes, evicted, MEMORY, case.window.end)[:_MOST_NODES]
    pods: dict[str, Pod] = {}
    for name in names:
        found = await _on(name, affected.subject, sources, affected.pods)
        pods |= {pod.uid: pod for pod in living(found)}
    placed = (
        PlacedPod(
            pod=pod.name,
            namespace=pod.namespace,
            node=pod.node,
            owner=pod.owner,
            created_at=pod.created_at,
            ready=pod.ready,
            requested_mib=_requested(pod),
        )
        for pod in pods.values()
    )
    return NodePods(nodes=names, pods=tuple(placed))


@step("Who takes the node's memory, beyond what was requested?")
async def node_memory(case: Case, sources: Sources) -> NodeMemory:
    """Read the memory of every pod on those nodes, each against its request."""
    there = await sources.answers.answer(node_pods)
    if not there.nodes:
        return NodeMemory(nodes=(), pods=(), unmeasured_pods=0, allocatable_mib=None)
    nodes = await sources.answers.answer(node_conditions)
    used = await _used(case, sources, there.pods)
    measured = [
        PodMemory(
            pod=one.pod,
            owner=one.owner,
            used_mib=used[one.namespace, one.pod],
            requested_mib=one.requested_mib,
        )
        for one in there.pods
        if (one.namespace, one.pod) in used
    ]
    rooms = [one.allocatable_mib for one in nodes.states if one.name in there.nodes]
    return NodeMemory(
        nodes=there.nodes,
        pods=tuple(sorted(measured, key=lambda one: (-one.excess_mib, one.pod))[:50]),
        unmeasured_pods=len(there.pods) - len(measured),
        allocatable_mib=next((one for one in rooms if one), None),
    )


@step("What changed on the node?")
async def node_changes(case: Case, sources: Sources) -> NodeChanges:
    """Lay in order which pods came to the node, its conditions' changes, and events about it."""
    there = await sources.answers.answer(node_pods)
    if not there.nodes:
        return NodeChanges(node="", since=None, changes=())
    name = there.nodes[0]
    nodes = await sources.answers.answer(node_conditions)
    conditions = [each for one in nodes.states if one.name == name for each in one.conditions]
    affected = await sources.answers.answer(affected_pods)
    about = Subject(cluster=affected.subject.cluster, kind=Kind.NODE, name=name)
    # Those that were evicted since have come as well.
    came = {(one.pod, one.owner.name): one.created_at for one in there.pods if one.node == name}
    came |= {
        (pod.name, pod.owner.name): pod.created_at for pod in affected.pods if pod.node == name
    }
    found = [
        NodeChange(at=at, what=f"pod {pod} of {owner} came") for (pod, owner), at in came.items()
    ]
    found += [
        NodeChange(at=one.since, what=f"{one.type} became {one.status}")
        for one in conditions
        if one.since is not None
    ]
    with suppress(SourceError):
        told = sources.noted(await sources.cluster.events([about]))
        found += [
            NodeChange(at=at, what=f"event {one.reason}")
            for one in told.occurrences
            if (at := one.first_at or one.last_at) is not None
        ]
    kept = sorted(
        (one for one in found if case.window.start <= one.at <= case.window.end),
        key=lambda one: (one.at, one.what),
    )
    pressure = condition_of(conditions, "MemoryPressure")
    since = pressure.since if pressure is not None and pressure.status == "True" else None
    # An episode that is over stands in the events alone.
    short = [one.at for one in kept if one.what.removeprefix("event ") in _SHORT]
    since = min([*([since] if since else []), *short], default=None)
    return NodeChanges(node=name, since=since, changes=tuple(kept[-_MOST_CHANGES:]))


@step("Has the node memory to spare again, and is back what had to leave it?")
async def node_relief(case: Case, sources: Sources) -> NodeRelief:
    """Add up what its pods use since the window began, and look after the owners of those gone."""
    affected = await sources.answers.answer(affected_pods)
    nodes = await sources.answers.answer(node_conditions)
    evicted = await sources.answers.answer(evictions)
    name = affected.subject.name
    here = living(affected.pods)
    try:
        own = [(pod.namespace, pod.name) for pod in here]
        readings = await _readings(case.window, sources, own)
    except SourceError:  # then nothing is measured: the node's condition is what there is
        readings = {}
    gone = [
        one
        for one in recent_evictions(evicted, {MEMORY}, case.window.end)
        if one.host in {name, ""} and one.name in {pod.name for pod in affected.pods}
    ]
    names = {one.name for one in gone}
    owners = sorted(
        {
            pod.owner
            for pod in affected.pods
            if (pod.name in names or pod.being_deleted) and pod.owner.kind in _RETURNS
        },
        key=str,
    )
    away, back = await _stand_again(owners[:_MOST_OWNERS], sources)
    rooms = (one.allocatable_mib for one in nodes.states if one.name == name)
    return NodeRelief(
        node=name,
        used_mib=sum(_mib(one) for one in readings.values()),
        allocatable_mib=next(rooms, None),
        unmeasured_pods=len(here) - len(readings),
        measured_at=min(
            (max(one.at for one in latest.values()) for latest in readings.values()), default=None
        ),
        evicted_at=max((one.last_at for one in gone if one.last_at is not None), default=None),
        away=away,
        back=back,
    )


async def _stand_again(
    owners: Iterable[Subject], sources: Sources
) -> tuple[tuple[Subject, ...], tuple[Subject, ...]]:
    """Return the owners that lack replicas, and those that do not; others cannot be told."""
    away: list[Subject] = []
    back: list[Subject] = []
    for owner in owners:
        with suppress(SourceError):
            state = sources.noted(await sources.cluster.workload(owner))
            (back if state.is_rolled_out else away).append(owner)
    return tuple(away), tuple(back)


async def _on(node: str, near: Subject, sources: Sources, known: Iterable[Pod]) -> tuple[Pod, ...]:
    """Return the node's pods; where they may not be read, those of the alarm that run there."""
    subject = Subject(cluster=near.cluster, kind=Kind.NODE, name=node)
    try:
        return sources.noted(await sources.cluster.pods(subject))
    except SourceError:
        return tuple(pod for pod in known if pod.node == node)


async def _used(case: Case, sources: Sources, pods: Iterable[PlacedPod]) -> dict[_Pod, float]:
    """Return MiB in use by namespace and pod; a pod without readings is left out."""
    window = Window.before(case.window.end, _LOOK_BACK)
    names = [(one.namespace, one.pod) for one in pods]
    readings = await _readings(window, sources, names)
    return {pod: _mib(latest) for pod, latest in readings.items()}


async def _readings(
    window: Window, sources: Sources, pods: Iterable[_Pod]
) -> dict[_Pod, dict[_Run, Sample]]:
    """Return the latest reading of each container's runs, by pod."""
    spaces: dict[str, list[str]] = defaultdict(list)
    for space, name in pods:
        spaces[space].append(name)
    found: dict[_Pod, dict[_Run, Sample]] = defaultdict(dict)
    for space in sorted(spaces, key=lambda one: (-len(spaces[one]), one))[:_MOST_NAMESPACES]:
        scope = PodScope(namespace=space, pods=tuple(sorted(spaces[space])))
        readings = await sources.metrics.read(Signal.MEMORY_WORKING_SET_BYTES, scope, window)
        sources.asked.append(readings.asked)
        for one in readings.series:
            if one.samples and one.label("container"):
                run = (one.label("container"), one.label("id"))
                found[space, one.label("pod")][run] = one.samples[-1]
    return found


def _mib(latest: Mapping[_Run, Sample]) -> float:
    """Add the containers up; of one container's runs and scrape jobs the largest counts."""
    largest: dict[str, float] = {}
    for (container, _), sample in latest.items():
        largest[container] = max(sample.value / MIB, largest.get(container, 0.0))
    return sum(largest.values())


def _requested(pod: Pod) -> float:
    return sum((one.memory_request_bytes or 0) / MIB for one in pod.containers)
