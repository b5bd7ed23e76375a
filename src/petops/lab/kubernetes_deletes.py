"""Deleting: at once, gracefully for pods, with dependents going before or after their owner."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from petops.lab import kubernetes_status as says
from petops.lab.kubernetes_request import ApiRequest, Target
from petops.lab.kubernetes_writes import said_by_store
from petops.lab.quantities import stamp
from petops.lab.resource_rows import Resource
from petops.lab.store import Json, ObjectStore, clone, key_of

_OWNERS: Final = frozenset({"daemonsets", "deployments", "jobs", "replicasets", "statefulsets"})
_GRACE_SECONDS: Final = 30


class Deleter:
    """Takes objects away, on behalf of requests. What goes with them is a controller's work."""

    def __init__(self, store: ObjectStore, now: Callable[[], datetime]) -> None:
        self._store, self._now = store, now

    def delete(self, request: ApiRequest, target: Target, options: Json) -> Json:
        """Take an object away, or begin to; return what is answered."""
        resource = target.resource
        with said_by_store(resource, target.name):
            found = self._store.get(resource.plural, target.namespace, target.name)
        wanted = options.get("preconditions") or {}
        with said_by_store(resource, target.name):
            self._store.check(found, uid=wanted.get("uid"), version=wanted.get("resourceVersion"))
        dry = request.is_dry_run or options.get("dryRun") == ["All"]
        if resource.plural == "pods":
            return self._delete_pod(found, options, request.number("gracePeriodSeconds"), dry=dry)
        policy = options.get("propagationPolicy") or request.query.get("propagationPolicy")
        finalizers = list(found["metadata"].get("finalizers") or ())
        if policy in {"Foreground", "Orphan"} and resource.plural in _OWNERS:
            finalizers.append("foregroundDeletion" if policy == "Foreground" else "orphan")
        if finalizers or resource.plural == "namespaces":
            return self._mark(resource, found, finalizers, dry=dry)
        if not dry:
            self._store.delete(resource.plural, *key_of(found))
        details: Json = {"name": found["metadata"]["name"]}
        if resource.group:
            details["group"] = resource.group
        return says.success(
            details={**details, "kind": resource.plural, "uid": found["metadata"]["uid"]}
        )

    def _mark(self, resource: Resource, found: Json, finalizers: list[str], *, dry: bool) -> Json:
        now = clone(found)
        now["metadata"].setdefault("deletionTimestamp", stamp(self._now()))
        now["metadata"].setdefault("deletionGracePeriodSeconds", 0)
        now["metadata"]["finalizers"] = finalizers
        if resource.plural == "namespaces":
            now["metadata"].pop("finalizers")
            now["status"] = {"phase": "Terminating"}
        marked: Json = now if dry else self._store.update(resource.plural, now)
        return marked

    def _delete_pod(self, found: Json, options: Json, asked: int | None, *, dry: bool) -> Json:
        grace = options.get("gracePeriodSeconds", asked)
        if grace is None:
            grace = found["spec"].get("terminationGracePeriodSeconds", _GRACE_SECONDS)
        if not isinstance(grace, int) or grace < 0:
            raise says.bad_request("gracePeriodSeconds must be a whole number of seconds")
        before = found["metadata"].get("deletionGracePeriodSeconds")
        if before is not None and before <= grace:
            return found
        now: Json = clone(found)
        now["metadata"]["deletionTimestamp"] = stamp(self._now() + timedelta(seconds=grace))
        now["metadata"]["deletionGracePeriodSeconds"] = grace
        if dry:
            return now
        over = found.get("status", {}).get("phase") in {"Failed", "Succeeded"}
        if grace == 0 or not found["spec"].get("nodeName") or over:
            return self._store.delete("pods", *key_of(found))
        return self._store.update("pods", now)
