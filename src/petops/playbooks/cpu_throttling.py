"""CPU throttling: a container at its CPU limit waits for the next period, and so do its callers.

Throttling by itself is harmless and common: it is the cause only where requests take longer as
well. Look-alikes: a starved node (no throttling), a slow dependency (CPU falls), more load.
"""

from __future__ import annotations

from datetime import datetime

from petops.domain.alarm import Category
from petops.domain.diagnosis import Finding, Verdict, Weighs
from petops.domain.performance import ContainerCpu, CpuUse
from petops.playbooks.base import Case, CauseNow, Evidence, FailureMode, Judgement, Ledger
from petops.playbooks.cpu_ledger import (
    CALM_RATIO,
    cloud_row,
    latency_row,
    limit_row,
    moves_row,
    own_time_row,
    scaler_row,
    service_row,
    sibling_row,
)
from petops.playbooks.steps.beside import cloud_use
from petops.playbooks.steps.cpu import cpu_use, request_latency
from petops.playbooks.steps.objects import autoscalers, service_endpoints
from petops.playbooks.steps.trouble import service_map, slow_traces
from petops.playbooks.steps.workloads import affected_pods

NAME = "cpu-throttling"
REMEDIES = ("raise-cpu-limit", "widen-hpa", "create-hpa", "scale-out")
# A container that waits in every fourth period is slowed; below one in twenty nobody notices.
THROTTLED_RATIO = 0.25
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
    ledger = Ledger(mode=NAME, evidence=evidence)
    use = evidence.fact(cpu_use)
    worst = _worst(use)
    statement = "it is throttled"
    refuted_if = f"under {CALM_RATIO:.0%} of its CFS periods are throttled"
    if worst is None or worst.throttled_ratio is None:
        ledger.not_measured(cpu_use, statement, refuted_if=refuted_if)
        cloud_row(ledger)
        return _finding(ledger, Verdict.UNDECIDED, "its CPU throttling was not measured")
    seen = f"{worst.throttled_ratio:.0%} of the periods of {worst.pod}/{worst.container}"
    if worst.lifetime_only:
        seen += ", over its whole life"
    if worst.throttled_ratio < THROTTLED_RATIO and worst.lifetime_only:
        why = f"{seen}: how it is lately was not seen"
        ledger.not_measured(cpu_use, statement, refuted_if=refuted_if, why=why)
        return _finding(ledger, Verdict.UNDECIDED, "its CPU throttling was not measured", worst)
    if worst.throttled_ratio < THROTTLED_RATIO and use is not None and use.beside_unknown:
        ledger.row(cpu_use, Weighs.AGAINST, statement, seen=seen, refuted_if=refuted_if)
        beside = "or what serves beside it is"
        ledger.not_measured(cpu_use, beside, refuted_if=refuted_if, why=use.beside_unknown)
        because = f"{worst.owner.name} is not throttled, what serves beside it was not measured"
        return _finding(ledger, Verdict.UNDECIDED, because)
    if worst.throttled_ratio < THROTTLED_RATIO:
        ledger.refutes(cpu_use, statement, seen=seen, refuted_if=refuted_if)
        because = f"{worst.owner.name} is not throttled: {seen}"
        return _finding(ledger, Verdict.REFUTED, because, worst)
    ledger.supports(cpu_use, 0.35, statement, seen=seen, refuted_if=refuted_if)
    service_row(ledger)
    limit_row(ledger, worst)
    sibling_row(ledger, worst)
    slower = latency_row(ledger, worst)
    own_slower = own_time_row(ledger, worst)
    moves_row(ledger, worst)
    scaler_row(ledger, case.window.end)
    because = (
        f"{worst.owner.name}/{worst.container} is throttled in {worst.throttled_ratio:.0%} of its "
        f"CPU periods"
    )
    # Durations are of all requests, traces of a few: chance in these does not outweigh those, where
    # they could be compared with the siblings'.
    compared = slower is False and use is not None and not use.beside_unknown
    if compared or (False in {slower, own_slower} and True not in {slower, own_slower}):
        return _finding(ledger, Verdict.REFUTED, f"{because}, and no slower for it", worst)
    if worst.limit_cores:
        because += f" at a limit of {worst.limit_cores:g} cores"
    return _finding(ledger, Verdict.SUPPORTED, because, worst)


def _worst(use: CpuUse | None) -> ContainerCpu | None:
    measured = [one for one in use.containers if one.throttled_ratio is not None] if use else []
    return max(measured, key=lambda one: one.throttled_ratio or 0.0, default=None)


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
    steps=(
        affected_pods,
        service_endpoints,
        cpu_use,
        request_latency,
        service_map,
        slow_traces,
        autoscalers,
        cloud_use,
    ),
    conclude=conclude,
    watch_steps=(affected_pods, cpu_use, request_latency),
    judge=judge,
    relapse_seconds=relapse_seconds,
    watched="throttled CPU periods, latency, and ready replicas",
)
