"""Give a container more memory, in bounds: it buys time where it leaks, and heals a low limit."""

from __future__ import annotations

from petops.domain.change import Change, Risk, SetMemoryLimit
from petops.domain.policy import Refusal
from petops.domain.quantity import bytes_of, memory
from petops.remedies.base import Remedy, Situation
from petops.remedies.limits import limit_of, pods_in_place
from petops.remedies.room_guards import CHANGES_LIMIT

MIB = 1024 * 1024


def plan(situation: Situation) -> Change | Refusal:
    """Propose one and a half times the limit that stands there now; in place where that goes."""
    wanted = situation.finding.container
    was = limit_of(situation.workload.template, wanted, "memory")
    if was is None:
        return Refusal(
            why=f"container {wanted} has no memory limit to raise",
            lift="set one by hand, with a request",
        )
    more = bytes_of(was) * 3 // 2
    return SetMemoryLimit(
        subject=situation.workload.subject,
        uid=situation.workload.uid,
        container=wanted,
        was=was,
        to=memory(more // MIB * MIB if more >= MIB else more),
        pods=pods_in_place(situation, wanted, "memory"),
    )


REMEDY = Remedy(name="raise-memory-limit", risk=Risk.YELLOW, plan=plan, guards=CHANGES_LIMIT)
