"""Bad rollout: only pods of the newest revision fail, and they have since it was rolled out.

Look-alikes: a dependency that is away (older pods fail too), a rollout from long before, a good one
that is still under way. Causes that name themselves (an image, a missing object, no room, memory)
explain a rollout that is stuck; it joins them, with its revision to go back to.
"""

from __future__ import annotations

from datetime import datetime

from petops.domain.diagnosis import Finding, Verdict
from petops.domain.facts import AffectedPods, Pod, Rollouts
from petops.domain.objects import condition_of
from petops.domain.subject import Kind
from petops.playbooks.admission_refused import of_revision, refuses_all
from petops.playbooks.base import OF_WORKLOADS, Case, Evidence, FailureMode, Ledger, suspected_in
from petops.playbooks.pod_trouble import (
    BACK_OFF,
    ago,
    is_misconfigured,
    living,
    names,
    patience_seconds,
    pulls_in_vain,
    trouble,
    unready_seconds,
)
from petops.playbooks.pod_watch import for_two_minutes, judged_by
from petops.playbooks.revisions import came_with, good_revision, onset, serving
from petops.playbooks.steps.objects import nearby_pods, object_events
from petops.playbooks.steps.workloads import affected_pods, principal, recent_rollouts
from petops.playbooks.volume_mount import held_late

NAME = "bad-rollout"
REMEDIES = ("undo-rollout", "look-closer")
PROBE_FAILURES = 3
# These have revisions too, or stand for something that has (a ReplicaSet of an Argo Rollout).
UNCOMPARED = frozenset({Kind.STATEFUL_SET, Kind.DAEMON_SET, Kind.REPLICA_SET})
# Surer than this it would be taken for the cause; it is evidence for one all the same.
BELOW_A_CAUSE = 0.45
EXPLAINS = ("failing-probe", "no-endpoints", "hpa-maxed")


def conclude(case: Case, evidence: Evidence) -> Finding:
    """Set the pods of the newest revision against those of the earlier ones."""
    ledger = Ledger(mode=NAME, evidence=evidence)
    affected, rollouts = evidence.fact(affected_pods), evidence.fact(recent_rollouts)
    statement, refuted_if = "the newest revision fails", "it serves, or there is no earlier one"
    if affected is not None and principal(affected).kind is not Kind.DEPLOYMENT:
        return _uncompared(ledger, affected, case.window.end)
    if affected is None or rollouts is None or rollouts.current is None:
        if affected is None:
            ledger.not_measured(affected_pods, statement, refuted_if=refuted_if)
        else:
            ledger.not_measured(recent_rollouts, statement, refuted_if=refuted_if)
        return ledger.finding(Verdict.UNDECIDED, "its revisions are not known")
    current, now = rollouts.current, case.window.end
    if not rollouts.earlier and current.number > 1:
        why = f"of what ran before revision {current.number} nothing was kept"
        ledger.not_measured(recent_rollouts, statement, refuted_if=refuted_if, why=why)
        return ledger.finding(Verdict.UNDECIDED, why, subject=rollouts.subject)
    if not rollouts.earlier:
        seen = f"revision {current.number} is the first"
        ledger.refutes(recent_rollouts, statement, seen=seen, refuted_if=refuted_if)
        return ledger.finding(Verdict.REFUTED, seen)
    pods = [pod for pod in living(affected.pods) if pod.owner == rollouts.subject]
    newest = [pod for pod in pods if pod.revision == current.name.rpartition("-")[2]]
    events = evidence.fact(object_events)
    said = events.occurrences if events else ()
    held = held_late(pods, said, now)
    failing = [pod for pod in newest if fails(pod, pods, now) or pod.name in held]
    refused = () if current.ready_pods else of_revision(current.name, said, now)
    stuck = _is_stuck(rollouts)
    empty = stuck and not current.pods and not refuses_all(current.name, said, now)
    early = not failing and _follows_another(rollouts)
    if early:
        failing = [pod for pod in newest if not pod.ready and _probe_fails(pod, evidence)]
    if not failing and not refused and not (empty and rollouts.desired):
        seen = f"no pod of revision {current.number} fails, of {len(newest)}"
        ledger.refutes(affected_pods, statement, seen=seen, refuted_if=refuted_if)
        return ledger.finding(Verdict.REFUTED, seen, subject=rollouts.subject)
    which = names(failing) or ("they are refused" if refused else "none was made")
    seen = f"{len(failing)} of {len(newest)} pods of revision {current.number}: {which}"
    weight = 0.15 if early or len(failing) < len(newest) else 0.3
    ledger.supports(affected_pods, weight, statement, seen=seen, refuted_if=refuted_if)
    return _weighed(ledger, affected, rollouts, failing, held, stuck=stuck, now=now)


