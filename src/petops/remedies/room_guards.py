"""Whether there is room for the new numbers: nodes, quota, LimitRanges, autoscalers. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from petops.domain.change import Change, ScaleOut, SetCpuLimit, SetHpa, SetMemoryLimit
from petops.domain.circumstances import Circumstances
from petops.domain.policy import Refusal, Unclear
from petops.domain.quantity import bytes_of, cpu, milli, short
from petops.domain.terrain import Demand, unplaced
from petops.remedies.base import Guard, guard
from petops.remedies.guards import ALWAYS, ROLLS_PODS

GROWS_AT_MOST: Final = 2.0


def grows_at_most_twofold(change: Change, now: Circumstances) -> Refusal | None:
    """What is raised is raised in bounds."""
    del now
    was, to = _sizes(change)
    if to <= GROWS_AT_MOST * was or was == 0:
        return None
    return Refusal(why=f"{to} is more than twice {was}", lift="do it in two steps, by hand")


def _sizes(change: Change) -> tuple[int, int]:
    match change:
        case SetMemoryLimit():
            return bytes_of(change.was), bytes_of(change.to)
        case SetCpuLimit():
            return milli(change.was), milli(change.to)
        case ScaleOut():
            return change.was, change.to
        case SetHpa(was=int(was), to=int(to)):
            return was, to
        case _:
            return 0, 0


def fits_nodes(change: Change, now: Circumstances) -> Refusal | Unclear | None:
    """The nodes have what the new limit admits."""
    match change:
        case SetMemoryLimit():
            return _memory_fits(change, now)
        case SetCpuLimit():
            return _cpu_fits(change, now)
        case _:
            return None


def _memory_fits(change: SetMemoryLimit, now: Circumstances) -> Refusal | Unclear | None:
    if now.node_headroom_bytes is None:
        return Unclear(why=now.why_unknown("nodes"))
    more, left = bytes_of(change.to) - bytes_of(change.was), now.node_headroom_bytes
    if more <= left:
        return None
    why = f"its node has {short(left)} left, the limit grows by {short(more)}"
    return Refusal(why=why, lift="add a node")


def _cpu_fits(change: SetCpuLimit, now: Circumstances) -> Refusal | Unclear | None:
    """A limit above any node is for nothing; a request that grows with it must be placed."""
    if now.room.nodes is None:
        return Unclear(why=now.why_unknown("nodes"))
    largest = max((one.whole_cpu_milli for one in now.room.nodes), default=0)
    if milli(change.to) > largest:
        why = f"no node has {change.to} CPU, the largest {cpu(largest)}"
        return Refusal(why=why, lift="larger nodes")
    more = milli(change.to) - milli(change.was)
    placed = any(one.is_open and one.cpu_milli >= more for one in now.room.nodes)
    if placed or not now.demand_grows:
        return None
    why = f"its request grows with the limit, and no open node has {cpu(more)} CPU left"
    return Refusal(why=why, lift="add a node, or set a request of its own")


def fits_quota(change: Change, now: Circumstances) -> Refusal | Unclear | None:
    """The namespace's quota has room for the new numbers, in every replica."""
    if now.room.quota is None:
        return Unclear(why=now.why_unknown("quota"))
    for resource, needed in _needs(change, now).items():
        left = now.room.quota.get(resource)
        if left is not None and needed > left:
            return Refusal(
                why=f"the quota leaves {_amount(resource, left)} of {resource}, "
                f"{_amount(resource, needed)} are needed",
                lift="raise the namespace's quota",
            )
    return None


def _needs(change: Change, now: Circumstances) -> Mapping[str, int]:
    """Return what a change takes of a quota, by resource."""
    replicas = max(1, now.desired_replicas)
    match change:
        case SetMemoryLimit():
            more = (bytes_of(change.to) - bytes_of(change.was)) * replicas
            return {
                "limits.memory": more,
                **({"requests.memory": more} if now.demand_grows else {}),
            }
        case SetCpuLimit():
            more = (milli(change.to) - milli(change.was)) * replicas
            return {"limits.cpu": more, **({"requests.cpu": more} if now.demand_grows else {})}
        case ScaleOut() if now.demand is not None:
            pods = change.to - change.was
            return {
                "pods": pods,
                "requests.cpu": now.demand.cpu_milli * pods,
                "requests.memory": now.demand.memory_bytes * pods,
            }
        case _:
            return {}


