"""CPU throttling: a container at its CPU limit waits for the next period, and so do its callers.

Throttling by itself is harmless and common: it is the cause only where requests take longer as
well. Look-alikes: a starved node (no throttling), a slow dependency (CPU falls), more load.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from statistics import median

from petops.domain.alarm import Category
from petops.domain.diagnosis import Finding, Verdict
from petops.domain.performance import ContainerCpu, CpuUse, PodLatency, RequestLatency
from petops.playbooks.base import Case, CauseNow, Evidence, FailureMode, Judgement, Ledger
from petops.playbooks.steps.cpu import cpu_use, request_latency
from petops.playbooks.steps.workloads import affected_pods

NAME = "cpu-throttling"
REMEDIES = ("raise-cpu-limit", "widen-hpa", "create-hpa", "scale-out")
# A container that waits in every fourth period is slowed; below one in twenty nobody notices.
THROTTLED_RATIO = 0.25
CALM_RATIO = 0.05
AT_LIMIT_RATIO = 0.8
# Requests that take half as long again are slower than chance makes them.
SLOWER_RATIO = 1.5
TWO_WINDOWS_SECONDS = 240.0


def suspect(case: Case) -> bool:
    """CPU or latency is the symptom, or nothing is known of the symptom."""
    return case.assessment.category in {
        Category.CPU,
        Category.LATENCY,
        Category.AVAILABILITY,
        Category.OTHER,
    }


def conclude(case: Case, evidence: Evidence) -> Finding:
    """Weigh the container that is throttled most: at its limit, and slower for it?"""
    del case
    ledger = Ledger(mode=NAME, evidence=evidence)
    worst = _worst(evidence.fact(cpu_use))
    statement = "it is throttled"
    refuted_if = f"under {CALM_RATIO:.0%} of its CFS periods are throttled"
    if worst is None or worst.throttled_ratio is None:
        ledger.not_measured(cpu_use, statement, refuted_if=refuted_if)
        return _finding(ledger, Verdict.UNDECIDED, "its CPU throttling was not measured")
    seen = f"{worst.throttled_ratio:.0%} of the periods of {worst.pod}/{worst.container}"
    if worst.lifetime_only:
        seen += ", over its whole life"
    if worst.throttled_ratio < THROTTLED_RATIO:
        ledger.refutes(cpu_use, statement, seen=seen, refuted_if=refuted_if)
        because = f"{worst.owner.name} is not throttled: {seen}"
        return _finding(ledger, Verdict.REFUTED, because, worst)
    ledger.supports(cpu_use, 0.35, statement, seen=seen, refuted_if=refuted_if)
    _limit_row(ledger, worst)
    _sibling_row(ledger, worst)
    slower = _latency_row(ledger, worst)
    because = (
        f"{worst.owner.name}/{worst.container} is throttled in {worst.throttled_ratio:.0%} of its "
        f"CPU periods"
    )
    if slower is False:
        return _finding(ledger, Verdict.REFUTED, f"{because}, and no slower for it", worst)
    if worst.limit_cores:
        because += f" at a limit of {worst.limit_cores:g} cores"
    return _finding(ledger, Verdict.SUPPORTED, because, worst)


def _worst(use: CpuUse | None) -> ContainerCpu | None:
    measured = [one for one in use.containers if one.throttled_ratio is not None] if use else []
    return max(measured, key=lambda one: one.throttled_ratio or 0.0, default=None)


def _limit_row(ledger: Ledger, worst: ContainerCpu) -> None:
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


def _sibling_row(ledger: Ledger, worst: ContainerCpu) -> None:
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


def _latency_row(ledger: Ledger, worst: ContainerCpu) -> bool | None:
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
    """Return what its requests took before; where it is new, what they take at its siblings."""
    earlier = [one.before_seconds for one in _of(answer, worst) if one.before_seconds is not None]
    if earlier:
        return median(earlier)
    others = [one.seconds for one in (answer.pods if answer else ()) if one.owner != worst.owner]
    return median(others) if others else None


def _of(answer: RequestLatency | None, worst: ContainerCpu) -> Iterable[PodLatency]:
    return [one for one in (answer.pods if answer else ()) if one.owner == worst.owner]


def _finding(
    ledger: Ledger, verdict: Verdict, because: str, worst: ContainerCpu | None = None
) -> Finding:
    return Finding(
        mode=NAME,
        verdict=verdict,
        confidence=round(max(0.0, min(0.97, ledger.confidence)), 2),
        because=because,
        rows=tuple(ledger.rows),
        subject=worst.owner if worst else None,
        container=worst.container if worst else "",
        remedies=REMEDIES if verdict is Verdict.SUPPORTED else (),
    )


def judge(case: Case, evidence: Evidence, finding: Finding, since: datetime | None) -> Judgement:
    """Say how throttling and latency stand now; calm is under 5 % of the periods."""
    del case, since
    affected = evidence.fact(affected_pods)
    use = evidence.fact(cpu_use)
    own = [one for one in (use.containers if use else ()) if one.owner == finding.subject]
    worst = _worst(CpuUse(containers=tuple(own)))
    if worst is None or worst.throttled_ratio is None:
        why = evidence.why_unknown(cpu_use) if use is None else "its throttling is not measured"
        return Judgement(symptom_gone=None, cause=CauseNow.UNCLEAR, signals=(why,))
    ready = affected is not None and all(pod.ready for pod in affected.pods)
    ratio = worst.throttled_ratio
    signals = (
        f"{ratio:.0%} of its CPU periods are throttled",
        "its replicas are ready" if ready else "not all replicas are ready",
    )
    if ratio >= THROTTLED_RATIO:
        return Judgement(symptom_gone=False, cause=CauseNow.GOES_ON, signals=signals)
    cause = CauseNow.GONE if ratio < CALM_RATIO else CauseNow.UNCLEAR
    return Judgement(symptom_gone=ready, cause=cause, signals=signals)


def relapse_seconds(evidence: Evidence, finding: Finding) -> float:
    """Return two full windows: throttling shows within one."""
    del evidence, finding
    return TWO_WINDOWS_SECONDS


MODE = FailureMode(
    name=NAME,
    title="CPU throttling",
    suspect=suspect,
    steps=(affected_pods, cpu_use, request_latency),
    conclude=conclude,
    watch_steps=(affected_pods, cpu_use, request_latency),
    judge=judge,
    relapse_seconds=relapse_seconds,
    watched="throttled CPU periods, latency, and ready replicas",
)
