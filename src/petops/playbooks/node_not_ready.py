"""Node not ready: the kubelet stopped reporting, or reports that it cannot run pods.

Look-alikes: one pod's fault, a drain (cordoned and still ready), a node that has only just joined,
a zone that is impaired (many nodes of one).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from petops.domain.alarm import Category
from petops.domain.diagnosis import Finding, Verdict
from petops.domain.facts import AffectedPods, NodeConditions
from petops.domain.objects import NodeState, condition_of
from petops.domain.subject import Kind, Subject
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
from petops.playbooks.node_trouble import node_taints, with_condition
from petops.playbooks.node_watch import of_those_gone
from petops.playbooks.pod_trouble import ago, living, names
from petops.playbooks.pod_watch import for_two_minutes, unclear
from petops.playbooks.starts import Held, held_by_sandbox, held_by_volumes
from petops.playbooks.steps.nodes import node_relief
from petops.playbooks.steps.objects import object_events
from petops.playbooks.steps.workloads import affected_pods, node_conditions
from petops.playbooks.volume_words import reason_of

NAME = "node-not-ready"
OF_NODES = frozenset({Kind.DAEMON_SET, Kind.NODE})
REMEDIES = ("cordon-node", "drain-node", "replace-node")
EXPLAINS = ("failing-probe", "no-endpoints", "hpa-maxed", "bad-rollout")
UNREACHABLE: Final = frozenset({"node.kubernetes.io/unreachable", "node.kubernetes.io/not-ready"})
_JOINING: Final = timedelta(minutes=3)


def conclude(case: Case, evidence: Evidence) -> Finding:
    """Look at the nodes under the pods, or at the node of the alarm."""
    ledger = Ledger(mode=NAME, evidence=evidence)
    nodes, affected = evidence.fact(node_conditions), evidence.fact(affected_pods)
    statement, refuted_if = "a node under it is not ready", "every node under it is ready"
    if nodes is None or affected is None:
        ledger.not_measured(node_conditions, statement, refuted_if=refuted_if)
        return ledger.finding(Verdict.UNDECIDED, "its nodes are not known")
    now = case.window.end
    down = [one for one in with_condition(nodes, "Ready", "False", "Unknown") if _counts(one, now)]
    if not down:
        seen = f"ready: {', '.join(nodes.nodes[:5]) or 'no node under it'}"
        ledger.refutes(node_conditions, statement, seen=seen, refuted_if=refuted_if)
        return ledger.finding(Verdict.REFUTED, "the nodes under it are ready")
    worst = max(down, key=lambda one: (_pods_on(affected, one), one.name))
    said = condition_of(worst.conditions, "Ready")
    since = said.since if said else None
    seen = f"{worst.name}: Ready {said.status if said else '?'}"
    seen += f" ({said.reason}), since {ago(since, now)}" if said else ""
    ledger.supports(node_conditions, 0.6, statement, seen=seen, refuted_if=refuted_if)
    _pods_row(ledger, affected, worst)
    if UNREACHABLE & set(worst.taints):
        ledger.supports(
            node_conditions,
            0.1,
            "the control plane has tainted it",
            seen=", ".join(sorted(UNREACHABLE & set(worst.taints))),
            refuted_if="it has no such taint",
        )
    because = f"node {worst.name} is not ready since {ago(since, now)}"
    if len(down) > 1:
        zones = {one.zone for one in down if one.zone}
        where = f", all in {min(zones)}" if len(zones) == 1 else ""
        because += f", and {len(down) - 1} more nodes{where}"
    keeps_away = bool(UNREACHABLE & node_taints(affected.pods))
    subject = Subject(cluster=affected.subject.cluster, kind=Kind.NODE, name=worst.name)
    explains = EXPLAINS + (("unschedulable",) if keeps_away else ())
    explains += _of_starts(affected, {one.name for one in down}, evidence, now)
    return ledger.finding(
        Verdict.SUPPORTED,
        because,
        subject=subject,
        remedies=REMEDIES,
        explains=explains,
        advice=f"look at the kubelet and the instance under {worst.name}; replace the node if it "
        "does not come back (respect the node group's own repair)",
    )


def _of_starts(
    affected: AffectedPods, down: set[str], evidence: Evidence, now: datetime
) -> tuple[str, ...]:
    """Return which held starts the node explains: those on it, and for a volume that it keeps."""
    events = evidence.fact(object_events)
    pods, said = living(affected.pods), events.occurrences if events else ()
    volumes, sandboxes = held_by_volumes(pods, said, now), held_by_sandbox(pods, said, now)
    away = any(pod.node in down for pod in affected.pods)
    found = []
    if volumes and all(
        one.pod.node in down or (away and _is_attached_elsewhere(one)) for one in volumes
    ):
        found.append("volume-mount")
    if sandboxes and all(one.pod.node in down for one in sandboxes):
        found.append("pod-sandbox")
    return tuple(found)


def _is_attached_elsewhere(held: Held) -> bool:
    return reason_of([one.message for one in held.said])[0] == "multi-attach"


def _counts(node: NodeState, now: datetime) -> bool:
    """Say whether a node's not being ready means anything: one that joins is not ready at first."""
    return node.created_at is None or now - node.created_at > _JOINING


