"""Empty a node through the Eviction API.

DaemonSets, mirror pods and protected namespaces are left alone. Two people sign, save where the
node is dead anyway.
"""

from __future__ import annotations

from petops.domain.change import Change, DrainNode, Risk
from petops.domain.policy import Refusal
from petops.remedies.base import Remedy, Situation
from petops.remedies.node_guards import DRAINS_NODE


def plan(situation: Situation) -> Change | Refusal:
    """Name each pod that would be evicted, by uid: no other one will be."""
    node = situation.node
    if node is None:
        return Refusal(
            why="the finding is about no node that could be read",
            lift="let petops read nodes, pods and budgets: `petops manifests`",
        )
    spared = situation.rules.protected_namespaces | {"kube-system"}
    pods = tuple(one.pod for one in node.evictable if one.pod.namespace not in spared)
    if not pods:
        return Refusal(
            why=f"{node.subject.name} has no pods to evict",
            lift="nothing needs to be done: it is empty",
        )
    return DrainNode(
        subject=node.subject,
        uid=node.uid,
        was_cordoned=node.is_cordoned,
        pods=pods,
        deadline_seconds=int(situation.rules.drain_deadline.total_seconds()),
        spared=tuple(sorted(spared)),
    )


REMEDY = Remedy(
    name="drain-node",
    risk=Risk.RED,
    plan=plan,
    guards=DRAINS_NODE,
    risk_in={"node-not-ready": Risk.YELLOW},
)
