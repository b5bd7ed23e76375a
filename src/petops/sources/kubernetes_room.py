"""What stands around a workload: disruption budgets, room on its nodes, the namespace's quota.

Each part by itself: what petops may not read, or cannot, is None and spoils no other part.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from petops.domain.subject import Subject
from petops.errors import SourceError
from petops.ports import UNLIMITED_BYTES
from petops.sources.kubernetes_reader import Reader, one_failure
from petops.sources.kubernetes_shapes import (
    is_selected,
    labels_of,
    quantity_bytes,
    requested_bytes,
)

Json = Any


async def disruptions_allowed(reader: Reader, namespace: str, pods: Sequence[Json]) -> int | None:
    """Return the least that the budgets of these pods allow; all pods where there is no budget."""
    place = f"/namespaces/{namespace}" if namespace else ""
    try:
        budgets = await reader.every(f"/apis/policy/v1{place}/poddisruptionbudgets")
    except SourceError:
        return None
    return least_disruptions(budgets, pods)


def least_disruptions(budgets: Sequence[Json], pods: Sequence[Json]) -> int:
    """Return the least number of evictions that any budget of these pods allows now."""
    allowed = [
        int((one.get("status") or {}).get("disruptionsAllowed", 0))
        for one in budgets
        if any(
            pod["metadata"]["namespace"] == one["metadata"]["namespace"]
            and is_selected(labels_of(pod), one["spec"].get("selector"))
            for pod in pods
        )
    ]
    return min(allowed, default=len(pods))


async def quota_room(reader: Reader, namespace: str) -> int | None:
    """Return what the namespace's quotas leave of limits.memory."""
    if not namespace:
        return None
    try:
        quotas = await reader.every(f"/api/v1/namespaces/{namespace}/resourcequotas")
    except SourceError:
        return None
    return least_quota(quotas)


def least_quota(quotas: Sequence[Json]) -> int | None:
    """Return the least that any quota leaves of limits.memory; None if one cannot be read."""
    left = UNLIMITED_BYTES
    for one in quotas:
        status = one.get("status") or {}
        hard = {**(one["spec"].get("hard") or {}), **(status.get("hard") or {})}
        if "limits.memory" not in hard:
            continue
        most = quantity_bytes(hard["limits.memory"])
        used = quantity_bytes((status.get("used") or {}).get("limits.memory"))
        if most is None or used is None:
            return None
        left = min(left, most - used)
    return left


async def node_room(reader: Reader, node: Subject) -> int | None:
    """Return a node's allocatable memory less what its pods request."""
    selector = f"spec.nodeName={node.name}"
    try:
        with one_failure():
            async with asyncio.TaskGroup() as group:
                found = group.create_task(reader.get(node))
                pods = group.create_task(reader.every("/api/v1/pods", fieldSelector=selector))
    except SourceError:
        return None
    allocatable = (found.result()["status"].get("allocatable") or {}).get("memory")
    whole = quantity_bytes(allocatable)
    return None if whole is None else whole - sum(requested_bytes(one) for one in pods.result())