def _pods_on(affected: AffectedPods, node: NodeState) -> int:
    return sum(pod.node == node.name for pod in living(affected.pods))


def _pods_row(ledger: Ledger, affected: AffectedPods, node: NodeState) -> None:
    statement, refuted_if = "its pods there went with it", "its pods there are ready all the same"
    there = [pod for pod in living(affected.pods) if pod.node == node.name]
    gone = [pod for pod in there if not pod.ready]
    if not there:
        why = "none of its pods is on that node"
        ledger.not_measured(affected_pods, statement, refuted_if=refuted_if, why=why)
    elif gone:
        seen = f"{len(gone)} of {len(there)} are not ready: {names(gone)}"
        ledger.supports(affected_pods, 0.2, statement, seen=seen, refuted_if=refuted_if)
    else:
        seen = f"{len(there)} pods there are ready"
        ledger.opposes(affected_pods, 0.1, statement, seen=seen, refuted_if=refuted_if)


def judge(case: Case, evidence: Evidence, finding: Finding, since: datetime | None) -> Judgement:
    """Say whether the node is back, or after a change that its pods are ready elsewhere.

    What belongs to the node itself, such as a DaemonSet's pods, cannot leave it.
    """
    del case
    nodes, affected = evidence.fact(node_conditions), evidence.fact(affected_pods)
    if nodes is None or affected is None or finding.subject is None:
        return unclear(evidence.why_unknown(node_conditions))
    name, relief = finding.subject.name, evidence.fact(node_relief)
    is_down = name in nodes.not_ready
    pods = [one for one in living(affected.pods) if not is_down or one.owner.kind not in OF_NODES]
    stuck = [pod for pod in pods if not pod.ready]
    left = since is not None and relief is not None
    away = relief.away if relief is not None else ()
    return Judgement(
        symptom_gone=not stuck and not away and (bool(pods) or left or not is_down),
        cause=_cause(nodes, name),
        signals=(
            f"node {name} is {'not ready' if is_down else 'ready'}",
            f"{len(pods) - len(stuck)} of {len(pods)} pods ready",
            *(of_those_gone(relief) if relief is not None else ()),
        ),
    )


def _cause(nodes: NodeConditions, name: str) -> CauseNow:
    if name in nodes.not_ready:
        return CauseNow.GOES_ON
    return CauseNow.GONE if name in nodes.nodes else CauseNow.UNCLEAR


MODE = FailureMode(
    name=NAME,
    title="node not ready",
    suspect=suspected_in(*OF_WORKLOADS, Category.NODE, on_nodes=True),
    steps=(affected_pods, node_conditions, object_events),
    conclude=conclude,
    watch_steps=(affected_pods, node_conditions, node_relief),
    judge=judge,
    relapse_seconds=for_two_minutes,
    watched="whether the node reports, and ready replicas",
)
