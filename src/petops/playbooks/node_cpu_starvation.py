"""Node CPU starvation: pods wait for CPUs that others on their node have; no limit holds them.

Look-alikes: throttling at a limit of its own (CFS periods tell), a slow dependency (it waits, but
not for a CPU), more load. The remedy is room or honest requests, never a limit on who waits.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from petops.domain.alarm import Category
from petops.domain.diagnosis import Finding, Verdict
from petops.domain.performance import CpuShortage, NodeCpu
from petops.domain.subject import Kind, Subject
from petops.playbooks.base import (
    Case,
    CauseNow,
    Evidence,
    FailureMode,
    Judgement,
    Ledger,
    suspected_in,
)
from petops.playbooks.pod_watch import for_two_minutes, unclear
from petops.playbooks.steps.cpu import cpu_use, request_latency
from petops.playbooks.steps.starvation import SLOWER_RATIO, WAITS_RATIO, cpu_shortage
from petops.playbooks.steps.workloads import affected_pods, node_conditions, principal

NAME = "node-cpu-starvation"
REMEDIES = ("cordon-node", "add-nodes", "set-requests")
EXPLAINS = ("slow-dependency", "failing-probe", "hpa-maxed")
# Waiting a quarter of the time is felt; at nine tenths of its CPUs a node has none to give.
STARVES_RATIO: Final = 0.25
FULL_RATIO: Final = 0.9
CALM_RATIO: Final = 0.05
# A node that used this much less within the hour had CPUs to give.
HAD_ROOM_RATIO: Final = 0.75


def conclude(case: Case, evidence: Evidence) -> Finding:
    """Look for a wait that no limit explains, on a node that is full."""
    del case
    ledger = Ledger(mode=NAME, evidence=evidence)
    found = evidence.fact(cpu_shortage)
    statement = "it waits for a CPU that others have"
    refuted_if = f"it waits less than {WAITS_RATIO:.0%} of the time, as before"
    if found is None or not found.waits:
        why = "" if found is None else "neither CPU pressure nor run queues are exported"
        ledger.not_measured(cpu_shortage, statement, refuted_if=refuted_if, why=why)
        return _without_waits(ledger, found)
    worst = max(found.waits, key=lambda one: one.waiting_ratio)
    seen = f"{worst.pod} waits {worst.waiting_ratio:.0%} of the time on {worst.node}"
    if worst.waiting_ratio < STARVES_RATIO:
        ledger.refutes(cpu_shortage, statement, seen=seen, refuted_if=refuted_if)
        return ledger.finding(Verdict.REFUTED, f"it has a CPU when it wants one: {seen}")
    ledger.supports(cpu_shortage, 0.25, statement, seen=seen, refuted_if=refuted_if)
    throttled = _limit_row(ledger)
    full = _node_row(ledger, found)
    _latency_row(ledger)
    if throttled:
        return ledger.finding(Verdict.REFUTED, "its own limit is what it waits for")
    if full is False:
        return ledger.finding(Verdict.UNDECIDED, f"{seen}, though the node has CPUs to give")
    node = found.node or NodeCpu(
        node=worst.node, used_cores=0.0, allocatable_cores=None, unmeasured_pods=0
    )
    return _starved(ledger, worst.owner, node, f"{worst.owner.name} waits for one", EXPLAINS)


def _without_waits(ledger: Ledger, found: CpuShortage | None) -> Finding:
    """Conclude where nothing says how long it waits for a CPU."""
    slower = _latency_row(ledger)
    if slower is False:
        because = "its requests take as long as before: it waits for nothing"
        return ledger.finding(Verdict.REFUTED, because)
    if slower and found is not None and found.node is not None:
        return _by_use(ledger, found, found.node)
    return ledger.finding(Verdict.UNDECIDED, "whether it waits for a CPU was not measured")


def _by_use(ledger: Ledger, found: CpuShortage, node: NodeCpu) -> Finding:
    """Conclude from what the node's pods use, where nobody says who waits.

    A full node alone is no fault. It has to have filled up while requests became slower, and what
    else may make them slow stays a cause of its own.
    """
    throttled = _limit_row(ledger)
    full = _node_row(ledger, found)
    filled = _filled_row(ledger, node)
    if throttled:
        return ledger.finding(Verdict.REFUTED, "its own limit is what it waits for")
    affected = ledger.evidence.fact(affected_pods)
    if not full or not filled or affected is None:
        return ledger.finding(Verdict.UNDECIDED, "whether it waits for a CPU was not measured")
    owner = principal(affected)
    words = f"{owner.name} has been slower since it filled up"
    explains = tuple(one for one in EXPLAINS if one != "slow-dependency")
    return _starved(ledger, owner, node, words, explains)


def _filled_row(ledger: Ledger, node: NodeCpu) -> bool:
    """Write whether the node had CPUs to give within the last hour; say so."""
    statement, refuted_if = "its node filled up within the hour", "it was as full all the time"
    room = node.allocatable_cores
    if node.calm_cores is None or not room:
        why = "what its pods used before is not known"
        ledger.not_measured(cpu_shortage, statement, refuted_if=refuted_if, why=why)
        return False
    seen = f"{node.calm_cores:.1f} of {room:.1f} cores at the least, {node.used_cores:.1f} now"
    if node.calm_cores <= HAD_ROOM_RATIO * node.used_cores:
        ledger.supports(cpu_shortage, 0.1, statement, seen=seen, refuted_if=refuted_if)
        return True
    ledger.opposes(cpu_shortage, 0.1, statement, seen=seen, refuted_if=refuted_if)
    return False


def _starved(
    ledger: Ledger, owner: Subject, node: NodeCpu, words: str, explains: tuple[str, ...]
) -> Finding:
    subject = Subject(cluster=owner.cluster, kind=Kind.NODE, name=node.node)
    because = f"node {node.node} has no CPU left, and {words}"
    if node.greediest is not None and node.greediest != owner:
        because += f"; {node.greediest.name} takes {node.greediest_cores:.1f} cores"
    return ledger.finding(
        Verdict.SUPPORTED,
        because,
        subject=subject,
        culprit=node.greediest,
        is_proven=False,
        remedies=REMEDIES,
        explains=explains,
        advice="give what runs there CPU requests of what it uses, and the cluster nodes enough; "
        "a higher limit helps nobody who waits for others",
    )


def _limit_row(ledger: Ledger) -> bool:
    """Write whether its own limit holds it; say so."""
    statement, refuted_if = "no limit of its own holds it", "its CFS periods are throttled"
    use = ledger.evidence.fact(cpu_use)
    ratios = [one.throttled_ratio for one in (use.containers if use else ())]
    known = [one for one in ratios if one is not None]
    limited = any(one.limit_cores for one in (use.containers if use else ()))
    if use is None:
        ledger.not_measured(cpu_use, statement, refuted_if=refuted_if)
    elif not known and (limited or not use.containers):
        why = "it has a CPU limit and no CFS periods" if limited else "its CPU was not measured"
        ledger.not_measured(cpu_use, statement, refuted_if=refuted_if, why=why)
    elif not known:
        seen = "none of its containers has CFS periods, so none has a CPU limit"
        ledger.supports(cpu_use, 0.15, statement, seen=seen, refuted_if=refuted_if)
    elif max(known) < STARVES_RATIO:
        seen = f"{max(known):.0%} of its periods are throttled at most"
        ledger.supports(cpu_use, 0.15, statement, seen=seen, refuted_if=refuted_if)
    else:
        seen = f"{max(known):.0%} of its periods are throttled"
        ledger.refutes(cpu_use, statement, seen=seen, refuted_if=refuted_if)
        return True
    return False


def _node_row(ledger: Ledger, found: CpuShortage) -> bool | None:
    """Write how full its node is; None where that was not measured."""
    statement, refuted_if = "its node has no CPU to give", f"under {FULL_RATIO:.0%} of it are used"
    node = found.node
    ratio = node.used_ratio if node else None
    if node is None or ratio is None:
        why = "what the node's pods use is not known"
        ledger.not_measured(cpu_shortage, statement, refuted_if=refuted_if, why=why)
        return None
    seen = f"{node.used_cores:.1f} of {node.allocatable_cores:.1f} cores of {node.node}"
    if node.unmeasured_pods:
        seen += f", {node.unmeasured_pods} pods not measured"
    if ratio >= FULL_RATIO:
        ledger.supports(cpu_shortage, 0.15, statement, seen=seen, refuted_if=refuted_if)
        return True
    if node.unmeasured_pods:
        ledger.not_measured(cpu_shortage, statement, refuted_if=refuted_if, why=seen)
        return None
    ledger.opposes(cpu_shortage, 0.2, statement, seen=seen, refuted_if=refuted_if)
    return False


def _latency_row(ledger: Ledger) -> bool | None:
    """Write whether its requests take longer; None where that was not measured."""
    statement, refuted_if = "its requests take longer", "they take as long as before"
    latency = ledger.evidence.fact(request_latency)
    pods = [one for one in (latency.pods if latency else ()) if one.before_seconds]
    if not pods:
        ledger.not_measured(request_latency, statement, refuted_if=refuted_if)
        return None
    worst = max(pods, key=lambda one: one.seconds / (one.before_seconds or 1.0))
    then, now = worst.before_seconds or 0.0, worst.seconds
    seen = f"{then * 1000:.0f} ms then, {now * 1000:.0f} ms now at {worst.pod}"
    if now >= SLOWER_RATIO * then:
        ledger.supports(request_latency, 0.15, statement, seen=seen, refuted_if=refuted_if)
        return True
    ledger.opposes(request_latency, 0.2, statement, seen=seen, refuted_if=refuted_if)
    return False


def judge(case: Case, evidence: Evidence, finding: Finding, since: datetime | None) -> Judgement:
    """Say how long pods wait for a CPU now."""
    del case, finding, since
    found = evidence.fact(cpu_shortage)
    if found is not None and not found.waits and (ratio := _use_of(found)) is not None:
        signals = (f"the pods of its node use {ratio:.0%} of its CPUs",)
        goes_on = CauseNow.GOES_ON if ratio >= FULL_RATIO else CauseNow.UNCLEAR
        return Judgement(symptom_gone=ratio < FULL_RATIO, cause=goes_on, signals=signals)
    if found is None or not found.waits:
        return unclear(evidence.why_unknown(cpu_shortage))
    longest = max(one.waiting_ratio for one in found.waits)
    signals = (f"pods wait {longest:.0%} of the time for a CPU at most",)
    if longest >= STARVES_RATIO:
        return Judgement(symptom_gone=False, cause=CauseNow.GOES_ON, signals=signals)
    cause = CauseNow.GONE if longest < CALM_RATIO else CauseNow.UNCLEAR
    return Judgement(symptom_gone=True, cause=cause, signals=signals)


def _use_of(found: CpuShortage) -> float | None:
    return found.node.used_ratio if found.node is not None else None


MODE = FailureMode(
    name=NAME,
    title="node short of CPU",
    suspect=suspected_in(Category.CPU, Category.LATENCY, Category.NODE, on_nodes=True),
    steps=(affected_pods, node_conditions, cpu_use, request_latency, cpu_shortage),
    conclude=conclude,
    watch_steps=(affected_pods, node_conditions, cpu_shortage),
    judge=judge,
    relapse_seconds=for_two_minutes,
    watched="how long pods wait for a CPU",
)
