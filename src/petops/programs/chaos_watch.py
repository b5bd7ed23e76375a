"""Whether an injected fault shows, and whether its service is well again once it is taken back.

Both are read from the cluster's objects alone, as anybody can with kubectl.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final

from petops.errors import PetopsError
from petops.ports import KubernetesCalls
from petops.scenarios.base import MANAGED_BY, SCENARIO_LABEL, Scenario

WAIT_SECONDS: Final = 180.0
RECOVERY_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 0.5

Json = Any


async def shown(
    calls: KubernetesCalls, scenario: Scenario, *, seconds: float = WAIT_SECONDS
) -> str:
    """Return once the fault's program runs, and say where; raise PetopsError if it never does."""
    deadline, waits = time.monotonic() + seconds, "it has no pod yet"
    while time.monotonic() < deadline:
        for pod in await injected_pods(calls, scenario):
            for one in pod["status"].get("containerStatuses") or ():
                if one["state"].get("running") or one.get("lastState"):
                    return f"{pod['metadata']['name']} runs on {pod['spec'].get('nodeName')}"
            waits = _why(pod) or waits
        await asyncio.sleep(_LOOK_SECONDS)
    raise PetopsError(
        f"{scenario.name} did not begin within {seconds:g} s: {waits}",
        hint=f"petops chaos clean {scenario.name}",
    )


async def injected_pods(calls: KubernetesCalls, scenario: Scenario) -> list[Json]:
    """Return the pods that a scenario's objects have made."""
    chosen = f"app.kubernetes.io/managed-by={MANAGED_BY},{SCENARIO_LABEL}={scenario.name}"
    path = f"/api/v1/namespaces/{scenario.namespace}/pods"
    return await _items(calls, path, {"labelSelector": chosen})


async def recovery(
    calls: KubernetesCalls, scenario: Scenario, *, seconds: float = RECOVERY_SECONDS
) -> tuple[bool, str]:
    """Say whether all is well again, waiting a while for it, and what is not."""
    deadline = time.monotonic() + seconds
    while True:
        troubles = [
            *await _left(calls, scenario),
            *await _unwell(calls, scenario),
            *(await _pressed(calls) if not scenario.service else ()),
        ]
        if not troubles:
            what = f"service {scenario.service}" if scenario.service else "every workload"
            return True, f"{what} has recovered"
        if time.monotonic() >= deadline:
            return False, "; ".join(troubles)
        await asyncio.sleep(_LOOK_SECONDS)


async def _left(calls: KubernetesCalls, scenario: Scenario) -> list[str]:
    count = len(await injected_pods(calls, scenario))
    return [f"{count} pod(s) of the fault are still ending"] if count else []


async def _unwell(calls: KubernetesCalls, scenario: Scenario) -> list[str]:
    """Return the workloads with fewer pods than they should have: those of the service, or all."""
    path = f"/apis/apps/v1/namespaces/{scenario.namespace}/deployments"
    query = {"labelSelector": f"app={scenario.service}"} if scenario.service else {}
    troubles = []
    for one in await _items(calls, path, query):
        wanted, ready = one["spec"].get("replicas", 1), one["status"].get("readyReplicas", 0)
        if ready < wanted:
            troubles.append(f"{one['metadata']['name']} has {ready} of {wanted} pods ready")
    return troubles


async def _pressed(calls: KubernetesCalls) -> list[str]:
    """Return the nodes that say that they have no memory left."""
    return [
        f"node {node['metadata']['name']} still says MemoryPressure, as it does for some minutes"
        for node in await _items(calls, "/api/v1/nodes", {})
        for one in node["status"].get("conditions") or ()
        if one["type"] == "MemoryPressure" and one["status"] == "True"
    ]


async def _items(calls: KubernetesCalls, path: str, query: dict[str, str]) -> list[Json]:
    answer = await calls.request("GET", path, query=query)
    failure = answer.failure(path)
    if failure is not None:
        raise failure
    found: list[Json] = answer.body["items"]
    return found


def _why(pod: Json) -> str:
    """Return why a pod does not run yet."""
    for one in pod["status"].get("conditions") or ():
        if one["type"] == "PodScheduled" and one["status"] == "False":
            return str(one.get("message", ""))
    for one in pod["status"].get("containerStatuses") or ():
        waiting = (one.get("state") or {}).get("waiting") or {}
        if waiting.get("message"):
            return str(waiting["message"])
    return ""
