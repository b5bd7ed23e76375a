"""A Deployment's status: counts, without zeros, and the conditions Available and Progressing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from petops.lab.pod_facts import condition
from petops.lab.quantities import moment, stamp
from petops.lab.store import Json

_PROGRESSING: Final = "Progressing"
_DONE: Final = "NewReplicaSetAvailable"
_LATE: Final = "ProgressDeadlineExceeded"


def with_status(
    found: Json,
    replica_sets: Sequence[Json],
    new: Json | None,
    missing: int,
    now: datetime,
    *,
    created: bool,
) -> Json:
    """Return a Deployment's status as it should be; `created` says that `new` was made just now."""
    total = _sum(replica_sets, "replicas")
    wanted = found["spec"]["replicas"]
    available = _sum(replica_sets, "availableReplicas")
    intended = sum(one["spec"]["replicas"] for one in replica_sets)
    counts = {
        "replicas": total,
        "updatedReplicas": _sum([new] if new else [], "replicas"),
        "readyReplicas": _sum(replica_sets, "readyReplicas"),
        "availableReplicas": available,
        "unavailableReplicas": max(intended - available, 0),
    }
    status: Json = {"observedGeneration": found["metadata"]["generation"]}
    status |= {name: count for name, count in counts.items() if count}
    if "collisionCount" in (found.get("status") or {}):
        status["collisionCount"] = found["status"]["collisionCount"]
    conditions = _Conditions(found, now)
    if available >= wanted - missing:
        message = "Deployment has minimum availability."
        conditions.put("Available", "True", "MinimumReplicasAvailable", message)
    else:
        message = "Deployment does not have minimum availability."
        conditions.put("Available", "False", "MinimumReplicasUnavailable", message)
    if new is not None:
        if created:
            message = f'Created new replica set "{new["metadata"]["name"]}"'
            conditions.put(_PROGRESSING, "True", "NewReplicaSetCreated", message)
        _progress(found, status, conditions, f'ReplicaSet "{new["metadata"]["name"]}"')
        failure = condition(new, "ReplicaFailure")
        if failure is not None:
            conditions.put("ReplicaFailure", "True", "FailedCreate", failure["message"])
        else:
            conditions.drop("ReplicaFailure")
    status["conditions"] = conditions.listed
    return status


def progress_deadline(found: Json) -> datetime | None:
    """Return when a rollout that goes on will have taken too long; None if none goes on."""
    progressing = condition(found, _PROGRESSING)
    if progressing is None or progressing["reason"] in {_DONE, _LATE}:
        return None
    seconds = found["spec"].get("progressDeadlineSeconds", 600)
    return moment(progressing["lastUpdateTime"]) + timedelta(seconds=seconds)


class _Conditions:
    """A Deployment's conditions while they are being brought up to date."""

    def __init__(self, found: Json, now: datetime) -> None:
        self.now = now
        self.listed: list[Json] = [
            dict(one) for one in found.get("status", {}).get("conditions") or ()
        ]

    def of(self, kind: str) -> Json | None:
        return next((one for one in self.listed if one["type"] == kind), None)

    def drop(self, kind: str) -> None:
        """Take a condition away."""
        self.listed = [one for one in self.listed if one["type"] != kind]

    def put(self, kind: str, holds: str, reason: str, message: str) -> None:
        """Set a condition: unchanged where it says the same already, else at the end."""
        current = self.of(kind)
        if current is None or (current["status"], current["reason"]) != (holds, reason):
            self.renew(kind, holds, reason, message)

    def renew(self, kind: str, holds: str, reason: str, message: str) -> None:
        """Set a condition, its time of update at least."""
        current = self.of(kind)
        at = stamp(self.now)
        since = current["lastTransitionTime"] if current and current["status"] == holds else at
        made = {
            "type": kind,
            "status": holds,
            "lastUpdateTime": at,
            "lastTransitionTime": since,
            "reason": reason,
            "message": message,
        }
        self.listed = [*(one for one in self.listed if one["type"] != kind), made]


def _progress(found: Json, status: Json, conditions: _Conditions, name: str) -> None:
    current, wanted = conditions.of(_PROGRESSING), found["spec"]["replicas"]
    replicas, updated = status.get("replicas", 0), status.get("updatedReplicas", 0)
    done = current is not None and current["reason"] == _DONE
    if done and replicas == updated:
        return
    if updated == replicas == wanted == status.get("availableReplicas", 0):
        conditions.put(_PROGRESSING, "True", _DONE, f"{name} has successfully progressed.")
    elif current is None or done or _moved(found.get("status", {}), status):
        conditions.renew(_PROGRESSING, "True", "ReplicaSetUpdated", f"{name} is progressing.")
    else:
        deadline = progress_deadline({**found, "status": {"conditions": conditions.listed}})
        if deadline is not None and conditions.now > deadline:
            conditions.put(_PROGRESSING, "False", _LATE, f"{name} has timed out progressing.")


def _moved(before: Json, status: Json) -> bool:
    """Say whether anything came nearer to the end of the rollout since the last look."""

    def old_replicas(one: Json) -> int:
        return int(one.get("replicas", 0)) - int(one.get("updatedReplicas", 0))

    grew = any(
        status.get(name, 0) > before.get(name, 0)
        for name in ("updatedReplicas", "readyReplicas", "availableReplicas")
    )
    return grew or old_replicas(status) < old_replicas(before)


def _sum(replica_sets: Sequence[Json], name: str) -> int:
    return sum(one.get("status", {}).get(name, 0) for one in replica_sets)
