"""Unschedulable: pods wait for a node, and the scheduler says what none of them has.

Look-alikes: a quota (then there is no pod at all), an autoscaler that is bringing a node just now,
a node that ails (its taint keeps pods away).
"""

from __future__ import annotations

import re
from typing import Final

from petops.domain.alarm import Category
from petops.domain.diagnosis import Finding, Verdict
from petops.domain.facts import Pod
from petops.playbooks.base import OF_WORKLOADS, Case, Evidence, FailureMode, Ledger, suspected_in
from petops.playbooks.pod_trouble import living, quoted, worst_of
from petops.playbooks.pod_watch import for_two_minutes, judged_by
from petops.playbooks.steps.objects import object_events
from petops.playbooks.steps.workloads import affected_pods, node_conditions, recent_rollouts

NAME = "unschedulable"
ROOM_REMEDIES = ("undo-rollout", "add-nodes")
REMEDIES = (*ROOM_REMEDIES, "lower-requests")
MISFIT_REMEDIES = ("undo-rollout", "fix-scheduling")
ROOM: Final = frozenset(
    {"cpu", "memory", "ephemeral-storage", "pods", "volumes", "none", "cordoned"}
)
# What a smaller request gives back; the number of pods or of volumes is no request.
REQUESTED: Final = frozenset({"cpu", "memory", "ephemeral-storage"})
EXPLAINS = ("bad-rollout", "no-endpoints", "hpa-maxed", "failing-probe")
# A cluster autoscaler takes a minute or two; a scheduler that only waits its turn takes seconds.
SURE_SECONDS: Final = 60.0
NORMAL_SECONDS: Final = 30.0

# The scheduler's own phrases, each with a count of nodes before it.
PHRASES: Final = (
    ("cpu", re.compile(r"(\d+) Insufficient cpu\b")),
    ("memory", re.compile(r"(\d+) Insufficient memory\b")),
    ("ephemeral-storage", re.compile(r"(\d+) Insufficient ephemeral-storage\b")),
    ("pods", re.compile(r"(\d+) Too many pods\b")),
    ("extended", re.compile(r"(\d+) Insufficient [a-z0-9.-]+/[A-Za-z0-9._-]+")),
    ("taint", re.compile(r"(\d+) node\(s\) had (?:untolerated taint|taint)(?:\(s\)| \{)")),
    ("selector", re.compile(r"(\d+) node\(s\) didn't match Pod's node affinity/selector")),
    (
        "affinity",
        re.compile(
            r"(\d+) node\(s\) (?:didn't match pod (?:anti-)?affinity rules"
            r"|didn't satisfy existing pods anti-affinity rules)"
        ),
    ),
    ("spread", re.compile(r"(\d+) node\(s\) didn't match pod topology spread constraints")),
    (
        "volume",
        re.compile(
            r"(\d+) node\(s\) (?:had volume node affinity conflict"
            r"|didn't match PersistentVolume's node affinity)"
        ),
    ),
    ("volumes", re.compile(r"(\d+) node\(s\) exceed max volume count")),
    ("port", re.compile(r"(\d+) node\(s\) didn't have free ports for the requested pod ports")),
    ("cordoned", re.compile(r"(\d+) node\(s\) were unschedulable")),
    (
        "claim",
        re.compile(
            r"(pod has unbound immediate PersistentVolumeClaims"
            r"|\d+ node\(s\) didn't find available persistent volumes to bind)"
        ),
    ),
    ("no-claim", re.compile(r'^(persistentvolumeclaim "[^"]*" not found)')),
    ("none", re.compile(r"(no nodes available to schedule pods)")),
)
SAID: Final = {
    "cpu": "not enough CPU",
    "memory": "not enough memory",
    "ephemeral-storage": "not enough disk",
    "pods": "too many pods on the node",
    "extended": "not enough of another resource",
    "taint": "a taint that it does not tolerate",
    "selector": "no match for its node selector or affinity",
    "affinity": "its pod affinity rules",
    "spread": "its topology spread constraints",
    "volume": "its volume is elsewhere",
    "volumes": "too many volumes on the node",
    "port": "its host port is taken",
    "cordoned": "nodes that are cordoned",
    "claim": "a volume claim that is not bound",
    "no-claim": "a volume claim that does not exist",
    "none": "no node at all",
}
PROVEN: Final = frozenset({"cpu", "memory", "selector", "taint"})
ADVICE: Final = {
    "taint": "add nodes without the taint, or find out why the nodes have it; do not remove taints",
    "selector": "correct the node selector or affinity, or label the nodes that are meant",
    "cordoned": "see whether the nodes that are cordoned may be used again",
    "extended": "add nodes that have the resource that it asks for, or ask for less of it",
    "volume": "its volume can be attached where it is and nowhere else: make room on a node there",
    "claim": "find out why the claim is not bound: its StorageClass, and its provisioner's events",
    "no-claim": "create the claim, or correct its name in the pod's volumes",
}


