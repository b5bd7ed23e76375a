"""Autoscalers made and taken away; widening one is a patch like any other.

A create is safe to look for: the name is ours to choose, and the act's id stands on what was made.
A delete holds uid and resourceVersion of what was read, and takes away only what petops made.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from petops.actuators.patching import CONFLICT, MANAGER, act_of, failure_of, read
from petops.domain.change import ACT_ANNOTATION, SetHpa, differs, hpa_spec, target
from petops.errors import NotThereError, StaleError
from petops.ports import ApiAnswer, KubernetesCalls, object_path

Json = Any


def made_of(change: SetHpa, act: str) -> Json:
    """Return the autoscaler that the change makes."""
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {
            "name": change.name,
            "namespace": change.subject.namespace,
            "annotations": {ACT_ANNOTATION: act},
            "labels": {"app.kubernetes.io/managed-by": "petops"},
        },
        "spec": hpa_spec(change),
    }


async def find(calls: KubernetesCalls, change: SetHpa) -> Mapping[str, Json] | None:
    """Return the autoscaler as it is now."""
    try:
        return await read(calls, change)
    except NotThereError:
        return None


async def changed_since(calls: KubernetesCalls, change: SetHpa) -> str | None:
    """Say why an autoscaler cannot be made, or taken away, any more."""
    found = await find(calls, change)
    if change.was is None:
        return None if found is None else f"{target(change)} is there already"
    return f"{target(change)} was deleted" if found is None else differs(found, change)


async def create(
    calls: KubernetesCalls, change: SetHpa, act: str, *, dry_run: bool = False
) -> ApiAnswer:
    """Ask for the autoscaler to be made; return the answer."""
    folder = object_path(target(change)).rpartition("/")[0]
    query = {**MANAGER, **({"dryRun": "All"} if dry_run else {})}
    return await calls.request("POST", folder, query=query, body=made_of(change, act))


async def apply(calls: KubernetesCalls, change: SetHpa, act: str) -> None:
    """Make the autoscaler, or take it away."""
    if change.was is None:
        await _make(calls, change, act)
    else:
        await _take_away(calls, change)


async def _make(calls: KubernetesCalls, change: SetHpa, act: str) -> None:
    found = await find(calls, change)
    if found is not None:
        if act_of(found) == act:
            return
        raise StaleError(f"{target(change)} is there already")
    answer = await create(calls, change, act)
    if answer.status == CONFLICT:
        raise StaleError(f"{target(change)} was made by somebody else just now")
    if failure := failure_of(answer, str(target(change))):
        raise failure


async def _take_away(calls: KubernetesCalls, change: SetHpa) -> None:
    found = await find(calls, change)
    if found is None:
        return
    if act_of(found) is None:
        raise StaleError(f"{target(change)} was not made by petops")
    if why := differs(found, change):
        raise StaleError(why)
    metadata = found["metadata"]
    kept = {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]}
    body = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": kept}
    answer = await calls.request("DELETE", object_path(target(change)), body=body)
    if answer.status == CONFLICT:
        raise StaleError(f"{target(change)} was changed just now")
    if (failure := failure_of(answer, str(target(change)))) and answer.status != 404:
        raise failure


async def was_applied(calls: KubernetesCalls, change: SetHpa, act: str) -> bool:
    """Look whether the autoscaler is there, or gone, as the change wants it."""
    found = await find(calls, change)
    if change.to is None:
        return found is None
    return found is not None and act_of(found) == act
