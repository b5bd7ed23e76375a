"""Add replicas, where nothing else decides on their number."""

from __future__ import annotations

from petops.domain.change import Change, Risk, ScaleOut
from petops.domain.policy import Refusal
from petops.domain.subject import Kind
from petops.remedies.base import Remedy, Situation
from petops.remedies.room_guards import ADDS_PODS

_SCALED = frozenset({Kind.DEPLOYMENT, Kind.STATEFUL_SET})


def plan(situation: Situation) -> Change | Refusal:
    """Propose half as many replicas more, one at least."""
    workload, scaler = situation.workload, situation.room.scaler
    if workload.subject.kind not in _SCALED:
        return Refusal(
            why=f"a {workload.subject.kind} is not scaled by replicas",
            lift="add nodes, or change its limits",
        )
    if scaler is not None:
        return Refusal(
            why=f"autoscaler {scaler.name} owns the replicas", lift="widen it: widen-hpa"
        )
    was = workload.desired_replicas
    if was == 0:
        return Refusal(why="it was scaled to nothing on purpose", lift="scale it up by hand")
    return ScaleOut(
        subject=workload.subject, uid=workload.uid, was=was, to=was + max(1, (was + 1) // 2)
    )


REMEDY = Remedy(name="scale-out", risk=Risk.GREEN, plan=plan, guards=ADDS_PODS)
