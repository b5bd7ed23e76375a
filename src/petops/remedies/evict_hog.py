"""Send away the pod that takes most beyond what it asked for, so that the node can breathe."""

from __future__ import annotations

from petops.domain.change import Change, EvictPod, Risk
from petops.domain.policy import Refusal
from petops.domain.subject import Kind, Subject
from petops.domain.terrain import NodeSite, Occupant
from petops.remedies.base import Remedy, Situation
from petops.remedies.node_guards import EVICTS_POD


def plan(situation: Situation) -> Change | Refusal:
    """Take the culprit's largest pod on the node, by what was measured of them."""
    node = situation.node
    if node is None:
        return Refusal(
            why="the finding is about no node that could be read",
            lift="let petops read nodes, pods and budgets: `petops manifests`",
        )
    hog = _hog(situation, node)
    if hog is None:
        return Refusal(
            why="no pod was measured to take more than it asked for",
            lift="look at the node by hand: kubectl top pods",
        )
    if hog.stays:
        return Refusal(why=f"{hog.pod} is left alone: {hog.stays}", lift="act by hand")
    subject = Subject(
        cluster=node.subject.cluster,
        kind=Kind.POD,
        namespace=hog.pod.namespace,
        name=hog.pod.name,
    )
    return EvictPod(subject=subject, uid=hog.pod.uid, node=node.subject.name)


def _hog(situation: Situation, node: NodeSite) -> Occupant | None:
    """Return the occupant with the largest excess, of the culprit's where there is one."""
    culprit, memory = situation.finding.culprit, situation.memory
    here = {one.pod.name: one for one in node.occupants if not one.is_leaving}
    for one in memory.pods if memory else ():
        owns = culprit is None or one.owner == culprit or one.pod == culprit.name
        if one.pod in here and owns and one.excess_mib > 0:
            return here[one.pod]
    if culprit is None:
        return None
    owned = [one for one in here.values() if culprit.name in {one.pod.name, one.owner}]
    return owned[0] if len(owned) == 1 else None


REMEDY = Remedy(name="evict-hog", risk=Risk.YELLOW, plan=plan, guards=EVICTS_POD)
