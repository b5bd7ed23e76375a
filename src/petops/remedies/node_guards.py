"""What must hold before a node is closed or emptied, or a pod sent away from it. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from petops.domain.change import Change, Cordon, DrainNode, EvictPod
from petops.domain.circumstances import Circumstances
from petops.domain.policy import Refusal, Unclear
from petops.domain.terrain import Occupant
from petops.remedies.base import Guard, Weight, guard
from petops.remedies.guards import ALWAYS
from petops.remedies.room_guards import place_for


def leaves_an_open_node(change: Change, now: Circumstances) -> Refusal | Unclear | None:
    """Another node still takes pods."""
    if not isinstance(change, Cordon | DrainNode):
        return None
    if now.room.nodes is None:
        return Unclear(why=now.why_unknown("nodes"))
    if any(one.is_open and one.name != change.subject.name for one in now.room.nodes):
        return None
    return Refusal(why="no other node would take pods", lift="add a node first")


def one_node_at_a_time(change: Change, now: Circumstances) -> Refusal | None:
    """Never are two nodes drained at once."""
    if not isinstance(change, DrainNode) or not now.draining:
        return None
    return Refusal(why=f"{now.draining} is being drained", lift="wait until that has ended")


def drained_pods_find_room(change: Change, now: Circumstances) -> Refusal | Unclear | None:
    """What is evicted has a place on the other nodes."""
    if not isinstance(change, DrainNode | EvictPod):
        return None
    moving = _moving(change, now)
    if moving is None:
        return Unclear(why=now.why_unknown("node"))
    others = now
    if now.room.nodes is not None:
        away = tuple(one for one in now.room.nodes if one.name != _node(change))
        others = replace(now, room=replace(now.room, nodes=away))
    return place_for((one.demand for one in moving), others)


def _node(change: DrainNode | EvictPod) -> str:
    return change.node if isinstance(change, EvictPod) else change.subject.name


def _moving(change: DrainNode | EvictPod, now: Circumstances) -> tuple[Occupant, ...] | None:
    if now.node is None:
        return None
    uids = {change.uid} if isinstance(change, EvictPod) else {one.uid for one in change.pods}
    return tuple(one for one in now.node.occupants if one.pod.uid in uids)


def no_data_in_empty_dirs(change: Change, now: Circumstances) -> Refusal | Unclear | None:
    """What stands in an emptyDir is lost with its pod."""
    if not isinstance(change, DrainNode) or now.rules.drain_empty_dir:
        return None
    moving = _moving(change, now)
    if moving is None:
        return Unclear(why=now.why_unknown("node"))
    keeping = [str(one.pod) for one in moving if one.has_empty_dir]
    if not keeping:
        return None
    return Refusal(
        why=f"{len(keeping)} pods would lose what stands in an emptyDir: {', '.join(keeping[:3])}",
        lift="settings: repair.drain_empty_dir",
    )


def budgets_let_go_now(change: Change, now: Circumstances) -> Refusal | Unclear | None:
    """No budget stands against an eviction at this moment; one may give way while others go."""
    if not isinstance(change, DrainNode | EvictPod):
        return None
    moving = _moving(change, now)
    if moving is None:
        return Unclear(why=now.why_unknown("node"))
    held = [f"{one.pod} by {one.budget}" for one in moving if one.budget]
    if not held:
        return None
    return Refusal(why=f"held back now: {', '.join(held[:3])}", lift="add a replica")


def pod_may_go(change: Change, now: Circumstances) -> Refusal | Unclear | None:
    """The pod is none of those that are left alone."""
    if not isinstance(change, EvictPod):
        return None
    moving = _moving(change, now)
    if moving is None:
        return Unclear(why=now.why_unknown("node"))
    stays = next((one.stays for one in moving if one.stays), "")
    return Refusal(why=f"it is left alone: {stays}", lift="act by hand") if stays else None


CLOSES_NODE: Final[tuple[Guard, ...]] = (*ALWAYS, guard(leaves_an_open_node))
DRAINS_NODE: Final[tuple[Guard, ...]] = (
    *CLOSES_NODE,
    guard(one_node_at_a_time),
    guard(drained_pods_find_room),
    guard(no_data_in_empty_dirs),
    guard(budgets_let_go_now, Weight.TELLS),
)
EVICTS_POD: Final[tuple[Guard, ...]] = (
    *ALWAYS,
    guard(pod_may_go),
    guard(drained_pods_find_room),
    guard(budgets_let_go_now),
)
