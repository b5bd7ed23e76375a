"""Questions beside those to Kubernetes and Prometheus: log lines, CloudWatch, what is blind."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from petops.domain.alarm import Category
from petops.domain.cloud import BalancerUse, CloudUse
from petops.domain.evidence import PodScope, Signal, Window
from petops.domain.facts import AffectedPods
from petops.domain.monitoring import Monitoring, Seen, SignalSeen
from petops.domain.tracing import LogExcerpt
from petops.errors import SourceError
from petops.playbooks.base import Case, Sources, step
from petops.playbooks.pod_trouble import living
from petops.playbooks.steps.workloads import affected_pods, principal
from petops.playbooks.together import together

_AROUND: Final = timedelta(minutes=2)
_MOST_LINES: Final = 40
_LONGEST_LINE: Final = 400
_MOST_PODS: Final = 50
_LOOK_BACK: Final = timedelta(minutes=15)
# Prometheus itself forgets a series after five minutes without a sample.
STALE: Final = timedelta(minutes=5)
AHEAD: Final = timedelta(minutes=2)
_BALANCER: Final = "LoadBalancer"
# What every running container has, where cAdvisor is scraped at all.
WATCHED: Final = (Signal.MEMORY_WORKING_SET_BYTES, Signal.CPU_SECONDS_TOTAL)


@step("What did its containers write around the failure?", timeout_seconds=10.0)
async def log_lines(case: Case, sources: Sources) -> LogExcerpt:
    """Read lines of the affected pods, those that are gone as well, around the latest end."""
    affected = await sources.answers.answer(affected_pods)
    around = _failure(affected, case)
    if around is None:
        return LogExcerpt(around=case.window.end, lines=())
    window = Window(start=around - _AROUND, end=min(around + _AROUND, case.window.end))
    scope = _scope(affected)
    if scope is None:
        raise SourceError("it has no pods whose lines could be read")
    told = await sources.logs.lines(scope, window, limit=_MOST_LINES + 1)
    found = sorted(sources.noted(told), key=lambda one: one.at)
    return LogExcerpt(
        around=around,
        lines=tuple(one.cut(_LONGEST_LINE) for one in found[-_MOST_LINES:]),
        is_cut=len(found) > _MOST_LINES,
    )


@step("What did Container Insights measure?", timeout_seconds=8.0)
async def cloud_use(case: Case, sources: Sources) -> CloudUse:
    """Read the workload's use of its limits, for where Prometheus has none."""
    owner = principal(await sources.answers.answer(affected_pods))
    return sources.noted(await sources.cloud.workload(owner, case.window))


@step("What did the load balancer see?", timeout_seconds=8.0)
async def balancer_use(case: Case, sources: Sources) -> BalancerUse:
    """Read requests, times and failures at the load balancer that the alarm names."""
    name = dict(case.alarm.labels).get(_BALANCER, "")
    if not name:
        return BalancerUse(name="")
    return sources.noted(await sources.cloud.balancer(name, case.window))


@step("Is what is measured of it fresh?")
async def monitoring(case: Case, sources: Sources) -> Monitoring:
    """Look whether the running containers' metrics are there, recent and numbers."""
    affected = await sources.answers.answer(affected_pods)
    end = case.window.end
    grown = [pod for pod in living(affected.pods) if pod.ready and end - pod.created_at > STALE]
    if not grown:
        return Monitoring(signals=())
    names = tuple(pod.name for pod in grown[:_MOST_PODS])
    scope = PodScope(namespace=grown[0].namespace, pods=names)
    window = Window.before(end, _LOOK_BACK)
    seen = await together(*(_seen(sources, one, scope, window) for one in WATCHED))
    return Monitoring(signals=tuple(seen))


async def _seen(sources: Sources, signal: Signal, scope: PodScope, window: Window) -> SignalSeen:
    try:
        readings = await sources.metrics.read(signal, scope, window)
    except SourceError as exc:
        return SignalSeen(signal=str(signal), seen=Seen.REFUSED, why=exc.message)
    sources.asked.append(readings.asked)
    last = max((one.samples[-1].at for one in readings.series if one.samples), default=None)
    return SignalSeen(signal=str(signal), seen=_freshness(last, window.end), last_at=last)


def _freshness(last: datetime | None, now: datetime) -> Seen:
    if last is None:
        return Seen.NO_DATA
    if now - last > STALE:
        return Seen.STALE
    return Seen.AHEAD if last - now > AHEAD else Seen.FRESH


def _failure(affected: AffectedPods, case: Case) -> datetime | None:
    """Return when something failed last: a container's end in the window, else the alarm's errors.

    None where nothing did: a query costs money.
    """
    ends = [
        one.last_stop.finished_at
        for pod in affected.pods
        for one in pod.containers
        if one.last_stop is not None and one.last_stop.finished_at is not None
    ]
    recent = [one for one in ends if case.window.start <= one <= case.window.end]
    if recent:
        return max(recent)
    fails = case.assessment.category in {Category.ERRORS, Category.AVAILABILITY}
    return min(case.alarm.started_at, case.window.end) if fails else None


def _scope(affected: AffectedPods) -> PodScope | None:
    namespace = affected.subject.namespace or next((p.namespace for p in affected.pods), "")
    pods = [pod for pod in affected.pods if pod.namespace == namespace]
    if not pods:
        return None
    sets = {pod.name.rpartition("-")[0] for pod in pods if pod.revision}
    return PodScope(
        namespace=namespace,
        pods=tuple(sorted(pod.name for pod in pods)[:_MOST_PODS]),
        prefixes=tuple(sorted(sets - {""})),
    )