def _uncompared(ledger: Ledger, affected: AffectedPods, now: datetime) -> Finding:
    """Refute it where no pod fails; else leave open what revisions of this kind could tell."""
    statement, refuted_if = "the newest revision fails", "it serves, or there is no earlier one"
    pods = living(affected.pods)
    if principal(affected).kind not in UNCOMPARED:
        seen = f"{principal(affected)} has no revisions to compare"
        ledger.refutes(affected_pods, statement, seen=seen, refuted_if=refuted_if)
        return ledger.finding(Verdict.REFUTED, seen)
    if not any(fails(pod, list(pods), now) for pod in pods):
        seen = f"none of {len(pods)} pods fails"
        ledger.refutes(affected_pods, statement, seen=seen, refuted_if=refuted_if)
        return ledger.finding(Verdict.REFUTED, seen)
    why = f"petops compares revisions of Deployments only, not of {principal(affected)}"
    ledger.not_measured(recent_rollouts, statement, refuted_if=refuted_if, why=why)
    return ledger.finding(Verdict.UNDECIDED, why)


def _weighed(
    ledger: Ledger,
    affected: AffectedPods,
    rollouts: Rollouts,
    failing: list[Pod],
    held: frozenset[str],
    *,
    stuck: bool,
    now: datetime,
) -> Finding:
    old_fail = _older_row(ledger, affected, rollouts, held, now)
    _progress_row(ledger, rollouts, stuck=stuck)
    with_it = _onset_row(ledger, rollouts, failing, stuck=stuck)
    _kill_row(ledger, failing)
    good = good_revision(rollouts, affected.pods)
    current, subject = rollouts.current, rollouts.subject
    number = current.number if current else 0
    if old_fail or with_it is False:
        why = "earlier revisions fail as well" if old_fail else "it failed long after its rollout"
        because = f"revision {number} of {subject.name} is not the cause: {why}"
        return ledger.finding(Verdict.REFUTED, because, subject=subject)
    since = f", rolled out {ago(rollouts.current_since, now)}" if rollouts.current_since else ""
    because = f"revision {number} of {subject.name}{since}, does not come up"
    because += f"; revision {good.number} did" if good else "; no earlier one is known to be good"
    known = bool(serving(rollouts, affected.pods)) or with_it is True or stuck
    broken = any(is_misconfigured(one) for pod in failing for one in pod.containers)
    return ledger.finding(
        Verdict.SUPPORTED if known else Verdict.UNDECIDED,
        because,
        subject=subject,
        remedies=REMEDIES,
        explains=EXPLAINS if broken else (*EXPLAINS, "crash-loop"),
        began_with_revision=number,
        good_revision=good.number if good else None,
        advice=f"revision {number} does not come up: mend it, or deploy one that is known good",
    )


def fails(pod: Pod, others: list[Pod], now: datetime) -> bool:
    """Say whether a pod does not do its work, and has had its time to."""
    if trouble(pod, now, others):
        late = unready_seconds(pod, now) >= patience_seconds(pod, others)
        return late or not pod.unscheduled
    return False


def _follows_another(rollouts: Rollouts) -> bool:
    """Say whether an earlier rollout is unfinished as well: this one was to put it right."""
    return any(one.pods > 0 and one.ready_pods == 0 for one in rollouts.earlier)


def _probe_fails(pod: Pod, evidence: Evidence) -> bool:
    """Say whether the kubelet has counted enough failures of the pod's probe to give it up."""
    events = evidence.fact(object_events)
    failures = sum(
        one.count
        for one in (events.occurrences if events else ())
        if one.name == pod.name and one.reason == "Unhealthy"
    )
    return failures >= PROBE_FAILURES


def _is_stuck(rollouts: Rollouts) -> bool:
    said = condition_of(rollouts.conditions, "Progressing")
    return said is not None and said.reason == "ProgressDeadlineExceeded"


