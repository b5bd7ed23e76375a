"""Limits changed in place, by each pod's `resize` subresource, without a restart.

That subresource changes resources only, so that the act's id stands on the workload, and the limit
itself says whether a pod was done.
"""

from __future__ import annotations

from typing import Any

from petops.actuators.evicting import find_pod, pod_path
from petops.actuators.patching import CONFLICT, MANAGER, MERGE, TRIES, failure_of, guarded_patch
from petops.domain.change import PodTarget, Progress, SetCpuLimit, SetMemoryLimit, pod_edits
from petops.domain.editing import at
from petops.errors import StaleError
from petops.ports import ApiAnswer, KubernetesCalls

Json = Any
Resize = SetCpuLimit | SetMemoryLimit


async def step(calls: KubernetesCalls, change: Resize) -> Progress:
    """Resize the next pod that is not yet as it should be; those that are gone need nothing."""
    (edit,) = pod_edits(change)
    left: list[PodTarget] = []
    for one in change.pods:
        found = await find_pod(calls, one)
        if found is not None and at(found, edit.path) != edit.to:
            left.append(one)
    if not left:
        return Progress()
    await _resized(calls, change, left[0])
    return Progress(done=(str(left[0]),), left=tuple(str(one) for one in left[1:]))


async def changed_since(calls: KubernetesCalls, change: Resize) -> str | None:
    """Say which pod's limit is neither what it was nor what it is to be."""
    (edit,) = pod_edits(change)
    for one in change.pods:
        found = await find_pod(calls, one)
        if found is not None and at(found, edit.path) not in {edit.was, edit.to}:
            return f"the limit of Pod {one} was changed since the change was planned"
    return None


async def tried(calls: KubernetesCalls, change: Resize) -> ApiAnswer | None:
    """Return the API server's word on resizing the first pod that is still there."""
    (edit,) = pod_edits(change)
    for one in change.pods:
        found = await find_pod(calls, one)
        if found is not None:
            query = {**MANAGER, "dryRun": "All"}
            patch = guarded_patch(found, (edit,), "")
            return await _sent(calls, one, patch, query)
    return None


async def _resized(calls: KubernetesCalls, change: Resize, pod: PodTarget) -> None:
    (edit,) = pod_edits(change)
    for _ in range(TRIES):
        found = await find_pod(calls, pod)
        if found is None or at(found, edit.path) == edit.to:
            return
        if at(found, edit.path) != edit.was:
            raise StaleError(f"the limit of Pod {pod} was changed since the change was planned")
        answer = await _sent(calls, pod, guarded_patch(found, (edit,), ""), MANAGER)
        if answer.status != CONFLICT:
            if failure := failure_of(answer, f"Pod {pod}"):
                raise failure
            return
    raise StaleError(f"Pod {pod} is being written too often to change it safely")


async def _sent(
    calls: KubernetesCalls, pod: PodTarget, patch: Json, query: dict[str, str]
) -> ApiAnswer:
    path = f"{pod_path(pod)}/resize"
    return await calls.request("PATCH", path, query=query, body=patch, content_type=MERGE)
