"""Let an autoscaler decide on the number of replicas, where nobody does yet."""

from __future__ import annotations

import json

from petops.domain.change import Change, Risk, SetHpa
from petops.domain.policy import Refusal
from petops.domain.subject import Kind
from petops.remedies.base import Remedy, Situation
from petops.remedies.limits import has_request
from petops.remedies.room_guards import ADDS_PODS

_SCALED = frozenset({Kind.DEPLOYMENT, Kind.STATEFUL_SET})


def plan(situation: Situation) -> Change | Refusal:
    """Propose an autoscaler from the replicas of now to twice as many."""
    workload, room = situation.workload, situation.room
    if workload.subject.kind not in _SCALED:
        return Refusal(why=f"a {workload.subject.kind} has no autoscaler", lift="scale it by hand")
    if room.scaler is not None:
        return Refusal(why=f"there is autoscaler {room.scaler.name}", lift="widen it: widen-hpa")
    if room.has_scaler is None:
        return Refusal(
            why="whether there is an autoscaler could not be read",
            lift="let petops read horizontalpodautoscalers: `petops manifests`",
        )
    if workload.desired_replicas == 0:
        return Refusal(why="it was scaled to nothing on purpose", lift="scale it up by hand")
    names = [one["name"] for one in json.loads(workload.template)["spec"]["containers"]]
    bare = [one for one in names if not has_request(workload.template, one, "cpu")]
    if bare:
        return Refusal(
            why=f"container {bare[0]} requests no CPU: an autoscaler could not tell its share",
            lift="set requests.cpu first",
        )
    return SetHpa(
        subject=workload.subject,
        uid="",
        name=workload.subject.name,
        minimum=workload.desired_replicas,
        was=None,
        to=workload.desired_replicas * 2,
    )


REMEDY = Remedy(name="create-hpa", risk=Risk.YELLOW, plan=plan, guards=ADDS_PODS)
