"""Which pods are on which node, with the sums that a scheduler asks for all the time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from petops.lab.pod_facts import OVER, controller_of, requested
from petops.lab.store import Change, Json, Key, ObjectStore, key_of

_SUMMED = ("cpu", "memory")


@dataclass(slots=True)
class OnNode:
    """The pods of one node that are not over."""

    pods: dict[Key, Json] = field(default_factory=dict)
    requested: dict[str, float] = field(default_factory=lambda: dict.fromkeys(_SUMMED, 0.0))
    owners: Counter[str] = field(default_factory=Counter)

    def add(self, pod: Json) -> None:
        """Count a pod."""
        self.pods[key_of(pod)] = pod
        self.owners[owner_of(pod)] += 1
        for name in _SUMMED:
            self.requested[name] += requested(pod["spec"], name)

    def drop(self, key: Key) -> None:
        """Count a pod no longer."""
        pod = self.pods.pop(key, None)
        if pod is None:
            return
        self.owners[owner_of(pod)] -= 1
        for name in _SUMMED:
            self.requested[name] -= requested(pod["spec"], name)


class PodsByNode:
    """Follows the store."""

    def __init__(self, store: ObjectStore) -> None:
        self._nodes: dict[str, OnNode] = {}
        for pod in store.objects("pods"):
            self._put(pod)
        store.subscribe(self._changed)

    def on(self, node: str) -> OnNode:
        """Return what is on a node."""
        found = self._nodes.get(node)
        if found is None:
            found = self._nodes[node] = OnNode()
        return found

    def pods(self, node: str) -> Iterable[Json]:
        """Return the pods of a node that are not over."""
        return tuple(self.on(node).pods.values())

    def _changed(self, change: Change) -> None:
        if change.resource != "pods":
            return
        if change.before is not None and change.before["spec"].get("nodeName"):
            self.on(change.before["spec"]["nodeName"]).drop(change.key)
        if change.kind != "DELETED":
            self._put(change.now)

    def _put(self, pod: Json) -> None:
        node = pod["spec"].get("nodeName")
        if node and pod["status"].get("phase") not in OVER:
            self.on(node).add(pod)


def owner_of(pod: Json) -> str:
    """Return the uid of a pod's controller; empty where it has none."""
    return str((controller_of(pod) or {}).get("uid", ""))
