"""The question that comes first where an alarm names no object: what ails where it points?"""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from petops.domain.alarm import Category
from petops.domain.objects import NodeState, condition_of
from petops.domain.subject import Kind, Subject
from petops.domain.whereabouts import Ailing, Balancer, Whereabouts, balancer_of, namespace_of
from petops.errors import SourceError
from petops.playbooks.base import Case, Sources, step
from petops.playbooks.nearby import seen_of, troubled
from petops.playbooks.pod_trouble import is_unwell

_MOST: Final = 20
_MOST_SERVICES: Final = 6
_AILS: Final = (
    ("Ready", ("False", "Unknown"), "not ready"),
    ("MemoryPressure", ("True",), "short of memory"),
    ("DiskPressure", ("True",), "short of disk"),
    ("PIDPressure", ("True",), "short of process ids"),
)


@step("What ails where the alarm points?")
async def whereabouts(case: Case, sources: Sources) -> Whereabouts:
    """Look among the nodes, behind the load balancer, or in the namespace that the alarm names."""
    labels = dict(case.alarm.labels)
    balancer, namespace = balancer_of(labels), namespace_of(labels)
    if case.assessment.category is Category.NODE:
        nodes = await _nodes(sources)
        if nodes.found or not (balancer or namespace):
            return nodes
    if balancer is not None:
        return await _behind(balancer, case, sources)
    if namespace:
        return await _within(namespace, case, sources)
    why = case.alarm.unmapped or "it was not mapped"
    raise SourceError(f"the alarm names no object, namespace or load balancer: {why}")


async def _nodes(sources: Sources) -> Whereabouts:
    """Return the nodes that ail: of each ailment those that have it for the shortest time first."""
    told = sources.noted(await sources.cluster.nodes((), ""))
    cluster = sources.cluster.name
    found: dict[Subject, Ailing] = {}
    for kind, statuses, what in _AILS:
        ailing = [one for one in told.states if one.has(kind, *statuses)]
        for one in sorted(ailing, key=lambda each: (-_since(each, kind), each.name)):
            node = Subject(cluster=cluster, kind=Kind.NODE, name=one.name)
            found.setdefault(node, Ailing(subject=node, what=what))
    return Whereabouts(
        area="the cluster's nodes", found=tuple(found.values())[:_MOST], why="all are well"
    )


def _since(one: NodeState, kind: str) -> float:
    found = condition_of(one.conditions, kind)
    return found.since.timestamp() if found is not None and found.since is not None else 0.0


async def _behind(balancer: Balancer, case: Case, sources: Sources) -> Whereabouts:
    """Return the one Service behind it; of several, those whose pods are not well."""
    services = sources.noted(await sources.cluster.behind(balancer))
    if len(services) == 1:
        only = Ailing(subject=services[0], what="this alone is behind it")
        return Whereabouts(area=str(balancer), found=(only,))
    unwell: list[Ailing] = []
    for one in services[:_MOST_SERVICES]:
        pods = sources.noted(await sources.cluster.pods(one))
        ailing = [pod for pod in pods if is_unwell(pod, case.window.end)]
        if ailing:
            what = f"{len(ailing)} of its {len(pods)} pods are not well"
            unwell.append(Ailing(subject=one, what=what))
    names = ", ".join(one.name for one in services[:_MOST_SERVICES])
    why = f"the pods of {names} are well" if services else "no Service is known to be behind it"
    return Whereabouts(area=str(balancer), found=tuple(unwell), why=why)


async def _within(namespace: str, case: Case, sources: Sources) -> Whereabouts:
    """Return the workloads whose pods are in trouble, and those that lack pods."""
    pods = sources.noted(await sources.cluster.nearby(namespace))
    ailing = {
        owner: Ailing(subject=owner, what=seen_of(mode, found))
        for owner, mode, found in reversed(troubled(pods, case.window.end))
    }
    found = list(reversed(ailing.values()))
    with suppress(SourceError):  # the pods alone say most
        for one in sources.noted(await sources.cluster.short_of_pods(namespace)):
            if one.subject not in ailing:
                what = f"{one.ready_replicas} of {one.desired_replicas} replicas are ready"
                found.append(Ailing(subject=one.subject, what=what))
    why = f"each of {len(pods)} pods is well"
    return Whereabouts(area=f"namespace {namespace}", found=tuple(found[:_MOST]), why=why)
