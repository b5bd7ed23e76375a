"""`Actuator` by way of the Kubernetes API: each change is one guarded write that carries its act.

The patch holds uid and resourceVersion of the object that was read, so that it only changes what
was looked at; the act's id stands in the same patch, so that the object says whether it happened.
What goes on pod by pod after that is looked at before each step.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from petops.actuators import evicting, resizing, scaling
from petops.actuators.dry_run import dry_run
from petops.actuators.patching import (
    CONFLICT,
    TRIES,
    act_of,
    failure_of,
    patch_of,
    read,
    send,
)
from petops.domain.change import (
    Act,
    DrainNode,
    DryRun,
    EvictPod,
    Progress,
    SetCpuLimit,
    SetHpa,
    SetMemoryLimit,
    differs,
    target,
)
from petops.errors import NotThereError, StaleError
from petops.ports import KubernetesCalls


class KubernetesActuator:
    """Makes changes to the objects of one cluster."""

    def __init__(self, calls: KubernetesCalls) -> None:
        self._calls = calls

    async def dry_run(self, change: Act) -> DryRun:
        return await dry_run(self._calls, change)

    async def changed_since(self, change: Act) -> str | None:
        if isinstance(change, SetHpa) and (change.was is None or change.to is None):
            return await scaling.changed_since(self._calls, change)
        try:
            found = await read(self._calls, change)
        except NotThereError:
            return f"{target(change)} was deleted"
        return differs(found, change) or await self._pods_changed(found, change)

    async def _pods_changed(self, found: Mapping[str, Any], change: Act) -> str | None:
        match change:
            case SetCpuLimit() | SetMemoryLimit() if change.pods:
                return await resizing.changed_since(self._calls, change)
            case EvictPod() if "deletionTimestamp" in found["metadata"]:
                return f"{change.subject} is going already"
            case DrainNode():
                return await self._newcomers(change)
            case _:
                return None

    async def apply(self, change: Act, act: str) -> None:
        match change:
            case SetHpa() if change.was is None or change.to is None:
                await scaling.apply(self._calls, change, act)
            case EvictPod():
                await self._still_there(change)  # the eviction itself is its first step
            case _:
                await self._patch(change, act)

    async def was_applied(self, change: Act, act: str) -> bool:
        if isinstance(change, SetHpa) and (change.was is None or change.to is None):
            return await scaling.was_applied(self._calls, change, act)
        if isinstance(change, EvictPod):
            found = await evicting.find_pod(self._calls, evicting.the_pod(change))
            return found is None or "deletionTimestamp" in found["metadata"]
        try:
            found = await read(self._calls, change)
        except NotThereError:
            return False
        return found["metadata"].get("uid") == change.uid and act_of(found) == act

    async def advance(self, change: Act, act: str) -> Progress:
        match change:
            case DrainNode() | EvictPod():
                if isinstance(change, DrainNode):
                    await self._still_ours(change, act)
                return await evicting.step(self._calls, change)
            case SetCpuLimit() | SetMemoryLimit() if change.pods:
                return await resizing.step(self._calls, change)
            case _:
                return Progress()

    async def _patch(self, change: Act, act: str) -> None:
        found = await read(self._calls, change)
        generation = found["metadata"].get("generation")
        for _ in range(TRIES):
            if act_of(found) == act:
                return
            if why := differs(found, change):
                raise StaleError(why)
            if found["metadata"].get("generation") != generation:
                raise StaleError(f"{target(change)} was changed while the change was being made")
            answer = await send(self._calls, change, patch_of(found, change, act))
            if answer.status != CONFLICT:
                if failure := failure_of(answer, str(target(change))):
                    raise failure
                return
            found = await read(self._calls, change)
        raise StaleError(f"{target(change)} is being written too often to change it safely")

    async def _still_there(self, change: EvictPod) -> None:
        found = await evicting.find_pod(self._calls, evicting.the_pod(change))
        if found is None:
            raise StaleError(f"{change.subject} is gone")

    async def _still_ours(self, change: DrainNode, act: str) -> None:
        """A person who opens the node, or makes another change to it, ends the drain."""
        found = await read(self._calls, change)
        if found["metadata"].get("uid") != change.uid:
            raise StaleError(f"{change.subject} was deleted and made anew")
        if not found["spec"].get("unschedulable"):
            raise StaleError(f"{change.subject} was uncordoned by somebody")
        if act_of(found) != act:
            raise StaleError(f"another act was begun on {change.subject}")

    async def _newcomers(self, change: DrainNode) -> str | None:
        """Say whether a pod has come to the node that nobody approved to be evicted."""
        known = {one.uid for one in change.pods}
        new = [
            one
            for one in await evicting.pods_on(self._calls, change)
            if one["metadata"]["uid"] not in known and evicting.would_go(one, change.spared)
        ]
        if not new:
            return None
        names = ", ".join(one["metadata"]["name"] for one in new[:3])
        return f"{len(new)} pods came to {change.subject.name} since: {names}"