def reasons(message: str) -> tuple[tuple[str, int], ...]:
    """Return what the scheduler lacks and on how many nodes, most nodes first."""
    words = message.partition("preemption:")[0]
    found = [
        (key, int(match[1]) if match[1].isdecimal() else 1)
        for key, pattern in PHRASES
        if (match := pattern.search(words))
    ]
    return tuple(sorted(found, key=lambda one: -one[1]))


def conclude(case: Case, evidence: Evidence) -> Finding:
    """Look for pods that the scheduler finds no node for, and take it by its words."""
    ledger = Ledger(mode=NAME, evidence=evidence)
    affected = evidence.fact(affected_pods)
    statement, refuted_if = "a pod waits for a node", "every pod has a node"
    if affected is None:
        ledger.not_measured(affected_pods, statement, refuted_if=refuted_if)
        return ledger.finding(Verdict.UNDECIDED, "its pods are not known")
    waiting = [pod for pod in living(affected.pods) if pod.unscheduled]
    if not waiting:
        seen = f"each of {len(living(affected.pods))} pods has a node"
        if not affected.pods:
            seen = "there is no pod to schedule"
        ledger.refutes(affected_pods, statement, seen=seen, refuted_if=refuted_if)
        return ledger.finding(Verdict.REFUTED, seen)
    owner = worst_of(waiting)
    own = [pod for pod in waiting if pod.owner == owner]
    longest = max((case.window.end - pod.created_at).total_seconds() for pod in own)
    seen = f"{len(own)} pods, for {longest:.0f} s"
    weight = 0.6 if longest >= SURE_SECONDS else 0.4 if longest >= NORMAL_SECONDS else 0.15
    ledger.supports(affected_pods, weight, statement, seen=seen, refuted_if=refuted_if)
    why = _why_row(ledger, own)
    keys = [key for key, _ in why]
    remedies = _remedies(keys)
    room = remedies is not MISFIT_REMEDIES
    said = " and ".join(SAID[key] for key in keys) or "for a reason that petops does not know"
    return ledger.finding(
        Verdict.SUPPORTED,
        f"{own[0].owner.name} waits for a node: {said}",
        subject=owner,
        is_proven=not keys or keys[0] in PROVEN,
        remedies=remedies,
        explains=EXPLAINS,
        advice="" if room else "; ".join(ADVICE.get(key, f"see to {SAID[key]}") for key in keys),
    )


def _remedies(keys: list[str]) -> tuple[str, ...]:
    """Return what may help: a new node seldom stands where a volume is, nor takes a smaller pod."""
    if REQUESTED & set(keys):
        return REMEDIES
    return ROOM_REMEDIES if ROOM & set(keys) and "volume" not in keys else MISFIT_REMEDIES


def _why_row(ledger: Ledger, own: list[Pod]) -> tuple[tuple[str, int], ...]:
    statement, refuted_if = "the scheduler says what is missing", "its words name nothing known"
    said = own[0].unscheduled
    why = reasons(said)
    if why:
        seen = quoted(said.partition("preemption:")[0], 240)
        ledger.supports(affected_pods, 0.3, statement, seen=seen, refuted_if=refuted_if)
    else:
        words = f"none of the reasons that petops knows: {quoted(said)}"
        ledger.not_measured(affected_pods, statement, refuted_if=refuted_if, why=words)
    return why


MODE = FailureMode(
    name=NAME,
    title="no node for its pods",
    suspect=suspected_in(*OF_WORKLOADS, Category.NODE),
    steps=(affected_pods, object_events, node_conditions, recent_rollouts),
    conclude=conclude,
    watch_steps=(affected_pods,),
    judge=judged_by(lambda pod, _: bool(pod.unscheduled), "it waits for a node"),
    relapse_seconds=for_two_minutes,
    watched="whether every pod has a node, and ready replicas",
)
