"""Questions about single objects: what happened to them, their last words, what stands around."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from petops.domain.facts import AffectedPods, Container, NearbyPods, Pod
from petops.domain.objects import (
    Autoscalers,
    Evictions,
    JobRun,
    LastWords,
    ObjectEvents,
    Quotas,
    ServiceEndpoints,
)
from petops.domain.subject import Kind, Subject
from petops.errors import SourceError
from petops.playbooks.base import Case, Sources, step
from petops.playbooks.pod_trouble import is_crash_looping, is_unwell
from petops.playbooks.steps.workloads import affected_pods, principal, recent_rollouts

_MOST_PODS = 8
_MOST_SETS = 3
_SCALED = frozenset({Kind.DEPLOYMENT, Kind.STATEFUL_SET})
_SERVED = frozenset({*_SCALED, Kind.DAEMON_SET, Kind.POD, Kind.SERVICE})


@step("What does Kubernetes say happened to it?")
async def object_events(case: Case, sources: Sources) -> ObjectEvents:
    """Read the events of the subject, of its newest ReplicaSets, and of its worst pods."""
    del case
    affected = await sources.answers.answer(affected_pods)
    owner = principal(affected)
    about = [affected.subject, owner]
    with suppress(SourceError):  # only a Deployment has revisions
        revisions = (await sources.answers.answer(recent_rollouts)).revisions
        about += [
            replace(owner, kind=Kind.REPLICA_SET, name=one.name) for one in revisions[:_MOST_SETS]
        ]
    about += [_itself(pod) for pod in _worst_first(affected)[:_MOST_PODS]]
    return sources.noted(await sources.cluster.events(about))


@step("What did the container say last?")
async def last_words(case: Case, sources: Sources) -> LastWords:
    """Read the end of the log of the worst container's last run.

    One that loops now comes before one that restarted oftener long ago.
    """
    affected = await sources.answers.answer(affected_pods)
    ended = [
        (_badness(one, case.window.end), pod.created_at, pod.name, one.name, pod)
        for pod in affected.pods
        for one in pod.containers
        if _has_ended(one) and not pod.disrupted_by
    ]
    if not ended:
        return LastWords(pod="", container="", was_before=False, lines=())
    *_, container, pod = max(ended, key=lambda one: one[:4])
    return sources.noted(await sources.cluster.last_words(_itself(pod), container))


@step("Do its Services have endpoints?")
async def service_endpoints(case: Case, sources: Sources) -> ServiceEndpoints:
    """Read the Services in front of the workload, and their endpoints."""
    del case
    affected = await sources.answers.answer(affected_pods)
    subject = affected.subject
    if subject.kind is not Kind.SERVICE:
        subject = principal(affected)
    if subject.kind not in _SERVED:
        return ServiceEndpoints(services=())
    return sources.noted(await sources.cluster.services(subject))


@step("Is its autoscaler at its maximum, or blind?")
async def autoscalers(case: Case, sources: Sources) -> Autoscalers:
    """Read the workload's HorizontalPodAutoscalers."""
    del case
    owner = principal(await sources.answers.answer(affected_pods))
    if owner.kind not in _SCALED:
        return Autoscalers(found=())
    return sources.noted(await sources.cluster.autoscalers(owner))


@step("What do the namespace's quotas leave?")
async def quotas(case: Case, sources: Sources) -> Quotas:
    """Read the ResourceQuotas of the workload's namespace."""
    del case
    affected = await sources.answers.answer(affected_pods)
    namespace = principal(affected).namespace
    if not namespace:
        return Quotas(quotas=())
    return sources.noted(await sources.cluster.quotas(namespace))


@step("How did the Job go?")
async def job_run(case: Case, sources: Sources) -> JobRun:
    """Read the Job's status."""
    del case
    owner = principal(await sources.answers.answer(affected_pods))
    if owner.kind is not Kind.JOB:
        return JobRun(
            subject=owner,
            wanted=0,
            succeeded=0,
            failed=0,
            active=0,
            is_suspended=False,
            backoff_limit=0,
            conditions=(),
            is_job=False,
        )
    return sources.noted(await sources.cluster.job(owner))


@step("Which pods did kubelets evict, in which order?")
async def evictions(case: Case, sources: Sources) -> Evictions:
    """Read the events of eviction, of all namespaces where they may be read."""
    del case
    affected = await sources.answers.answer(affected_pods)
    namespace = affected.pods[0].namespace if affected.pods else affected.subject.namespace
    return sources.noted(await sources.cluster.evictions(namespace))


@step("What else is not well nearby?")
async def nearby_pods(case: Case, sources: Sources) -> NearbyPods:
    """Read the namespace's other pods, and keep those that are not well."""
    affected = await sources.answers.answer(affected_pods)
    namespace = affected.subject.namespace or (affected.pods[0].namespace if affected.pods else "")
    if not namespace:
        return NearbyPods(pods=())
    known = {pod.uid for pod in affected.pods}
    owners = {pod.owner for pod in affected.pods}
    pods = sources.noted(await sources.cluster.nearby(namespace))
    # What a Job tried in vain before it succeeded is over.
    well = {pod.owner for pod in pods if pod.phase == "Succeeded"}
    return NearbyPods(
        pods=tuple(
            pod
            for pod in pods
            if pod.uid not in known
            and pod.owner not in owners
            and is_unwell(pod, case.window.end)
            and not (pod.phase == "Failed" and pod.owner in well)
        )
    )


def _itself(pod: Pod) -> Subject:
    return replace(pod.owner, kind=Kind.POD, namespace=pod.namespace, name=pod.name)


def _badness(container: Container, now: datetime) -> tuple[bool, int]:
    return is_crash_looping(container, now), container.restarts


def _has_ended(container: Container) -> bool:
    return container.restarts > 0 or container.last_stop is not None


def _worst_first(affected: AffectedPods) -> list[Pod]:
    return sorted(
        affected.pods,
        key=lambda pod: (
            pod.ready,
            -sum(one.restarts for one in pod.containers),
            -pod.created_at.timestamp(),
            pod.name,
        ),
    )
