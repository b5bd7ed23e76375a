"""Let pods onto a node again, once what closed it has passed."""

from __future__ import annotations

from petops.domain.change import Change, Risk, Uncordon
from petops.domain.policy import Refusal
from petops.remedies.base import Remedy, Situation
from petops.remedies.guards import ALWAYS


def plan(situation: Situation) -> Change | Refusal:
    """Open the node that the finding is about; one that is not ready stays closed."""
    node = situation.node
    if node is None:
        return Refusal(
            why="the finding is about no node that could be read",
            lift="let petops read nodes, pods and budgets: `petops manifests`",
        )
    if not node.is_cordoned:
        return Refusal(why=f"{node.subject.name} is not cordoned", lift="nothing needs to be done")
    if not node.is_ready:
        return Refusal(why=f"{node.subject.name} is not ready", lift="let it recover first")
    return Uncordon(subject=node.subject, uid=node.uid)


REMEDY = Remedy(name="uncordon-node", risk=Risk.GREEN, plan=plan, guards=ALWAYS)
