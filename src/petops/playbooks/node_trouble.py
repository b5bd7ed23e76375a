"""What is wrong with nodes, by their conditions, and by what their kubelets wrote on evictions."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from petops.domain.facts import AffectedPods, NodeConditions, Pod
from petops.domain.objects import Evictions, NodeState, Occurrence

# An eviction this long ago still belongs to what is going on: a kubelet keeps a pressure's
# condition for five minutes after it is over.
RECENT: Final = timedelta(minutes=10)
MOST_NAMED: Final = 5
SILENT: Final = "the kubelets of its nodes are silent"
MEMORY: Final = "memory"
DISK: Final = frozenset({"ephemeral-storage", "inodes", "nodefs", "imagefs", "containerfs"})
_LOW_ON: Final = re.compile(r"The node was low on resource: ([a-z-]+)[.\s]")
_TAINT: Final = re.compile(r"untolerated taint \{(node\.kubernetes\.io/[a-z-]+)")


def short_of(message: str) -> str:
    """Return the resource that a kubelet's message on an eviction names; empty for other text."""
    found = _LOW_ON.match(message)
    return found[1] if found else ""


def recent_evictions(
    found: Evictions | None, resources: Iterable[str], now: datetime, namespaces: Iterable[str] = ()
) -> tuple[Occurrence, ...]:
    """Return the kubelets' evictions for one of these resources, not long ago, in their order."""
    wanted, places = set(resources), set(namespaces)
    every = found.occurrences if found is not None else ()
    kept = [
        one
        for one in every
        if one.reason == "Evicted"
        and one.kind == "Pod"
        and short_of(one.message) in wanted
        and one.last_at is not None
        and now - one.last_at <= RECENT
        and (not places or one.namespace in places)
    ]
    return tuple(sorted(kept, key=lambda one: one.first_at or now))


def evicted_for(pods: Iterable[Pod], resources: Iterable[str], now: datetime) -> tuple[Pod, ...]:
    """Return the pods that their kubelet evicted for one of these resources not long ago.

    What is left of an evicted pod stays until somebody deletes it.
    """
    wanted = set(resources)
    return tuple(
        pod
        for pod in pods
        if pod.reason == "Evicted"
        and short_of(pod.message) in wanted
        and now - (pod.ready_changed_at or pod.created_at) <= RECENT
    )


def starved_nodes(
    affected: AffectedPods,
    nodes: NodeConditions,
    evicted: Evictions | None,
    resource: str,
    now: datetime,
) -> tuple[str, ...]:
    """Return the nodes that are short of memory, or evicted for it just now; the worst first."""
    here = {pod.node for pod in affected.pods if pod.node} | set(nodes.nodes)
    hosts = [one.host for one in recent_evictions(evicted, {resource}, now) if one.host in here]
    pressed = [one.name for one in nodes.states if one.has("MemoryPressure", "True")]
    return tuple(dict.fromkeys((*sorted(pressed), *hosts)))


def node_taints(pods: Iterable[Pod]) -> frozenset[str]:
    """Return the taints of ailing nodes that keep pods from a node, by the scheduler's words."""
    return frozenset(
        taint
        for pod in pods
        for taint in _TAINT.findall(pod.unscheduled.partition("preemption:")[0])
    )


def with_condition(nodes: NodeConditions, kind: str, *statuses: str) -> tuple[NodeState, ...]:
    """Return the nodes whose condition has one of these statuses."""
    return tuple(one for one in nodes.states if one.has(kind, *statuses))


def told_well(nodes: NodeConditions, kind: str) -> str:
    """Say on which nodes there is no such condition; empty where each kubelet is silent of it.

    Of a node whose kubelet went silent nothing is known, least of all that it is well.
    """
    silent = {one.name for one in with_condition(nodes, kind, "Unknown")}
    told = [one for one in nodes.nodes if one not in silent]
    if silent and not told:
        return ""
    said = f"no {kind} on {', '.join(told[:MOST_NAMED]) or 'its nodes'}"
    unknown = f"; not known of {', '.join(sorted(silent)[:MOST_NAMED])}, whose kubelet is silent"
    return said + (unknown if silent else "")
