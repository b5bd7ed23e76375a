"""Pod sandbox: pods have a node, and its kubelet cannot make their sandbox, mostly for the network.

No address is left, or the network plugin is not there. Going back to an earlier revision gives no
address to anybody, so that no rollout joins this. Look-alikes: a node that is not ready (then that
is the cause), a first try before the network of a new node was there.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

from petops.domain.diagnosis import Finding, Verdict
from petops.domain.facts import AffectedPods
from petops.playbooks.base import OF_WORKLOADS, Case, Evidence, FailureMode, Ledger, suspected_in
from petops.playbooks.pod_trouble import living, names, quoted_end, worst_of
from petops.playbooks.pod_watch import for_two_minutes, judged_by
from petops.playbooks.starts import (
    Held,
    consequences,
    held_by_sandbox,
    is_held,
    node_row,
    plain,
    weight,
)
from petops.playbooks.steps.objects import nearby_pods, object_events
from petops.playbooks.steps.workloads import affected_pods, node_conditions
from petops.playbooks.volume_mount import waits_still

NAME = "pod-sandbox"
REMEDIES = ("fix-network",)
EXPLAINS = ("failing-probe", "no-endpoints", "hpa-maxed", "job-failed")

_HEAD: Final = re.compile(r"Failed (?:to )?create pod sandbox: ", re.I)
# In this order: what a plugin says comes before that a plugin failed.
WORDS: Final = (
    (
        "addresses",
        re.compile(
            r"failed to assign an IP address to container|InsufficientFreeAddressesInSubnet"
            r"|InsufficientCidrBlocks|no IP addresses available in range set"
        ),
    ),
    ("image", re.compile(r'failed to get sandbox image ""')),
    (
        "not-ready",
        re.compile(r"cni plugin not initialized|cni config uninitialized|NetworkPluginNotReady"),
    ),
    ("plugin-missing", re.compile(r'failed to find plugin "" in path')),
    (
        "agent",
        re.compile(
            r"(?:failed \(add\)|AddNetwork gRPC call|NetworkPlugin cni failed to set up pod)"
            r".*code = Unavailable\b",
            re.I,
        ),
    ),
    ("plugin", re.compile(r"failed \(add\)|NetworkPlugin cni failed to set up pod", re.I)),
    ("runtime", re.compile(r"rpc error: code = Unavailable\b")),
    ("timeout", re.compile(r"code = DeadlineExceeded|context deadline exceeded")),
)
SAID: Final = {
    "addresses": "no IP address is left for it",
    "image": "the sandbox's own image cannot be had",
    "not-ready": "the node's network plugin is not ready",
    "plugin-missing": "the network plugin's program is not on the node",
    "agent": "the network plugin's agent on the node does not answer",
    "plugin": "the network plugin refuses it",
    "runtime": "the container runtime does not answer",
    "timeout": "it takes too long",
    "": "the kubelet's words do not tell why",
}
ADVICE: Final = {
    "addresses": "free addresses: look at the subnets' free addresses and the node's network "
    "interfaces; prefix delegation, another subnet (ENIConfig, a new node group), or fewer pods "
    "on such nodes",
    "image": "let the nodes reach the registry of the sandbox (pause) image, or correct its name "
    "in containerd's settings",
    "not-ready": "look at the network plugin's DaemonSet (aws-node) on {nodes}: it has not written "
    "its settings there",
    "plugin-missing": "look at the network plugin's DaemonSet (aws-node) on {nodes}: it puts its "
    "program there when it starts",
    "agent": "look at the network plugin's DaemonSet (aws-node) on {nodes}: its pod's log, its "
    "permissions, and its way to the EC2 API",
    "plugin": "read what the network plugin says, and its log on {nodes}",
    "runtime": "look at containerd on {nodes}; replace the node if it does not come back",
    "timeout": "look at containerd and the network plugin (aws-node) on {nodes}",
    "": "read the events of the pod, and the kubelet's log on {nodes}",
}


def why_not(message: str) -> str:
    """Return which of the known reasons a kubelet's message gives; empty for none.

    Names stand in quotes there, and are left out: a pod or a plugin may be called anything.
    """
    words = _HEAD.sub("", plain(message), count=1)
    return next((key for key, pattern in WORDS if pattern.search(words)), "")


def conclude(case: Case, evidence: Evidence) -> Finding:
    """Look for pods that are held at their start, and for what is said of their sandbox."""
    ledger = Ledger(mode=NAME, evidence=evidence)
    affected, events = evidence.fact(affected_pods), evidence.fact(object_events)
    statement, refuted_if = "a pod gets no sandbox", "its sandbox was made"
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
    held = held_by_sandbox(idle, events.occurrences, case.window.end)
    if not held:
        seen = f"nothing is said of a sandbox of {names(idle)}"
        ledger.refutes(object_events, statement, seen=seen, refuted_if=refuted_if)
        return ledger.finding(Verdict.REFUTED, seen)
    return _weighed(ledger, affected, held, case.window.end)


def _weighed(
    ledger: Ledger, affected: AffectedPods, held: tuple[Held, ...], now: datetime
) -> Finding:
    owner = worst_of(one.pod for one in held) or affected.subject
    own = [one for one in held if one.pod.owner == owner]
    longest = max(one.seconds(now) for one in own)
    nodes = sorted({one.pod.node for one in own})
    where = f"on {len(nodes)} node{'s' if len(nodes) > 1 else ''} ({_some(nodes)})"
    ledger.supports(
        object_events,
        weight(longest),
        "a pod gets no sandbox",
        seen=f"{len(own)} pods {where}, for {longest:.0f} s",
        refuted_if="its sandbox was made",
    )
    messages = [each.message for one in own for each in one.said]
    known = [(key, one) for one in messages if (key := why_not(one))]
    why, message = known[0] if known else ("", messages[0])
    _why_row(ledger, why, message)
    node_row(ledger, own)
    return ledger.finding(
        Verdict.SUPPORTED,
        f"{own[0].pod.owner.name} gets no sandbox {where}: {SAID[why]}",
        subject=owner,
        is_proven=False,
        remedies=REMEDIES,
        explains=consequences(EXPLAINS, affected.pods, owner),
        advice=ADVICE[why].format(nodes=_some(nodes)),
    )


def _some(nodes: list[str]) -> str:
    return ", ".join(nodes[:3]) + (f" and {len(nodes) - 3} more" if len(nodes) > 3 else "")


def _why_row(ledger: Ledger, why: str, message: str) -> None:
    statement = f"the kubelet says why: {SAID[why]}" if why else "the kubelet says why"
    refuted_if = "its message gives another reason"
    if why:
        seen = quoted_end(message, 240)
        ledger.supports(object_events, 0.15, statement, seen=seen, refuted_if=refuted_if)
    else:
        known = f"none of the reasons that petops knows: {quoted_end(message, 240)}"
        ledger.not_measured(object_events, statement, refuted_if=refuted_if, why=known)


MODE = FailureMode(
    name=NAME,
    title="pod sandbox cannot be made",
    suspect=suspected_in(*OF_WORKLOADS),
    steps=(affected_pods, object_events, node_conditions, nearby_pods),
    conclude=conclude,
    watch_steps=(affected_pods,),
    judge=judged_by(waits_still, "it is held at its start"),
    relapse_seconds=for_two_minutes,
    watched="whether every pod gets a sandbox, and ready replicas",
)