def _older_row(
    ledger: Ledger,
    affected: AffectedPods,
    rollouts: Rollouts,
    held: frozenset[str],
    now: datetime,
) -> bool:
    """Write how the earlier revisions fare; say whether they fail alike."""
    statement, refuted_if = "earlier revisions go on well", "their pods fail as well"
    current = rollouts.current
    older = [
        pod
        for pod in living(affected.pods)
        if pod.owner == rollouts.subject
        and current is not None
        and pod.revision != current.name.rpartition("-")[2]
    ]
    ready = serving(rollouts, affected.pods)
    if ready:
        # An alarm about one pod is asked about it alone: its elders are counted by ReplicaSet.
        count = max(sum(pod.ready for pod in older), ready[0].ready_pods)
        seen = f"{count} pods of revision {ready[0].number} are ready"
        ledger.supports(recent_rollouts, 0.3, statement, seen=seen, refuted_if=refuted_if)
        return False
    bad = [pod for pod in older if fails(pod, older, now) or pod.name in held]
    if bad:
        seen = f"{len(bad)} of {len(older)} older pods fail"
        ledger.refutes(recent_rollouts, statement, seen=seen, refuted_if=refuted_if)
        return True
    why = "none of their pods is left"
    ledger.not_measured(recent_rollouts, statement, refuted_if=refuted_if, why=why)
    good = good_revision(rollouts, affected.pods)
    if good is not None:
        ledger.supports(
            recent_rollouts,
            0.15,
            "an earlier revision served for an hour or more",
            seen=f"revision {good.number}, since {good.created_at:%Y-%m-%d %H:%M}Z",
            refuted_if="none did",
        )
    return False


def _progress_row(ledger: Ledger, rollouts: Rollouts, *, stuck: bool) -> None:
    if stuck:
        ledger.supports(
            recent_rollouts,
            0.2,
            "the Deployment says that its rollout is stuck",
            seen="ProgressDeadlineExceeded",
            refuted_if="it is complete, or still within its deadline",
        )


def _onset_row(
    ledger: Ledger, rollouts: Rollouts, failing: list[Pod], *, stuck: bool
) -> bool | None:
    """Write whether it began with the rollout; say so, None where that is not known."""
    statement, refuted_if = "it began with the rollout", "it began long after it"
    events = ledger.evidence.fact(object_events)
    current = rollouts.current.name if rollouts.current else ""
    began = onset(failing, events.occurrences if events else (), current)
    with_it = came_with(rollouts.current_since, began)
    if with_it is None or began is None or rollouts.current_since is None:
        why = "when it began, or the rollout did, is not known"
        ledger.not_measured(recent_rollouts, statement, refuted_if=refuted_if, why=why)
        return None
    late = (began - rollouts.current_since).total_seconds()
    seen = f"{late:.0f} s after the rollout at {rollouts.current_since:%H:%M:%S}Z"
    if with_it or stuck:
        ledger.supports(recent_rollouts, 0.2, statement, seen=seen, refuted_if=refuted_if)
        return True
    ledger.refutes(recent_rollouts, statement, seen=seen, refuted_if=refuted_if)
    return False


def _kill_row(ledger: Ledger, failing: list[Pod]) -> None:
    """Write whether the failing pods are killed for memory: then that is what to find out about."""
    stops = [one.last_stop for pod in failing for one in pod.containers if one.last_stop]
    kills = [stop for stop in stops if stop.is_out_of_memory]
    if kills:
        ledger.opposes(
            affected_pods,
            0.1,
            "its pods fail for another reason than memory",
            seen=f"{len(kills)} containers were OOMKilled",
            refuted_if="they are killed for their memory: a leak, or too low a limit",
        )
        ledger.confidence = min(ledger.confidence, BELOW_A_CAUSE)


def does_not_come_up(pod: Pod, since: datetime | None) -> bool:
    """Say whether the pod's own status tells of trouble; its readiness counts before a change."""
    waits = any(
        pulls_in_vain(one) or is_misconfigured(one) or one.waiting == BACK_OFF
        for one in pod.containers
    )
    return waits or bool(pod.unscheduled) or (since is None and not pod.ready)


MODE = FailureMode(
    name=NAME,
    title="bad rollout",
    suspect=suspected_in(*OF_WORKLOADS),
    steps=(affected_pods, recent_rollouts, object_events, nearby_pods),
    conclude=conclude,
    watch_steps=(affected_pods, recent_rollouts),
    judge=judged_by(does_not_come_up, "it does not come up"),
    relapse_seconds=for_two_minutes,
    watched="whether pods of the running revision come up, and ready replicas",
)
