"""The lab's etcd: objects as plain JSON, one resourceVersion counter, and changes for watches.

What is stored is never changed in place: each write stores a new object, so that what `get` and
`objects` return may be kept, and must not be written to. `clone` makes a copy to work on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile
from typing import Any, Final, Literal

from petops.lab.chance import Chance
from petops.lab.quantities import stamp

Json = dict[str, Any]
Key = tuple[str, str]
"""Namespace (empty for what stands in none) and name."""

FIRST_VERSION: Final = 48_210
KEPT_CHANGES: Final = 4096


class StoreError(Exception):
    """A write or a read that the store refuses; the API says it in Kubernetes' words."""


class NoSuchObjectError(StoreError):
    """There is no object of this name."""


class AlreadyThereError(StoreError):
    """There is an object of this name already."""


class StaleWriteError(StoreError):
    """The object has another resourceVersion than the writer had read."""


class PreconditionError(StoreError):
    """The object's uid or resourceVersion is not the one that the caller demands."""

    def __init__(self, field: Literal["UID", "ResourceVersion"], wanted: str, found: str) -> None:
        super().__init__(f"{field} is {found}, not {wanted}")
        self.field, self.wanted, self.found = field, wanted, found


class CompactedError(StoreError):
    """The changes after this version are no longer kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One write: what stood there before and what does now (what was deleted, on DELETED)."""

    kind: Literal["ADDED", "MODIFIED", "DELETED"]
    resource: str
    version: int
    before: Json | None
    now: Json

    @property
    def key(self) -> Key:
        return key_of(self.now)


Subscriber = Callable[[Change], None]
Sign = Callable[[Json | None, Json], None]
"""Enters into an object's new form who changed what of the old one."""


def clone(value: Any) -> Any:
    """Return a deep copy of plain JSON; much faster than `copy.deepcopy`."""
    kind = type(value)
    if kind is dict:
        return {key: item if type(item) in _LEAVES else clone(item) for key, item in value.items()}
    if kind is list:
        return [item if type(item) in _LEAVES else clone(item) for item in value]
    return value


_LEAVES: Final = frozenset({str, int, float, bool, type(None)})


def key_of(found: Json) -> Key:
    """Return an object's namespace and name."""
    metadata = found["metadata"]
    return metadata.get("namespace") or "", metadata["name"]


