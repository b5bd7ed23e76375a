"""Questions about the nodes under the pods: who takes their memory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import timedelta

from petops.domain.evidence import PodScope, Signal, Window
from petops.domain.facts import Pod
from petops.domain.objects import NodeMemory, PodMemory
from petops.domain.subject import Kind, Subject
from petops.errors import SourceError
from petops.playbooks.base import Case, Sources, step
from petops.playbooks.node_trouble import starved_nodes
from petops.playbooks.pod_trouble import living
from petops.playbooks.steps.objects import evictions
from petops.playbooks.steps.workloads import affected_pods, node_conditions

MIB = 1024 * 1024
_MOST_NODES = 2
_MOST_NAMESPACES = 12
_LOOK_BACK = timedelta(minutes=10)


@step("Who takes the node's memory, beyond what was requested?")
async def node_memory(case: Case, sources: Sources) -> NodeMemory:
    """Read the memory of every pod on the nodes that are, or just were, short of it."""
    affected = await sources.answers.answer(affected_pods)
    nodes = await sources.answers.answer(node_conditions)
    evicted = await sources.answers.answer(evictions)
    names = starved_nodes(affected, nodes, evicted, "memory", case.window.end)[:_MOST_NODES]
    if not names:
        return NodeMemory(nodes=(), pods=(), unmeasured_pods=0, allocatable_mib=None)
    pods: dict[str, Pod] = {}
    for name in names:
        found = await _on(name, affected.subject, sources, affected.pods)
        pods |= {pod.uid: pod for pod in living(found)}
    used = await _used(case, sources, pods.values())
    measured = [
        PodMemory(
            pod=pod.name,
            owner=pod.owner,
            used_mib=used[pod.namespace, pod.name],
            requested_mib=_requested(pod),
        )
        for pod in pods.values()
        if (pod.namespace, pod.name) in used
    ]
    rooms = [one.allocatable_mib for one in nodes.states if one.name in names]
    return NodeMemory(
        nodes=names,
        pods=tuple(sorted(measured, key=lambda one: (-one.excess_mib, one.pod))[:50]),
        unmeasured_pods=len(pods) - len(measured),
        allocatable_mib=next((one for one in rooms if one), None),
    )


async def _on(node: str, near: Subject, sources: Sources, known: Iterable[Pod]) -> tuple[Pod, ...]:
    """Return the node's pods; where they may not be read, those of the alarm that run there."""
    subject = Subject(cluster=near.cluster, kind=Kind.NODE, name=node)
    try:
        return sources.noted(await sources.cluster.pods(subject))
    except SourceError:
        return tuple(pod for pod in known if pod.node == node)


async def _used(case: Case, sources: Sources, pods: Iterable[Pod]) -> dict[tuple[str, str], float]:
    """Return MiB in use by namespace and pod; a pod without readings is left out."""
    spaces: dict[str, list[str]] = defaultdict(list)
    for pod in pods:
        spaces[pod.namespace].append(pod.name)
    window = Window.before(case.window.end, _LOOK_BACK)
    found: dict[tuple[str, str], dict[tuple[str, str], float]] = defaultdict(dict)
    for space in sorted(spaces, key=lambda one: (-len(spaces[one]), one))[:_MOST_NAMESPACES]:
        scope = PodScope(namespace=space, pods=tuple(sorted(spaces[space])))
        readings = await sources.metrics.read(Signal.MEMORY_WORKING_SET_BYTES, scope, window)
        sources.asked.append(readings.asked)
        for one in readings.series:
            if one.samples and one.label("container"):
                key = (one.label("container"), one.label("id"))
                found[space, one.label("pod")][key] = one.samples[-1].value / MIB
    return {key: _largest_each(values) for key, values in found.items()}


def _largest_each(values: dict[tuple[str, str], float]) -> float:
    """Add the containers up; of one container's runs and scrape jobs the largest counts."""
    largest: dict[str, float] = {}
    for (container, _), mib in values.items():
        largest[container] = max(mib, largest.get(container, 0.0))
    return sum(largest.values())


def _requested(pod: Pod) -> float:
    return sum((one.memory_request_bytes or 0) / MIB for one in pod.containers)
