"""Give a throttled container more CPU, in bounds; requests stay, so that it is placed as before."""

from __future__ import annotations

from petops.domain.change import Change, Risk, SetCpuLimit
from petops.domain.policy import Refusal
from petops.domain.quantity import cpu, milli
from petops.remedies.base import Remedy, Situation
from petops.remedies.limits import limit_of, pods_in_place
from petops.remedies.room_guards import CHANGES_LIMIT


def plan(situation: Situation) -> Change | Refusal:
    """Propose twice the limit that stands there now; in place where that goes."""
    wanted = situation.finding.container
    was = limit_of(situation.workload.template, wanted, "cpu")
    if was is None:
        return Refusal(
            why=f"container {wanted} has no CPU limit to raise",
            lift="look elsewhere: what slows it is no limit",
        )
    return SetCpuLimit(
        subject=situation.workload.subject,
        uid=situation.workload.uid,
        container=wanted,
        was=was,
        to=cpu(milli(was) * 2),
        pods=pods_in_place(situation, wanted, "cpu"),
    )


REMEDY = Remedy(name="raise-cpu-limit", risk=Risk.YELLOW, plan=plan, guards=CHANGES_LIMIT)
