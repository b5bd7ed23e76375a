"""What goes when its owner goes, and what is left of a namespace or an owner that waits for it."""

from __future__ import annotations

from collections.abc import Callable

from petops.lab.stage import CONTROLLERS, Stage
from petops.lab.store import Json, clone, key_of

EndPod = Callable[[Json], None]


class Garbage:
    """Deletes dependents, in the background or before their owner."""

    def __init__(self, stage: Stage, end_pod: EndPod) -> None:
        self._stage, self._end_pod = stage, end_pod

    def after_end(self, uid: str) -> None:
        """Delete what an owner that is gone has left."""
        for resource, found in self._dependents(uid):
            owners = found["metadata"]["ownerReferences"]
            if len(owners) == 1:
                self.end(resource, found)

    def owner(self, resource: str, namespace: str, name: str) -> None:
        """Move an owner on that is marked to go after its dependents, or without them."""
        found = self._stage.store.find(resource, namespace, name)
        if found is None or "deletionTimestamp" not in found["metadata"]:
            return
        finalizers = found["metadata"].get("finalizers") or []
        dependents = self._dependents(found["metadata"]["uid"])
        if "orphan" in finalizers:
            for kind, one in dependents:
                self._release(kind, one, found["metadata"]["uid"])
            self._let_go(resource, found, "orphan")
        elif "foregroundDeletion" in finalizers:
            for kind, one in dependents:
                self.end(kind, one)
            if not self._dependents(found["metadata"]["uid"]):
                self._let_go(resource, found, "foregroundDeletion")
            else:
                self._stage.after(1, lambda: self.owner(resource, namespace, name))

    def namespace(self, _: str, name: str) -> None:
        """Empty a namespace that is being deleted, and let it go when it is empty."""
        found = self._stage.store.find("namespaces", "", name)
        if found is None or "deletionTimestamp" not in found["metadata"]:
            return
        left = 0
        for resource in self._stage.store.resources():
            for one in self._stage.store.objects(resource, name):
                self.end(resource, one)
                left += 1
        if left:
            self._stage.after(1, lambda: self.namespace("", name))
        else:
            self._stage.store.delete("namespaces", "", name)

    def end(self, resource: str, found: Json) -> None:
        """Delete an object: a pod gracefully, everything else at once."""
        if resource == "pods":
            self._end_pod(found)
        elif self._stage.store.find(resource, *key_of(found)) is not None:
            self._stage.store.delete(resource, *key_of(found))

    def _dependents(self, uid: str) -> list[tuple[str, Json]]:
        return [
            (resource, found)
            for resource in self._stage.store.resources()
            for found in self._stage.store.objects(resource)
            if any(one["uid"] == uid for one in found["metadata"].get("ownerReferences") or ())
        ]

    def _release(self, resource: str, found: Json, uid: str) -> None:
        now = clone(found)
        owners = now["metadata"]["ownerReferences"]
        now["metadata"]["ownerReferences"] = [one for one in owners if one["uid"] != uid]
        self._stage.store.update(resource, now)

    def _let_go(self, resource: str, found: Json, finalizer: str) -> None:
        finalizers = [one for one in found["metadata"]["finalizers"] if one != finalizer]
        if not finalizers:
            self._stage.store.delete(resource, *key_of(found))
            return

        def drop(one: Json) -> None:
            one["metadata"]["finalizers"] = finalizers

        self._stage.edit(CONTROLLERS, resource, key_of(found), drop)
