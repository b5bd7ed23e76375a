"""Refusals of new pods: what their controller was told, and whether that goes on. Pure.

What a quota or an admission refuses leaves no pod to look at. The events of the controller's own
object and the Deployment's condition `ReplicaFailure` are all there is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from petops.domain.diagnosis import Finding
from petops.domain.facts import AffectedPods, Pod, Rollouts
from petops.domain.objects import ObjectEvents, Occurrence
from petops.playbooks.base import Case, CauseNow, Evidence, Judgement, Ledger
from petops.playbooks.pod_trouble import living, names
from petops.playbooks.pod_watch import unclear
from petops.playbooks.steps.workloads import affected_pods, recent_rollouts

FAILED: Final = "FailedCreate"
# A ReplicaSet tries again after a quarter of an hour at the latest.
RECENT: Final = timedelta(minutes=20)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """One answer to a controller that wanted to make a pod.

    `by` is the name of its object (a ReplicaSet, a StatefulSet), empty where a Deployment's
    condition says it; then `last_at` is not known.
    """

    message: str
    by: str = ""
    first_at: datetime | None = None
    last_at: datetime | None = None


def refusals(
    events: Iterable[Occurrence], rollouts: Rollouts | None, now: datetime
) -> tuple[Refusal, ...]:
    """Return what the controllers were told, latest first; a condition outlives its events."""
    recent = [
        Refusal(message=one.message, by=one.name, first_at=one.first_at, last_at=one.last_at)
        for one in reversed(tuple(events))
        if one.reason == FAILED and (one.last_at is None or now - one.last_at <= RECENT)
    ]
    conditions = rollouts.conditions if rollouts else ()
    recent += [
        Refusal(message=one.message, first_at=one.since)
        for one in conditions
        if one.type == "ReplicaFailure" and one.status == "True"
    ]
    return tuple(recent)


def refused_at(events: ObjectEvents | None, counts: Callable[[str], object]) -> datetime | None:
    """Return when a pod was last refused in words that count; None where events do not say."""
    times = [
        one.last_at
        for one in (events.occurrences if events else ())
        if one.reason == FAILED and counts(one.message) and one.last_at is not None
    ]
    return max(times, default=None)


def made_since(pods: Iterable[Pod], refusal: Refusal) -> tuple[Pod, ...]:
    """Return the pods that the same controller has made since it was refused last."""
    at = refusal.last_at
    return tuple(
        pod for pod in pods if at is not None and pod.created_at > at and _of(pod, refusal)
    )


def _of(pod: Pod, refusal: Refusal) -> bool:
    """Say whether the controller makes such pods: a ReplicaSet those of its own revision."""
    return refusal.by in {pod.owner.name, f"{pod.owner.name}-{pod.revision}"}


def missing_row(
    ledger: Ledger, affected: AffectedPods, rollouts: Rollouts | None, at: datetime | None
) -> bool | None:
    """Write whether pods are missing; None where it is not known how many there should be.

    Where a pod was made after the last refusal `at`, nothing is refused any more.
    """
    statement, refuted_if = "pods are missing", "as many pods are there as should be"
    desired = rollouts.desired if rollouts else None
    since = [pod for pod in living(affected.pods) if at is not None and pod.created_at > at]
    if desired is None and since:
        seen = f"{names(since)} was made after the last refusal"
        ledger.refutes(affected_pods, statement, seen=seen, refuted_if=refuted_if)
        return False
    if desired is None:
        ledger.not_measured(recent_rollouts, statement, refuted_if=refuted_if)
        return None
    there = len(living(affected.pods))
    seen = f"{there} of {desired} pods are there"
    current = rollouts.current if rollouts else None
    if there >= desired and current is not None and current.pods < desired:
        seen += f", {current.pods} of revision {current.number}"
    if there < desired or (current is not None and current.pods < desired):
        ledger.supports(recent_rollouts, 0.15, statement, seen=seen, refuted_if=refuted_if)
        return True
    ledger.refutes(recent_rollouts, statement, seen=seen, refuted_if=refuted_if)
    return False


def judge(case: Case, evidence: Evidence, finding: Finding, since: datetime | None) -> Judgement:
    """Say whether all pods that should be there are, and ready."""
    del case, finding, since
    affected, rollouts = evidence.fact(affected_pods), evidence.fact(recent_rollouts)
    if affected is None or rollouts is None or rollouts.desired is None:
        return unclear(evidence.why_unknown(recent_rollouts))
    ready = sum(pod.ready for pod in living(affected.pods))
    enough = ready >= rollouts.desired
    return Judgement(
        symptom_gone=enough,
        cause=CauseNow.GONE if enough else CauseNow.UNCLEAR,
        signals=(f"{ready} of {rollouts.desired} replicas ready",),
    )
