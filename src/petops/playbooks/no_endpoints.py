"""No endpoints: a Service leads nowhere, since its selector or its target port misses its pods.

Look-alikes: pods that are not ready (then something else is wrong with them), a workload that was
scaled to nothing on purpose.
"""

from __future__ import annotations

from datetime import datetime

from petops.domain.diagnosis import Finding, Verdict
from petops.domain.objects import ServiceState
from petops.domain.subject import Kind
from petops.playbooks.base import (
    OF_WORKLOADS,
    Case,
    CauseNow,
    Evidence,
    FailureMode,
    Judgement,
    Ledger,
    suspected_in,
)
from petops.playbooks.pod_watch import for_two_minutes, unclear
from petops.playbooks.steps.objects import service_endpoints
from petops.playbooks.steps.workloads import affected_pods

NAME = "no-endpoints"
REMEDIES = ("fix-selector",)


def conclude(case: Case, evidence: Evidence) -> Finding:
    """Look for a Service in front of the workload without a ready endpoint, and for why."""
    del case
    ledger = Ledger(mode=NAME, evidence=evidence)
    found, affected = evidence.fact(service_endpoints), evidence.fact(affected_pods)
    statement, refuted_if = "a Service has no endpoint", "its Services have ready endpoints"
    if found is None:
        ledger.not_measured(service_endpoints, statement, refuted_if=refuted_if)
        return ledger.finding(Verdict.UNDECIDED, "its Services are not known")
    empty = [one for one in found.services if not one.ready_endpoints and one.selector]
    if not empty:
        seen = "; ".join(f"{one.subject.name}: {one.ready_endpoints}" for one in found.services)
        seen = f"ready endpoints: {seen}" if seen else "no Service is in front of it"
        ledger.refutes(service_endpoints, statement, seen=seen, refuted_if=refuted_if)
        return ledger.finding(Verdict.REFUTED, seen)
    asked = affected is not None and affected.subject.kind is Kind.SERVICE
    worst = min(empty, key=lambda one: (one.pods > one.ready_pods, one.subject.name))
    name = worst.subject.name
    seen = f"{name}: 0 ready, {worst.other_endpoints} others"
    ledger.supports(service_endpoints, 0.3, statement, seen=seen, refuted_if=refuted_if)
    why, advice = _why(worst, asked=asked)
    statement, refuted_if = "its pods are well, and it misses them", "the pods are not ready"
    if not why:
        seen = f"{worst.pods - worst.ready_pods} of its {worst.pods} pods are not ready"
        seen = seen if worst.pods else f"{worst.awaits or 'what it leads to'} has no pods"
        ledger.opposes(service_endpoints, 0.1, statement, seen=seen, refuted_if=refuted_if)
        because = f"Service {name} has no endpoint since "
        because += "its pods are not ready" if worst.pods else seen
        return ledger.finding(Verdict.UNDECIDED, because, subject=worst.subject)
    if not worst.pods and not worst.shares_labels:
        # Nothing shows that its pods are there at all: what it is for may be gone.
        statement, refuted_if = "no pod fits its selector", "pods fit it, ready or not"
    ledger.supports(service_endpoints, 0.3, statement, seen=why, refuted_if=refuted_if)
    return ledger.finding(
        Verdict.SUPPORTED,
        f"Service {name} has no endpoint: {why}",
        subject=worst.subject,
        is_proven=False,
        remedies=REMEDIES,
        advice=f"{advice} of Service {name}: {why}",
    )


def _why(service: ServiceState, *, asked: bool) -> tuple[str, str]:
    """Return why a Service misses its pods and what to restore; empty where it does not."""
    selector = ",".join(f"{key}={value}" for key, value in service.selector)
    if service.unknown_ports and service.ready_pods:
        ports = ", ".join(service.unknown_ports)
        return f"none of its pods has a port named {ports}", "restore the target port"
    if service.pods == 0 and not service.awaits and (service.shares_labels or asked):
        what = "the selector" if service.shares_labels else "what it is for, or the selector"
        return f"no pod has the labels {selector}", f"restore {what}"
    if service.pods and service.ready_pods == service.pods:
        return (
            f"its {service.pods} pods are ready, and none became an endpoint",
            "look at the ports",
        )
    return "", ""


def judge(case: Case, evidence: Evidence, finding: Finding, since: datetime | None) -> Judgement:
    """Say whether the Service has ready endpoints again."""
    del case, since
    found = evidence.fact(service_endpoints)
    own = [one for one in (found.services if found else ()) if one.subject == finding.subject]
    if not own:
        return unclear(evidence.why_unknown(service_endpoints))
    ready = own[0].ready_endpoints
    return Judgement(
        symptom_gone=ready > 0,
        cause=CauseNow.GONE if ready else CauseNow.GOES_ON,
        signals=(f"{ready} ready endpoints",),
    )


MODE = FailureMode(
    name=NAME,
    title="Service without endpoints",
    suspect=suspected_in(*OF_WORKLOADS),
    steps=(affected_pods, service_endpoints),
    conclude=conclude,
    watch_steps=(affected_pods, service_endpoints),
    judge=judge,
    relapse_seconds=for_two_minutes,
    watched="ready endpoints of the Service",
)
