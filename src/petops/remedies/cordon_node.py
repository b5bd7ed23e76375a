"""Let no more pods onto a node in trouble: nothing that runs is touched."""

from __future__ import annotations

from petops.domain.change import Change, Cordon, Risk
from petops.domain.policy import Refusal
from petops.remedies.base import Remedy, Situation
from petops.remedies.node_guards import CLOSES_NODE


def plan(situation: Situation) -> Change | Refusal:
    """Close the node that the finding is about."""
    node = situation.node
    if node is None:
        return Refusal(
            why="the finding is about no node that could be read",
            lift="let petops read nodes, pods and budgets: `petops manifests`",
        )
    if node.is_cordoned:
        return Refusal(
            why=f"{node.subject.name} is cordoned already", lift="nothing needs to be done"
        )
    return Cordon(subject=node.subject, uid=node.uid)


REMEDY = Remedy(name="cordon-node", risk=Risk.GREEN, plan=plan, guards=CLOSES_NODE)