def _amount(resource: str, count: int) -> str:
    if resource == "pods":
        return str(count)
    return cpu(count) if resource.endswith("cpu") else short(count)


def within_limit_ranges(change: Change, now: Circumstances) -> Refusal | Unclear | None:
    """The namespace's LimitRanges admit the new limit."""
    if not isinstance(change, SetMemoryLimit | SetCpuLimit):
        return None
    if now.room.container_most is None:
        return Unclear(why=now.why_unknown("limit ranges"))
    is_memory = isinstance(change, SetMemoryLimit)
    most = now.room.container_most.get("memory" if is_memory else "cpu")
    wanted = bytes_of(change.to) if is_memory else milli(change.to)
    if most is None or wanted <= most:
        return None
    text = short(most) if is_memory else cpu(most)
    return Refusal(
        why=f"a LimitRange admits {text} a container at most", lift="change the LimitRange"
    )


def no_autoscaler_owns_it(change: Change, now: Circumstances) -> Refusal | Unclear | None:
    """Who sets replicas against an autoscaler is overruled within seconds."""
    if not isinstance(change, ScaleOut):
        return None
    if now.room.has_scaler is None:
        return Unclear(why=now.why_unknown("autoscaler"))
    if now.room.scaler is None:
        return None
    return Refusal(
        why=f"autoscaler {now.room.scaler.name} owns the replicas", lift="widen it: widen-hpa"
    )


def autoscaler_as_planned(change: Change, now: Circumstances) -> Refusal | Unclear | None:
    """An autoscaler is made where there is none, and widened where there is one."""
    if not isinstance(change, SetHpa) or now.takes_back:
        return None
    if now.room.has_scaler is None:
        return Unclear(why=now.why_unknown("autoscaler"))
    found = now.room.scaler
    if change.was is None and found is not None:
        return Refusal(why=f"there is autoscaler {found.name} already", lift="widen it: widen-hpa")
    if change.was is not None and found is None:
        return Refusal(why="the autoscaler is gone", lift="create one: create-hpa")
    return None


def room_for_new_pods(change: Change, now: Circumstances) -> Refusal | Unclear | None:
    """The open nodes have a place for every pod that is added."""
    added = _added(change, now)
    if added <= 0:
        return None
    if now.room.nodes is None or now.demand is None:
        return Unclear(why=now.why_unknown("nodes"))
    missing = unplaced([now.demand] * added, now.room.nodes)
    return _no_place(missing, added)


def _added(change: Change, now: Circumstances) -> int:
    match change:
        case ScaleOut():
            return change.to - change.was
        case SetHpa(to=int(to)):
            return to - max(now.desired_replicas, change.was or 0)
        case _:
            return 0


def _no_place(missing: int, wanted: int) -> Refusal | None:
    if not missing:
        return None
    return Refusal(
        why=f"{missing} of {wanted} pods would find no node with room", lift="add nodes first"
    )


def place_for(demands: Iterable[Demand], now: Circumstances) -> Refusal | Unclear | None:
    """Say whether pods that have to move find a place on the open nodes."""
    if now.room.nodes is None:
        return Unclear(why=now.why_unknown("nodes"))
    wanted = list(demands)
    return _no_place(unplaced(wanted, now.room.nodes), len(wanted))


CHANGES_LIMIT: Final[tuple[Guard, ...]] = (
    *ROLLS_PODS,
    guard(grows_at_most_twofold),
    guard(fits_nodes),
    guard(fits_quota),
    guard(within_limit_ranges),
)
ADDS_PODS: Final[tuple[Guard, ...]] = (
    *ALWAYS,
    guard(grows_at_most_twofold),
    guard(no_autoscaler_owns_it),
    guard(autoscaler_as_planned),
    guard(room_for_new_pods),
    guard(fits_quota),
)
