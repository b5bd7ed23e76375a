"""The rows that the ledger of CPU throttling is made of, one for each question."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from statistics import median

from petops.domain.diagnosis import Weighs
from petops.domain.performance import ContainerCpu, PodLatency, RequestLatency
from petops.domain.tracing import TimeAt
from petops.playbooks.base import Ledger
from petops.playbooks.hpa_maxed import is_at_maximum
from petops.playbooks.steps.beside import cloud_use
from petops.playbooks.steps.cpu import cpu_use, request_latency
from petops.playbooks.steps.objects import autoscalers, service_endpoints
from petops.playbooks.steps.trouble import slow_traces

CALM_RATIO = 0.05
AT_LIMIT_RATIO = 0.8
# Requests that take half as long again are slower than chance makes them.
SLOWER_RATIO = 1.5
FEWEST_REQUESTS = 3


def service_row(ledger: Ledger) -> None:
    """Write which service it serves: what people and traces know it by."""
    found = ledger.evidence.fact(service_endpoints)
    statement, refuted_if = "it serves requests", "no Service stands in front of it"
    names = [one.subject.name for one in (found.services if found else ()) if one.pods]
    if found is None:
        ledger.not_measured(service_endpoints, statement, refuted_if=refuted_if)
    elif names:
        seen = f"behind Service {', '.join(names[:3])}"
        ledger.supports(service_endpoints, 0.0, statement, seen=seen, refuted_if=refuted_if)
    else:
        seen = "no Service selects its pods"
        ledger.row(service_endpoints, Weighs.AGAINST, statement, seen=seen, refuted_if=refuted_if)


def own_time_row(ledger: Ledger, worst: ContainerCpu) -> bool | None:
    """Write whether the service's own time in its traces grows, while its calls stay as they were.

    None where that was not measured.
    """
    statement = "its own time grows in its traces, not its calls'"
    refuted_if = "its own time stays as it was, and those that it calls take longer"
    traces = ledger.evidence.fact(slow_traces)
    if traces is None:
        ledger.not_measured(slow_traces, statement, refuted_if=refuted_if)
        return None
    own = [one for one in traces.lately if one.service == traces.service]
    now = _spent([one for one in own if one.pod == worst.pod]) or _spent(own)
    then = _spent([one for one in traces.before if one.service == traces.service])
    if now is None or then is None:
        why = f"too few traces through {traces.service}"
        ledger.not_measured(slow_traces, statement, refuted_if=refuted_if, why=why)
        return None
    seen = f"{then[0] * 1000:.0f} ms of its own then, {now[0] * 1000:.0f} ms now"
    seen += f"; its calls {then[1] * 1000:.0f} ms then, {now[1] * 1000:.0f} ms now"
    if now[0] >= SLOWER_RATIO * then[0]:
        ledger.supports(slow_traces, 0.1, statement, seen=seen, refuted_if=refuted_if)
        return True
    ledger.opposes(slow_traces, 0.15, statement, seen=seen, refuted_if=refuted_if)
    return False


def _spent(times: Sequence[TimeAt]) -> tuple[float, float] | None:
    """Return seconds of its own and of its calls, a request; None of fewer than three requests."""
    many = sum(one.requests for one in times)
    if many < FEWEST_REQUESTS:
        return None
    own = sum(one.own_seconds * one.requests for one in times) / many
    whole = sum(one.seconds * one.requests for one in times) / many
    return own, max(whole - own, 0.0)


def moves_row(ledger: Ledger, worst: ContainerCpu) -> None:
    """Write whether throttling rose when the requests became slow."""
    statement = "throttling rose together with the latency"
    refuted_if = "it was throttled as much while its requests were fast"
    now, before = worst.throttled_ratio, worst.before_ratio
    if now is None or before is None:
        why = "it is younger than what it would be compared with"
        ledger.not_measured(cpu_use, statement, refuted_if=refuted_if, why=why)
        return
    seen = f"{before:.0%} of its periods then, {now:.0%} now"
    if before < CALM_RATIO or now >= 2 * before:
        ledger.supports(cpu_use, 0.02, statement, seen=seen, refuted_if=refuted_if)
    else:
        ledger.opposes(cpu_use, 0.1, statement, seen=seen, refuted_if=refuted_if)


def scaler_row(ledger: Ledger, now: datetime) -> None:
    """Write whether an autoscaler could relieve it."""
    statement = "no autoscaler relieves it"
    refuted_if = "its autoscaler has room, and adds replicas"
    found = ledger.evidence.fact(autoscalers)
    if found is None:
        ledger.not_measured(autoscalers, statement, refuted_if=refuted_if)
        return
    if not found.found:
        ledger.supports(autoscalers, 0.0, statement, seen="it has none", refuted_if=refuted_if)
        return
    one = found.found[0]
    at_most = is_at_maximum(one, now)
    seen = f"{one.name}: {one.now} of {one.least} to {one.most} replicas, wants {one.wanted}"
    seen += ", at its maximum" if at_most else ""
    weighs = Weighs.FOR if at_most else Weighs.AGAINST
    ledger.row(autoscalers, weighs, statement, seen=seen, refuted_if=refuted_if)


def cloud_row(ledger: Ledger) -> None:
    """Write what Container Insights measured, where Prometheus has nothing."""
    statement, refuted_if = "it uses what its limit gives", "its usage is far from its limit"
    use = ledger.evidence.fact(cloud_use)
    ratio = use.cpu_of_limit_ratio if use else None
    if ratio is None:
        ledger.not_measured(cloud_use, statement, refuted_if=refuted_if)
        return
    seen = f"{ratio:.0%} of its CPU limit, by Container Insights"
    if ratio >= AT_LIMIT_RATIO:
        ledger.supports(cloud_use, 0.15, statement, seen=seen, refuted_if=refuted_if)
    else:
        ledger.opposes(cloud_use, 0.1, statement, seen=seen, refuted_if=refuted_if)


def limit_row(ledger: Ledger, worst: ContainerCpu) -> None:
    """Write how its usage stands against its limit."""
    statement, refuted_if = "it uses what its limit gives", "its usage is far from its limit"
    ratio = worst.of_limit_ratio
    if ratio is None:
        ledger.not_measured(
            cpu_use, statement, refuted_if=refuted_if, why="its usage or its limit is not known"
        )
    elif ratio >= AT_LIMIT_RATIO:
        seen = f"{worst.usage_cores:.3f} of {worst.limit_cores:g} cores ({ratio:.0%})"
        ledger.supports(cpu_use, 0.15, statement, seen=seen, refuted_if=refuted_if)
    else:
        # Bursts are throttled on an average far below the limit.
        seen = f"{worst.usage_cores:.3f} of {worst.limit_cores:g} cores ({ratio:.0%}), in bursts"
        ledger.opposes(cpu_use, 0.05, statement, seen=seen, refuted_if=refuted_if)


def sibling_row(ledger: Ledger, worst: ContainerCpu) -> None:
    """Write whether pods of other owners behind the same service are throttled too."""
    use = ledger.evidence.fact(cpu_use)
    others = [
        one
        for one in (use.containers if use else ())
        if one.owner != worst.owner and one.throttled_ratio is not None
    ]
    if not others:
        return
    calm = sum(1 for one in others if (one.throttled_ratio or 0.0) < CALM_RATIO)
    statement = "pods of other owners behind the same service are not throttled"
    refuted_if = "all of them are: then look at the node or the load"
    seen = f"{calm} of {len(others)} are calm"
    if calm * 2 >= len(others):
        ledger.supports(cpu_use, 0.05, statement, seen=seen, refuted_if=refuted_if)
    else:
        ledger.opposes(cpu_use, 0.05, statement, seen=seen, refuted_if=refuted_if)


def latency_row(ledger: Ledger, worst: ContainerCpu) -> bool | None:
    """Write whether its requests take longer; return None where that was not measured."""
    statement = "its requests take longer"
    refuted_if = "they take as long as before, and as long as at its siblings"
    answer = ledger.evidence.fact(request_latency)
    own = _own(answer, worst)
    known = _usual_seconds(answer, worst)
    if own is None or known is None:
        why = "" if answer is None else "no durations of its requests, or nothing to compare with"
        ledger.not_measured(request_latency, statement, refuted_if=refuted_if, why=why)
        return None
    seen = f"{own * 1000:.0f} ms against {known * 1000:.0f} ms"
    if own >= SLOWER_RATIO * known:
        ledger.supports(request_latency, 0.3, statement, seen=seen, refuted_if=refuted_if)
        return True
    ledger.refutes(request_latency, statement, seen=seen, refuted_if=refuted_if)
    return False


def _own(answer: RequestLatency | None, worst: ContainerCpu) -> float | None:
    found = [one.seconds for one in _of(answer, worst)]
    return median(found) if found else None


def _usual_seconds(answer: RequestLatency | None, worst: ContainerCpu) -> float | None:
    """Return what requests like its own take: before, or at its siblings, whichever is less.

    One that was throttled from its birth has no better past.
    """
    earlier = [one.before_seconds for one in _of(answer, worst) if one.before_seconds is not None]
    others = [one.seconds for one in (answer.pods if answer else ()) if one.owner != worst.owner]
    return min((median(one) for one in (earlier, others) if one), default=None)


def _of(answer: RequestLatency | None, worst: ContainerCpu) -> Iterable[PodLatency]:
    return [one for one in (answer.pods if answer else ()) if one.owner == worst.owner]
