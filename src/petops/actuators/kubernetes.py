"""`Actuator` by way of the Kubernetes API: each change is one patch that carries its act's id.

The patch holds uid and resourceVersion of the object that was read, so that it only changes what
was looked at; the act's id stands in the same patch, so that the object says whether it happened.
"""

from __future__ import annotations

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
from petops.domain.change import Act, DryRun, differs
from petops.errors import NotThereError, StaleError
from petops.ports import KubernetesCalls


class KubernetesActuator:
    """Makes changes to the objects of one cluster."""

    def __init__(self, calls: KubernetesCalls) -> None:
        self._calls = calls

    async def dry_run(self, change: Act) -> DryRun:
        return await dry_run(self._calls, change)

    async def changed_since(self, change: Act) -> str | None:
        try:
            return differs(await read(self._calls, change), change)
        except NotThereError:
            return f"{change.subject} was deleted"

    async def apply(self, change: Act, act: str) -> None:
        found = await read(self._calls, change)
        generation = found["metadata"].get("generation")
        for _ in range(TRIES):
            if act_of(found) == act:
                return
            if why := differs(found, change):
                raise StaleError(why)
            if found["metadata"].get("generation") != generation:
                raise StaleError(f"{change.subject} was changed while the change was being made")
            answer = await send(self._calls, change, patch_of(found, change, act))
            if answer.status != CONFLICT:
                if failure := failure_of(answer, change):
                    raise failure
                return
            found = await read(self._calls, change)
        raise StaleError(f"{change.subject} is being written too often to change it safely")

    async def was_applied(self, change: Act, act: str) -> bool:
        try:
            found = await read(self._calls, change)
        except NotThereError:
            return False
        return found["metadata"].get("uid") == change.uid and act_of(found) == act
