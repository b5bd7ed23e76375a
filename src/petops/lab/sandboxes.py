"""Pod sandboxes: what a pod needs on its node before its containers, above all an address.

A node whose subnet has no address left gives none to new pods; those that run keep theirs. Nobody
can bring that about by a manifest: the node's annotation `lab.petops.dev/addresses: used-up` does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from petops.lab.event_recorder import EventRecorder
from petops.lab.places import Places
from petops.lab.stage import Stage
from petops.lab.store import Json

ADDRESSES_ANNOTATION: Final = "lab.petops.dev/addresses"
USED_UP: Final = "used-up"
_AGAIN_SECONDS: Final = 12.0


class Sandboxes:
    """Makes sandboxes, or says why not."""

    def __init__(self, stage: Stage, places: Places, events: EventRecorder) -> None:
        self._stage, self._places, self._events = stage, places, events
        self._tries: dict[str, int] = {}

    def make(self, pod: Json, then: Callable[[], None]) -> None:
        """Go on with `then` once the pod has a sandbox."""
        node = self._stage.store.find("nodes", "", pod["spec"]["nodeName"])
        annotations = (node["metadata"].get("annotations") or {}) if node else {}
        if pod["spec"].get("hostNetwork") or annotations.get(ADDRESSES_ANNOTATION) != USED_UP:
            self._tries.pop(pod["metadata"]["uid"], None)
            then()
            return
        self._refused(pod, then)

    def forget(self, uid: str) -> None:
        """A pod is gone."""
        self._tries.pop(uid, None)

    def _refused(self, pod: Json, then: Callable[[], None]) -> None:
        uid = pod["metadata"]["uid"]
        count = self._tries[uid] = self._tries.get(uid, 0) + 1
        sandbox = self._stage.chance.container_id("sandbox", uid, count)
        text = (
            "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup "
            f'network for sandbox "{sandbox}": plugin type="aws-cni" name="aws-cni" failed (add): '
            "add cmd: failed to assign an IP address to container"
        )
        self._events.kubelet(pod, "FailedCreatePodSandBox", text, warning=True)

        def again() -> None:
            here = any(map(self._places.has, self._places.of.get(uid, ())))
            if here and self._tries.get(uid) == count:
                self.make(pod, then)

        self._stage.after(_AGAIN_SECONDS, again)
