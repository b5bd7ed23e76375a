"""What controllers want to know of a pod, and how a condition is set."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from petops.lab.quantities import amount, moment, stamp
from petops.lab.store import Json

OVER = frozenset({"Failed", "Succeeded"})


def is_active(pod: Json) -> bool:
    """Say whether a pod counts: neither over nor being deleted."""
    return "deletionTimestamp" not in pod["metadata"] and pod["status"].get("phase") not in OVER


def condition(found: Json, kind: str) -> Json | None:
    """Return an object's condition of a type."""
    conditions: list[Json] = found.get("status", {}).get("conditions") or []
    return next((one for one in conditions if one["type"] == kind), None)


def is_ready(pod: Json) -> bool:
    """Say whether a pod's Ready condition holds."""
    found = condition(pod, "Ready")
    return found is not None and found["status"] == "True"


def is_available(pod: Json, now: datetime, min_ready_seconds: int) -> bool:
    """Say whether a pod has been ready for long enough."""
    found = condition(pod, "Ready")
    if found is None or found["status"] != "True":
        return False
    return (now - moment(found["lastTransitionTime"])).total_seconds() >= min_ready_seconds


def set_condition(
    pod: Json, kind: str, now: datetime, *, holds: bool, reason: str = "", message: str = ""
) -> None:
    """Set a condition of a pod; its time moves only when its status does."""
    conditions = pod["status"].setdefault("conditions", [])
    made: Json = {
        "type": kind,
        "status": str(holds),
        "lastProbeTime": None,
        "lastTransitionTime": stamp(now),
    }
    if reason:
        made["reason"] = reason
    if message:
        made["message"] = message
    for position, one in enumerate(conditions):
        if one["type"] == kind:
            if one["status"] == made["status"]:
                made["lastTransitionTime"] = one["lastTransitionTime"]
            conditions[position] = made
            return
    conditions.append(made)


def controller_of(found: Json) -> Json | None:
    """Return the owner reference of an object's controller."""
    owners: list[Json] = found["metadata"].get("ownerReferences") or []
    return next((one for one in owners if one.get("controller")), None)


def owner_reference(api_version: str, kind: str, owner: Json) -> Json:
    """Return what an object's `ownerReferences` says of its controller."""
    return {
        "apiVersion": api_version,
        "kind": kind,
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def requested(spec: Json, name: str) -> float:
    """Return the sum of a pod's requests of `cpu` or `memory`."""
    containers: list[Any] = spec.get("containers") or []
    return sum(amount(one.get("resources") or {}, "requests", name) or 0.0 for one in containers)