class ObjectStore:
    """Objects of one cluster, by resource (its plural name), namespace and name."""

    def __init__(self, now: Callable[[], datetime], chance: Chance | None = None) -> None:
        self._now = now
        self._chance = chance or Chance(0)
        self._objects: dict[str, dict[str, dict[str, Json]]] = {}
        self._changes: dict[str, deque[Change]] = {}
        self._subscribers: list[Subscriber] = []
        self._made = 0
        self._loaded = False
        self.version = FIRST_VERSION
        self.oldest = FIRST_VERSION
        """Changes up to and including this version are no longer kept of one resource or other."""
        self._compacted: dict[str, int] = {}
        self._compacted_all = FIRST_VERSION

    def get(self, resource: str, namespace: str, name: str) -> Json:
        """Return an object; raise NoSuchObjectError."""
        found = self.find(resource, namespace, name)
        if found is None:
            raise NoSuchObjectError(name)
        return found

    def find(self, resource: str, namespace: str, name: str) -> Json | None:
        """Return an object, or None."""
        return self._objects.get(resource, {}).get(namespace, {}).get(name)

    def objects(self, resource: str, namespace: str = "") -> Iterator[Json]:
        """Return the objects of a resource, of one namespace or of all, in no order."""
        places = self._objects.get(resource, {})
        chosen = (places.get(namespace, {}),) if namespace else tuple(places.values())
        for place in chosen:
            yield from tuple(place.values())

    def count(self, resource: str) -> int:
        """Return how many objects of a resource there are, in all namespaces."""
        return sum(len(place) for place in self._objects.get(resource, {}).values())

    def resources(self) -> Iterable[str]:
        """Return the names of the resources that there are objects of."""
        return tuple(name for name, found in self._objects.items() if any(found.values()))

    def create(self, resource: str, made: Json) -> Json:
        """Store a new object with uid, creationTimestamp and, where it has a spec, generation."""
        made = clone(made)
        metadata = made.setdefault("metadata", {})
        if not metadata.get("name") and metadata.get("generateName"):
            metadata["name"] = self.generated(resource, metadata)
        if self.find(resource, *key_of(made)) is not None:
            raise AlreadyThereError(metadata["name"])
        metadata.setdefault("uid", self.next_uid(resource, made))
        self._made += 1
        metadata.setdefault("creationTimestamp", stamp(self._now()))
        if "spec" in made and resource not in _UNGENERATED:
            metadata.setdefault("generation", 1)
        return self._write("ADDED", resource, None, made)

    def next_uid(self, resource: str, made: Json) -> str:
        """Return the uid that an object would get if it were created now."""
        metadata = made["metadata"]
        name = metadata.get("name") or metadata.get("generateName") or ""
        place = metadata.get("namespace") or ""
        return self._chance.uid("uid", resource, place, name, self._made + 1)

    def update(self, resource: str, updated: Json) -> Json:
        """Store a new form of an object; raise StaleWriteError if its version is another."""
        namespace, name = key_of(updated)
        before = self.get(resource, namespace, name)
        version = updated["metadata"].get("resourceVersion")
        if version and version != before["metadata"]["resourceVersion"]:
            raise StaleWriteError(name)
        return self._replace(resource, before, clone(updated))

    def _replace(self, resource: str, before: Json, now: Json) -> Json:
        if "generation" in before["metadata"]:
            moved = now.get("spec") != before.get("spec") or _begins_to_end(before, now)
            now["metadata"]["generation"] = before["metadata"]["generation"] + int(moved)
        now["metadata"]["resourceVersion"] = before["metadata"]["resourceVersion"]
        if now == before:
            return before
        return self._write("MODIFIED", resource, before, now)

    def edit(
        self,
        resource: str,
        namespace: str,
        name: str,
        change: Callable[[Json], None],
        sign: Sign | None = None,
        *,
        keeps_spec: bool = False,
    ) -> Json | None:
        """Let `change` write to a copy and store that; None if the object is gone.

        `sign` enters who changed what. With `keeps_spec` the copy shares the spec: whoever says so
        writes nothing there. It is most of a pod, and most edits are of its status.
        """
        before = self.find(resource, namespace, name)
        if before is None:
            return None
        if keeps_spec and "spec" in before:
            now = {key: one if key == "spec" else clone(one) for key, one in before.items()}
        else:
            now = clone(before)
        change(now)
        if sign is not None:
            sign(before, now)
        return self._replace(resource, before, now)

    def delete(self, resource: str, namespace: str, name: str) -> Json:
        """Take an object away at once; what waits for that is the caller's business."""
        before = self.get(resource, namespace, name)
        return self._write("DELETED", resource, before, clone(before))

    def check(self, found: Json, *, uid: str | None, version: str | None) -> None:
        """Raise PreconditionError unless the object has this uid and resourceVersion."""
        metadata = found["metadata"]
        if uid is not None and uid != metadata["uid"]:
            raise PreconditionError("UID", uid, metadata["uid"])
        if version is not None and version != metadata["resourceVersion"]:
            raise PreconditionError("ResourceVersion", version, metadata["resourceVersion"])

    def changes_after(self, version: int, resource: str) -> list[Change]:
        """Return what was written after `version`, oldest first; raise CompactedError."""
        oldest = max(self._compacted.get(resource, 0), self._compacted_all)
        if version < oldest:
            raise CompactedError(f"too old resource version: {version} ({oldest})")
        changes = self._changes.get(resource, ())
        return [*takewhile(lambda one: one.version > version, reversed(changes))][::-1]

    def load(self, resource: str, found: Iterable[Json], version: int) -> None:
        """Take recorded objects as they are; changes from before are not known."""
        for one in found:
            namespace, name = key_of(one)
            self._objects.setdefault(resource, {}).setdefault(namespace, {})[name] = one
        self.version = self.oldest = max(self.version if self._loaded else 0, version)
        self._compacted_all = self.oldest
        self._loaded = True

    def compact(self) -> None:
        """Forget the changes up to now."""
        self._changes.clear()
        self.oldest = self._compacted_all = self.version

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Call `subscriber` after each write, until the function that is returned is called."""
        self._subscribers.append(subscriber)
        return lambda: self._subscribers.remove(subscriber)

    def _write(
        self,
        kind: Literal["ADDED", "MODIFIED", "DELETED"],
        resource: str,
        before: Json | None,
        now: Json,
    ) -> Json:
        self.version += 1
        now["metadata"]["resourceVersion"] = str(self.version)
        namespace, name = key_of(now)
        objects = self._objects.setdefault(resource, {}).setdefault(namespace, {})
        if kind == "DELETED":
            del objects[name]
        else:
            objects[name] = now
        change = Change(kind=kind, resource=resource, version=self.version, before=before, now=now)
        changes = self._changes.setdefault(resource, deque(maxlen=KEPT_CHANGES))
        if len(changes) == KEPT_CHANGES:
            self._compacted[resource] = self.oldest = changes[0].version
        changes.append(change)
        for subscriber in tuple(self._subscribers):
            subscriber(change)
        return now

    def generated(self, resource: str, metadata: Json) -> str:
        """Return the free name that an object with a `generateName` would get now."""
        prefix, place = metadata["generateName"], metadata.get("namespace") or ""
        attempt = 0
        while True:
            name = prefix + self._chance.suffix(
                5, "name", resource, place, prefix, self._made, attempt
            )
            if self.find(resource, place, name) is None:
                return str(name)
            attempt += 1


_UNGENERATED: Final = frozenset(
    {"pods", "services", "nodes", "namespaces", "configmaps", "secrets", "leases", "resourcequotas"}
)
"""Kubernetes gives these no generation (pods before 1.33)."""


def _begins_to_end(before: Json, now: Json) -> bool:
    return "deletionTimestamp" in now["metadata"] and "deletionTimestamp" not in before["metadata"]
