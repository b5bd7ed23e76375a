"""What a step answered, in a few words. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from petops.domain import cloud, facts, monitoring, objects, performance, tracing
from petops.domain.facts import Fact
from petops.domain.subject import Kind
from petops.domain.whereabouts import Whereabouts


def summary(fact: Fact) -> str:  # noqa: C901, PLR0911, PLR0912
    """Return what a step answered, in a few words."""
    match fact:
        case facts.AffectedPods():
            return _pods(fact)
        case facts.ContainerMemory(lifetimes=lives):
            readings = sum(len(one.readings) for one in lives)
            return f"{len(lives)} container lifetimes, {readings} readings"
        case facts.RequestLoad():
            return f"{fact.first_per_second:.1f} -> {fact.last_per_second:.1f} requests a second"
        case facts.Rollouts(revisions=revisions, current=current):
            number = current.number if current else "?"
            since = f" since {clock(fact.current_since)}" if fact.current_since else ""
            return f"revision {number}{since}, {len(revisions)} known"
        case facts.Stops(restarts=restarts, out_of_memory=kills):
            return f"{restarts} restarts, {len(kills)} containers OOMKilled last"
        case facts.Siblings(pods=pods):
            return f"{len(pods)} pods of other owners"
        case performance.CpuUse(containers=containers):
            ratios = [one.throttled_ratio for one in containers if one.throttled_ratio is not None]
            limited = any(one.limit_cores for one in containers)
            worst = "throttling not measured" if limited else "no CPU limit"
            worst = f"{max(ratios):.0%} of periods throttled at most" if ratios else worst
            return f"{len(containers)} containers, {worst}"
        case performance.RequestLatency(pods=pods):
            times = [one.seconds for one in pods]
            span = f", {min(times) * 1000:.0f} to {max(times) * 1000:.0f} ms" if times else ""
            return f"requests of {len(pods)} pods{span}"
        case facts.NodeConditions():
            short_of = ", ".join(fact.short_of_memory) or "none"
            return f"{len(fact.nodes)} nodes, short of memory: {short_of}"
        case facts.OwnFact(summary=said):
            return said
        case facts.NearbyPods(pods=pods):
            return f"{len(pods)} pods nearby are not well"
        case Whereabouts():
            return _whereabouts(fact)
        case objects.ObjectEvents(occurrences=found, is_cut=cut):
            return f"{len(found)} events{', and more' if cut else ''}"
        case objects.Evictions(occurrences=found):
            return f"{len(found)} evictions"
        case objects.LastWords(lines=lines, container=container):
            return f"{len(lines)} lines of {container}" if container else "nothing has ended"
        case objects.ServiceEndpoints(services=services):
            ready = sum(one.ready_endpoints for one in services)
            return f"{len(services)} Services, {ready} ready endpoints"
        case objects.Autoscalers(found=scalers):
            return _joined(f"{one.now} of {one.most} replicas" for one in scalers) or "it has none"
        case objects.Quotas(quotas=quotas):
            return f"{len({one.name for one in quotas})} quotas"
        case objects.JobRun(is_job=False):
            return "it is no Job"
        case objects.JobRun():
            return f"{fact.succeeded} of {fact.wanted} succeeded, {fact.failed} failed"
        case objects.NodeMemory(nodes=nodes):
            return f"{len(fact.pods)} pods measured on {', '.join(nodes) or 'no node'}"
        case tracing.SlowTraces(service=service):
            bars = [one.guilty_bar for one in fact.waterfalls]
            where = sorted({one.service for one in bars if one is not None})
            slow = f"{len(fact.slow)} slow, at {', '.join(where)}" if where else "none slow"
            return f"{fact.looked_at} traces through {service}, {slow}"
        case tracing.ServiceMap(nodes=services):
            return f"{len(services)} services, {len(fact.edges)} calls"
        case tracing.TroubleSpot(cause=cause, why=why):
            return f"{cause}: {why}" if cause else why
        case tracing.LogExcerpt(lines=found):
            return f"{len(found)} lines{', and more' if fact.is_cut else ''}"
        case objects.NodeRelief(used_mib=used, allocatable_mib=room):
            return f"pods use {used:.0f} of {'?' if room is None else f'{room:.0f}'} MiB"
        case performance.CpuShortage(waits=waits):
            longest = max((one.waiting_ratio for one in waits), default=None)
            return "not measured" if longest is None else f"waits {longest:.0%} of the time at most"
        case objects.NodePods(pods=placed):
            return f"{len(placed)} pods on {', '.join(fact.nodes) or 'no node that is short'}"
        case objects.NodeChanges(changes=changes):
            return f"{len(changes)} changes on {fact.node}" if fact.node else "no node is short"
        case cloud.CloudUse():
            ratio = fact.cpu_of_limit_ratio
            return "no data" if ratio is None else f"CPU at {ratio:.0%} of its limit"
        case cloud.BalancerUse(target_seconds=seconds):
            return "no data" if seconds is None else f"targets take {seconds * 1000:.0f} ms"
        case monitoring.Monitoring(signals=signals):
            return "; ".join(one.words() for one in signals) or "nothing runs long enough"


def _pods(fact: facts.AffectedPods) -> str:
    """Return how many there are and how they are; whose place they took, where it is gone."""
    pods, about = fact.pods, fact.subject
    ready = sum(pod.ready for pod in pods)
    restarts = sum(one.restarts for pod in pods for one in pod.containers)
    said = f"{len(pods)} pods, {ready} ready, {restarts} restarts"
    is_gone = about.kind is Kind.POD and bool(pods) and about.name not in {one.name for one in pods}
    return f"{said}; {about.name} is gone, they took its place" if is_gone else said


def clock(at: datetime) -> str:
    """Return a time of day in UTC."""
    return f"{at:%H:%M:%S}Z"


def _joined(said: Iterable[str]) -> str:
    return ", ".join(said)


def _whereabouts(fact: Whereabouts) -> str:
    first = f"{fact.found[0].subject}: {fact.found[0].what}" if fact.found else fact.why
    more = f", and {len(fact.found) - 1} more" if len(fact.found) > 1 else ""
    return f"in {fact.area}: {first}{more}"
