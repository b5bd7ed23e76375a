"""Volume mount: pods have a node and wait there for a volume that is not attached or mounted.

Why is told by Kubernetes' own words (`volume_words`). Look-alikes: an image that is pulled slowly,
a first try that came too early and went well since, a pod that found no node for its volume's sake.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from petops.domain.diagnosis import Finding, Verdict
from petops.domain.facts import AffectedPods, Pod
from petops.domain.objects import Occurrence
from petops.playbooks.base import OF_WORKLOADS, Case, Evidence, FailureMode, Ledger, suspected_in
from petops.playbooks.pod_trouble import PATIENCE_SECONDS, living, names, quoted, worst_of
from petops.playbooks.pod_watch import for_two_minutes, judged_by
from petops.playbooks.starts import (
    Held,
    consequences,
    held_by_volumes,
    is_held,
    node_row,
    weight,
)
from petops.playbooks.steps.objects import nearby_pods, object_events
from petops.playbooks.steps.workloads import affected_pods, node_conditions, recent_rollouts
from petops.playbooks.volume_words import ADVICE, OF_CONFIG, SAID, reason_of, tail_of

NAME = "volume-mount"
REMEDIES = ("undo-rollout", "fix-volume")
CONFIG_REMEDIES = ("undo-rollout", "fix-config")
EXPLAINS = ("bad-rollout", "failing-probe", "no-endpoints", "hpa-maxed", "job-failed")
# A kubelet that has only just heard of a pod may ask too early, once or twice.
_RACES: Final = 3


def conclude(case: Case, evidence: Evidence) -> Finding:
    """Look for pods that are held at their start, and for what Kubernetes says of their volumes."""
    ledger = Ledger(mode=NAME, evidence=evidence)
    affected, events = evidence.fact(affected_pods), evidence.fact(object_events)
    statement, refuted_if = "a pod waits for a volume", "its volumes are mounted"
    if affected is None:
        ledger.not_measured(affected_pods, statement, refuted_if=refuted_if)
        return ledger.finding(Verdict.UNDECIDED, "its pods are not known")
    idle = [pod for pod in living(affected.pods) if is_held(pod)]
    if not idle:
        seen = f"none of {len(living(affected.pods))} pods is held at its start"
        ledger.refutes(affected_pods, statement, seen=seen, refuted_if=refuted_if)
        return ledger.finding(Verdict.REFUTED, seen)
    if events is None:
        ledger.not_measured(object_events, statement, refuted_if=refuted_if)
        return ledger.finding(
            Verdict.UNDECIDED, f"{names(idle)} does not start; its events are not known"
        )
    held = held_by_volumes(idle, events.occurrences, case.window.end)
    if not held:
        seen = f"nothing is said of volumes of {names(idle)}"
        ledger.refutes(object_events, statement, seen=seen, refuted_if=refuted_if)
        return ledger.finding(Verdict.REFUTED, seen)
    return _weighed(ledger, affected, held, case.window.end)


def _weighed(
    ledger: Ledger, affected: AffectedPods, held: tuple[Held, ...], now: datetime
) -> Finding:
    owner = worst_of(one.pod for one in held) or affected.subject
    own = [one for one in held if one.pod.owner == owner]
    longest = max(one.seconds(now) for one in own)
    said = sorted(
        (each for one in own for each in one.said),
        key=lambda one: one.last_at.timestamp() if one.last_at else 0.0,
        reverse=True,
    )
    why, message = reason_of([one.message for one in said])
    is_race = _is_race(why, said)
    ledger.supports(
        object_events,
        min(0.2, weight(longest)) if is_race else weight(longest),
        "a pod waits for a volume",
        seen=f"{said[0].reason}, in {len(own)} pods ({names(one.pod for one in own)}), for "
        f"{longest:.0f} s",
        refuted_if="its volumes are mounted",
    )
    _why_row(ledger, why, message)
    node_row(ledger, own)
    name = own[0].pod.owner.name
    told = quoted(tail_of(message), 160)
    return ledger.finding(
        Verdict.UNDECIDED if is_race else Verdict.SUPPORTED,
        f"{name} waits for a volume: {SAID[why]}: {told}",
        subject=owner,
        is_proven=False,
        remedies=CONFIG_REMEDIES if why in OF_CONFIG else REMEDIES,
        explains=consequences(EXPLAINS, affected.pods, owner),
        advice=f"{ADVICE[why]} ({told})",
    )


def _is_race(why: str, said: Iterable[Occurrence]) -> bool:
    """Say whether nothing is known but that a kubelet asked too early."""
    return why == "cache" and sum(one.count for one in said) < _RACES


def held_late(pods: Iterable[Pod], events: Sequence[Occurrence], now: datetime) -> frozenset[str]:
    """Return the names of those that wait for a volume for longer than a start may take."""
    return frozenset(
        one.pod.name
        for one in held_by_volumes(pods, events, now)
        if one.seconds(now) >= PATIENCE_SECONDS
        and not _is_race(reason_of([each.message for each in one.said])[0], one.said)
    )


def _why_row(ledger: Ledger, why: str, message: str) -> None:
    statement = f"Kubernetes says why: {SAID[why]}" if why else "Kubernetes says why"
    refuted_if = "its message gives another reason"
    if why:
        seen = quoted(tail_of(message), 240)
        ledger.supports(object_events, 0.15, statement, seen=seen, refuted_if=refuted_if)
    else:
        known = f"none of the reasons that petops knows: {quoted(tail_of(message), 200)}"
        ledger.not_measured(object_events, statement, refuted_if=refuted_if, why=known)


def waits_still(pod: Pod, since: datetime | None) -> bool:
    """Say whether a pod is held at its start; one that a change made is given its time."""
    return is_held(pod) and (since is None or pod.created_at <= since)


MODE = FailureMode(
    name=NAME,
    title="volume cannot be mounted",
    suspect=suspected_in(*OF_WORKLOADS),
    steps=(affected_pods, object_events, node_conditions, recent_rollouts, nearby_pods),
    conclude=conclude,
    watch_steps=(affected_pods,),
    judge=judged_by(waits_still, "it is held at its start"),
    relapse_seconds=for_two_minutes,
    watched="whether every pod gets its volumes, and ready replicas",
)
