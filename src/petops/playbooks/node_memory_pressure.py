"""Node memory pressure: a node runs short of memory, and its kubelet evicts pods.

The culprit is who uses most beyond its request, not who was evicted first: pods without statistics
go before it. Look-alikes: a container's own limit, disk pressure, a drain or another eviction by
API, preemption.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from petops.domain.alarm import Category
from petops.domain.diagnosis import Finding, Verdict, Weighs
from petops.domain.facts import AffectedPods
from petops.domain.objects import NodeMemory, Occurrence
from petops.domain.subject import Kind, Subject
from petops.playbooks.base import OF_WORKLOADS, Case, Evidence, FailureMode, Ledger, suspected_in
from petops.playbooks.node_trouble import (
    MEMORY,
    SILENT,
    evicted_for,
    node_taints,
    recent_evictions,
    starved_nodes,
    told_well,
)
from petops.playbooks.node_watch import HOLDS, judged_by_memory
from petops.playbooks.steps.nodes import node_changes, node_memory, node_pods, node_relief
from petops.playbooks.steps.objects import evictions
from petops.playbooks.steps.workloads import affected_pods, container_stops, node_conditions

NAME = "node-memory-pressure"
REMEDIES = (
    "cordon-node",
    "evict-hog",
    "restart-workload",
    "drain-node",
    "set-requests",
    "add-nodes",
)
WITHOUT_CULPRIT = ("cordon-node", "drain-node", "add-nodes")
EXPLAINS = ("failing-probe", "no-endpoints", "hpa-maxed", "bad-rollout")
TAINT: Final = "node.kubernetes.io/memory-pressure"
# A culprit takes at least this share of the node beyond what it asked for.
HOG_RATIO: Final = 0.05
# A node under it that ails is true, and yet seldom why pods that are well are slow.
UNTOUCHED: Final = 0.3
A_LITTLE_SECONDS: Final = 60.0


def conclude(case: Case, evidence: Evidence) -> Finding:
    """Look for the condition, the evictions in their order, and who takes most."""
    ledger = Ledger(mode=NAME, evidence=evidence)
    nodes, affected = evidence.fact(node_conditions), evidence.fact(affected_pods)
    statement = "a node under it is short of memory"
    refuted_if = "no node under it is, and none evicted for memory"
    if nodes is None or affected is None:
        ledger.not_measured(node_conditions, statement, refuted_if=refuted_if)
        return ledger.finding(Verdict.UNDECIDED, "its nodes are not known")
    now, known = case.window.end, evidence.fact(evictions)
    starved = starved_nodes(affected, nodes, known, MEMORY, now)
    if not starved:
        seen = told_well(nodes, "MemoryPressure")
        if not seen:
            ledger.not_measured(node_conditions, statement, refuted_if=refuted_if, why=SILENT)
            return ledger.finding(Verdict.UNDECIDED, SILENT)
        ledger.refutes(node_conditions, statement, seen=seen, refuted_if=refuted_if)
        return ledger.finding(Verdict.REFUTED, seen)
    node = starved[0]
    pressed = node in nodes.short_of_memory
    if pressed:
        seen = f"MemoryPressure on {node}"
        ledger.supports(node_conditions, 0.55, statement, seen=seen, refuted_if=refuted_if)
    else:
        seen = f"{node} evicted for memory just now; MemoryPressure is not set there"
        ledger.supports(node_conditions, 0.35, statement, seen=seen, refuted_if=refuted_if)
    _pods_row(ledger)
    evicted = recent_evictions(known, {MEMORY}, now)
    hit = _evicted_row(ledger, affected, evicted, now)
    _touched_row(ledger, affected, hit)
    culprit, words = _hog_row(ledger, evicted, affected)
    _changes_row(ledger, culprit)
    killed = _kill_row(ledger)
    keeps_away = TAINT in node_taints(affected.pods)
    explains = EXPLAINS + ("unschedulable",) * keeps_away + ("memory-leak",) * (not killed)
    because = f"node {node} {'is' if pressed else 'was'} short of memory"
    because += f" and evicted {hit} of its pods" if hit else ""
    return ledger.finding(
        Verdict.SUPPORTED,
        f"{because}; {words}",
        subject=Subject(cluster=affected.subject.cluster, kind=Kind.NODE, name=node),
        culprit=culprit,
        remedies=REMEDIES if culprit else WITHOUT_CULPRIT,
        explains=explains,
    )


def _evicted_row(
    ledger: Ledger, affected: AffectedPods, evicted: Sequence[Occurrence], now: datetime
) -> int:
    """Write who was evicted, in order; return how many of the affected pods were."""
    statement, refuted_if = "its kubelet evicts for memory", "pods leave by API, or not at all"
    own = evicted_for(affected.pods, {MEMORY}, now)
    by_api = [pod for pod in affected.pods if pod.disrupted_by == "EvictionByEvictionAPI"]
    if evicted or own:
        order = [one.name for one in evicted] or sorted(pod.name for pod in own)
        seen = f"{len(order)} in this order: {', '.join(order[:5])}"
        ledger.supports(evictions, 0.2, statement, seen=seen, refuted_if=refuted_if)
    elif by_api:
        seen = f"{len(by_api)} pods were evicted by API: a drain"
        ledger.opposes(affected_pods, 0.2, statement, seen=seen, refuted_if=refuted_if)
    elif ledger.evidence.fact(evictions) is None:
        ledger.not_measured(evictions, statement, refuted_if=refuted_if)
    else:
        seen = "nothing was evicted so far"
        ledger.row(evictions, Weighs.AGAINST, statement, seen=seen, refuted_if=refuted_if)
    return len(own)


def _touched_row(ledger: Ledger, affected: AffectedPods, hit: int) -> None:
    """Write whether it reaches the pods behind an alarm that is not about the node itself."""
    if affected.subject.kind is Kind.NODE or not affected.pods:
        return
    statement = "it reaches the pods behind the alarm"
    refuted_if = "they all run and are ready, whatever ails their node"
    unready = [pod for pod in affected.pods if not pod.ready]
    if hit or unready:
        seen = f"{hit} were evicted, {len(unready)} are not ready"
        ledger.supports(affected_pods, 0.0, statement, seen=seen, refuted_if=refuted_if)
    else:
        seen = f"{len(affected.pods)} of {len(affected.pods)} are ready"
        ledger.opposes(affected_pods, UNTOUCHED, statement, seen=seen, refuted_if=refuted_if)


def _pods_row(ledger: Ledger) -> None:
    """Write which pods share the node, and what they asked for together."""
    statement, refuted_if = "its pods are known", "they may not be listed"
    there = ledger.evidence.fact(node_pods)
    if there is None:
        ledger.not_measured(node_pods, statement, refuted_if=refuted_if)
        return
    asked = sum(one.requested_mib for one in there.pods)
    without = sum(not one.requested_mib for one in there.pods)
    seen = (
        f"{len(there.pods)} pods, {asked:.0f} MiB requested together, {without} without a request"
    )
    ledger.supports(node_pods, 0.0, statement, seen=seen, refuted_if=refuted_if)


def _changes_row(ledger: Ledger, culprit: Subject | None) -> None:
    """Write what came to the node before it ran short."""
    statement = "something came to the node before it ran short"
    refuted_if = "nothing changed there: then what was there has grown"
    found = ledger.evidence.fact(node_changes)
    if found is None or not found.changes:
        why = "" if found is None else "nothing is known to have changed there"
        ledger.not_measured(node_changes, statement, refuted_if=refuted_if, why=why)
        return
    before = [one for one in found.changes if found.since is None or one.at <= found.since]
    mine = [one for one in before if culprit is not None and culprit.name in one.what]
    latest = (mine or before or found.changes)[-3:]
    seen = "; ".join(f"{one.at:%H:%M:%S}Z {one.what}" for one in latest)
    weighs = Weighs.FOR if mine else Weighs.AGAINST
    ledger.row(node_changes, weighs, statement, seen=seen, refuted_if=refuted_if)


def _hog_row(
    ledger: Ledger, evicted: Sequence[Occurrence], affected: AffectedPods
) -> tuple[Subject | None, str]:
    """Write who takes most beyond its request; return it, and the words for it."""
    statement = "one workload takes far more than it requested"
    refuted_if = "every pod stays near its request: then it is the node's own processes"
    used: NodeMemory | None = ledger.evidence.fact(node_memory)
    named = [one for one in evicted if one.offender_mib is not None]
    if used is not None and used.pods:
        top = used.pods[0]
        room = used.allocatable_mib or 0.0
        if top.excess_mib > HOG_RATIO * room > 0:
            seen = f"{top.pod}: {top.used_mib:.0f} MiB of {top.requested_mib:.0f} requested"
            first = next((one.name for one in evicted), "")
            if first and not first.startswith(top.owner.name):
                seen += f"; first evicted was {first}, which is not it"
            ledger.supports(node_memory, 0.15, statement, seen=seen, refuted_if=refuted_if)
            over = f"{top.owner.name} takes {top.excess_mib:.0f} MiB more than it requested"
            return top.owner, over
    if named:
        worst = max(named, key=lambda one: one.offender_mib or 0.0)
        seen = f"{worst.name}/{worst.offender}: {worst.offender_mib:.0f} MiB, by the kubelet"
        ledger.supports(evictions, 0.1, statement, seen=seen, refuted_if=refuted_if)
        owner = next((one.owner for one in affected.pods if one.name == worst.name), None)
        return owner, f"the kubelet names {worst.name} with {worst.offender_mib:.0f} MiB"
    why = "" if used is None else f"{used.unmeasured_pods} pods there are not measured"
    if used is not None and used.pods and not used.unmeasured_pods:
        why = "every pod that is left there stays near its request"
    if used is not None and not used.pods and not used.unmeasured_pods:
        why = "no pod is left there"
    ledger.not_measured(node_memory, statement, refuted_if=refuted_if, why=why)
    return None, "who takes the memory was not measured"


def _kill_row(ledger: Ledger) -> bool:
    """Write whether containers were killed at their own limits instead; say so."""
    statement, refuted_if = "no container hits its own limit", "containers are OOMKilled"
    stops = ledger.evidence.fact(container_stops)
    if stops is None:
        ledger.not_measured(container_stops, statement, refuted_if=refuted_if)
        return False
    if stops.out_of_memory:
        seen = f"{len(stops.out_of_memory)} containers were OOMKilled"
        ledger.opposes(container_stops, 0.15, statement, seen=seen, refuted_if=refuted_if)
        return True
    ledger.supports(container_stops, 0.05, statement, seen="none was", refuted_if=refuted_if)
    return False


def until_it_may_clear(evidence: Evidence, finding: Finding) -> float:
    """Return how long a kubelet keeps the condition after the memory is there, and a little."""
    del evidence, finding
    return HOLDS.total_seconds() + A_LITTLE_SECONDS


MODE = FailureMode(
    name=NAME,
    title="node short of memory",
    suspect=suspected_in(*OF_WORKLOADS, Category.NODE, on_nodes=True),
    steps=(
        affected_pods,
        node_conditions,
        evictions,
        node_pods,
        node_memory,
        node_changes,
        container_stops,
    ),
    conclude=conclude,
    watch_steps=(affected_pods, node_conditions, node_relief),
    judge=judged_by_memory,
    relapse_seconds=until_it_may_clear,
    watched="the node's memory, evictions and MemoryPressure, and replicas of what was evicted",
)
