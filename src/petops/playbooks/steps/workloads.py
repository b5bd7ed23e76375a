"""Questions to Kubernetes about the workload under the alarm."""

from __future__ import annotations

from petops.domain.facts import (
    AffectedPods,
    NodeConditions,
    Rollouts,
    Stops,
)
from petops.domain.subject import Kind, Subject
from petops.errors import SourceError
from petops.playbooks.base import Case, Sources, step, subject_of


@step("Which pods are behind the alarm?")
async def affected_pods(case: Case, sources: Sources) -> AffectedPods:
    """List the subject's pods, with their owners, restarts and limits."""
    subject = subject_of(case)
    pods = sources.noted(await sources.cluster.pods(subject))
    return AffectedPods(subject=subject, pods=pods)


@step("How did its containers end, and how often?")
async def container_stops(case: Case, sources: Sources) -> Stops:
    """Read the latest end of each container, and the restarts, from the pods' status."""
    del case
    affected = await sources.answers.answer(affected_pods)
    containers = [one for pod in affected.pods for one in pod.containers]
    return Stops(
        stops=tuple(one.last_stop for one in containers if one.last_stop is not None),
        restarts=sum(one.restarts for one in containers),
    )


@step("What was rolled out, and when?")
async def recent_rollouts(case: Case, sources: Sources) -> Rollouts:
    """Read the revisions of the Deployment whose pods are worst off."""
    del case
    affected = await sources.answers.answer(affected_pods)
    owner = principal(affected)
    if owner.kind is not Kind.DEPLOYMENT:
        raise SourceError(f"only a Deployment has revisions to compare, not {owner}")
    return sources.noted(await sources.cluster.rollouts(owner))


@step("Are the nodes under it well?")
async def node_conditions(case: Case, sources: Sources) -> NodeConditions:
    """Read the conditions of the nodes that the pods run on, and what was evicted.

    Where a pod finds no node, of all nodes that are in trouble.
    """
    del case
    affected = await sources.answers.answer(affected_pods)
    subject = affected.subject
    names = {pod.node for pod in affected.pods if pod.node}
    if subject.kind is Kind.NODE and not names:
        names = {subject.name}
    namespace = affected.pods[0].namespace if affected.pods else subject.namespace
    waiting = any(pod.unscheduled for pod in affected.pods)
    found = sources.noted(await sources.cluster.nodes(() if waiting else sorted(names), namespace))
    missing = names - set(found.nodes)
    if not waiting or not missing:
        return found
    under = sources.noted(await sources.cluster.nodes(sorted(missing), namespace))
    return NodeConditions(
        nodes=(*found.nodes, *under.nodes),
        short_of_memory=(*found.short_of_memory, *under.short_of_memory),
        not_ready=(*found.not_ready, *under.not_ready),
        evicted_pods=found.evicted_pods,
        states=(*found.states, *under.states),
    )


def principal(affected: AffectedPods) -> Subject:
    """Return the workload that is asked about: the worst owner, or without pods the subject.

    An alarm may not know the kind of what it names; the pods' owner does.
    """
    return worst_owner(affected) or affected.subject


def worst_owner(affected: AffectedPods) -> Subject | None:
    """Return the owner whose pods restarted most, then are least ready, then are newest."""
    if not affected.pods:
        return None

    def badness(owner: Subject) -> tuple[int, int, float]:
        pods = [pod for pod in affected.pods if pod.owner == owner]
        restarts = sum(one.restarts for pod in pods for one in pod.containers)
        newest = max(pod.created_at.timestamp() for pod in pods)
        return restarts, sum(not pod.ready for pod in pods), newest

    return max(sorted({pod.owner for pod in affected.pods}, key=str), key=badness)
