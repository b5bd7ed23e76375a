"""Disk pressure: a node runs short of disk or inodes, and its kubelet evicts pods.

Look-alikes: memory pressure, a volume that is full (its pods stay where they are).
"""

from __future__ import annotations

from petops.domain.alarm import Category
from petops.domain.diagnosis import Finding, Verdict
from petops.domain.subject import Kind, Subject
from petops.playbooks.base import OF_WORKLOADS, Case, Evidence, FailureMode, Ledger, suspected_in
from petops.playbooks.image_pull import why_not
from petops.playbooks.node_trouble import (
    DISK,
    SILENT,
    evicted_for,
    node_taints,
    recent_evictions,
    told_well,
    with_condition,
)
from petops.playbooks.node_watch import judged_by_condition
from petops.playbooks.pod_watch import for_two_minutes
from petops.playbooks.steps.objects import evictions
from petops.playbooks.steps.workloads import affected_pods, node_conditions

NAME = "disk-pressure"
REMEDIES = ("cordon-node", "free-disk", "replace-node")
EXPLAINS = ("failing-probe", "no-endpoints", "hpa-maxed", "bad-rollout")
TAINT = "node.kubernetes.io/disk-pressure"


def conclude(case: Case, evidence: Evidence) -> Finding:
    """Look for the condition, and for evictions that name disk or inodes."""
    ledger = Ledger(mode=NAME, evidence=evidence)
    nodes, affected = evidence.fact(node_conditions), evidence.fact(affected_pods)
    statement, refuted_if = "a node under it is short of disk", "no node under it has DiskPressure"
    if nodes is None or affected is None:
        ledger.not_measured(node_conditions, statement, refuted_if=refuted_if)
        return ledger.finding(Verdict.UNDECIDED, "its nodes are not known")
    short = sorted(one.name for one in with_condition(nodes, "DiskPressure", "True"))
    known = evidence.fact(evictions)
    evicted = recent_evictions(known, DISK, case.window.end)
    hosts = [one.host for one in evicted if one.host in nodes.nodes]
    if not short and not hosts:
        seen = told_well(nodes, "DiskPressure")
        if not seen:
            ledger.not_measured(node_conditions, statement, refuted_if=refuted_if, why=SILENT)
            return ledger.finding(Verdict.UNDECIDED, SILENT)
        ledger.refutes(node_conditions, statement, seen=seen, refuted_if=refuted_if)
        return ledger.finding(Verdict.REFUTED, seen)
    node = (short or hosts)[0]
    if short:
        seen = f"DiskPressure on {', '.join(short)}"
        ledger.supports(node_conditions, 0.5, statement, seen=seen, refuted_if=refuted_if)
    else:
        seen = f"{node} evicted for disk just now; DiskPressure is not set there any more"
        ledger.supports(node_conditions, 0.4, statement, seen=seen, refuted_if=refuted_if)
    own = evicted_for(affected.pods, DISK, case.window.end)
    statement, refuted_if = "its kubelet evicts for disk", "it evicts for another resource"
    if evicted or own:
        order = [one.name for one in evicted] or sorted(pod.name for pod in own)
        seen = f"{len(order)} in this order: {', '.join(order[:5])}"
        ledger.supports(evictions, 0.1, statement, seen=seen, refuted_if=refuted_if)
    else:
        why = "" if known is None else "nothing was evicted for it so far"
        ledger.not_measured(evictions, statement, refuted_if=refuted_if, why=why)
    no_space = any(
        why_not(one.waiting_message) == "no-space"
        for pod in affected.pods
        for one in pod.containers
    )
    keeps_away = TAINT in node_taints(affected.pods)
    return ledger.finding(
        Verdict.SUPPORTED,
        f"node {node} {'is' if short else 'was'} short of disk",
        subject=Subject(cluster=affected.subject.cluster, kind=Kind.NODE, name=node),
        is_proven=False,
        remedies=REMEDIES,
        explains=EXPLAINS + ("unschedulable",) * keeps_away + ("image-pull",) * no_space,
    )


MODE = FailureMode(
    name=NAME,
    title="node short of disk",
    suspect=suspected_in(*OF_WORKLOADS, Category.NODE, on_nodes=True),
    steps=(affected_pods, node_conditions, evictions),
    conclude=conclude,
    watch_steps=(affected_pods, node_conditions),
    judge=judged_by_condition("DiskPressure", "short of disk"),
    relapse_seconds=for_two_minutes,
    watched="the node's DiskPressure, and ready replicas",
)
