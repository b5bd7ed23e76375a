"""Let the autoscaler go further, where its maximum is what holds it."""

from __future__ import annotations

from petops.domain.change import Change, Risk, SetHpa
from petops.domain.policy import Refusal
from petops.remedies.base import Remedy, Situation
from petops.remedies.room_guards import ADDS_PODS


def plan(situation: Situation) -> Change | Refusal:
    """Propose half as much again of its maximum, one at least."""
    scaler = situation.room.scaler
    if situation.room.has_scaler is None:
        return Refusal(
            why="whether there is an autoscaler could not be read",
            lift="let petops read horizontalpodautoscalers: `petops manifests`",
        )
    if scaler is None:
        return Refusal(why="no autoscaler owns its replicas", lift="create one: create-hpa")
    if scaler.desired < scaler.maximum:
        bounds = f"it wants {scaler.desired} of {scaler.maximum} at most"
        return Refusal(
            why=f"its maximum does not hold it: {bounds}", lift="look at its metric and at the pods"
        )
    return SetHpa(
        subject=situation.workload.subject,
        uid=scaler.uid,
        name=scaler.name,
        minimum=scaler.minimum,
        was=scaler.maximum,
        to=scaler.maximum + max(1, (scaler.maximum + 1) // 2),
    )


REMEDY = Remedy(name="widen-hpa", risk=Risk.YELLOW, plan=plan, guards=ADDS_PODS)
