"""What pods mount of ConfigMaps and Secrets: kubelets wait for it, and say what is not there.

Other kinds of volume are there at once: the lab has no disks to attach.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from petops.lab.event_recorder import EventRecorder
from petops.lab.places import Places
from petops.lab.stage import Stage
from petops.lab.store import Json, ObjectStore

# As the kubelet's own: the pause doubles, and every so often a whole attempt has taken too long.
_FIRST_WAIT_SECONDS: Final = 0.5
_LONGEST_WAIT_SECONDS: Final = 122.0
_ATTEMPT_SECONDS: Final = 123.0
_RESOURCES: Final = {"configMap": ("configmaps", "name"), "secret": ("secrets", "secretName")}
_LACKS: Final = {
    "configmaps": "configmap references non-existent config key",
    "secrets": "references non-existent secret key",
}


class Volumes:
    """Lets pods start once all that they mount is there."""

    def __init__(self, stage: Stage, places: Places, events: EventRecorder) -> None:
        self._stage, self._places, self._events = stage, places, events
        self._attempts: dict[str, int] = {}

    def mount(self, pod: Json, then: Callable[[], None]) -> None:
        """Go on with `then` once the pod's volumes can be mounted."""
        uid = pod["metadata"]["uid"]
        attempt = self._attempts[uid] = self._attempts.get(uid, 0) + 1
        if not dict(_missing(self._stage.store, pod)):
            then()
            return
        self._try(pod, attempt, _FIRST_WAIT_SECONDS, then)
        self._stage.after(_ATTEMPT_SECONDS, lambda: self._give_up(pod, attempt))

    def forget(self, uid: str) -> None:
        """A pod is gone."""
        self._attempts.pop(uid, None)

    def _is_current(self, pod: Json, attempt: int) -> bool:
        uid = pod["metadata"]["uid"]
        here = any(map(self._places.has, self._places.of.get(uid, ())))
        return here and self._attempts.get(uid) == attempt

    def _try(self, pod: Json, attempt: int, wait: float, then: Callable[[], None]) -> None:
        if not self._is_current(pod, attempt):
            return
        missing = dict(_missing(self._stage.store, pod))
        if not missing:
            self._attempts[pod["metadata"]["uid"]] += 1
            then()
            return
        for volume, why in missing.items():
            text = f'MountVolume.SetUp failed for volume "{volume}" : {why}'
            self._events.kubelet(pod, "FailedMount", text, warning=True)
        longer = min(2 * wait, _LONGEST_WAIT_SECONDS)
        self._stage.after(wait, lambda: self._try(pod, attempt, longer, then))

    def _give_up(self, pod: Json, attempt: int) -> None:
        """Say that an attempt took too long; the next one begins."""
        if not self._is_current(pod, attempt):
            return
        names = " ".join(dict(_missing(self._stage.store, pod)))
        text = (
            f"Unable to attach or mount volumes: unmounted volumes=[{names}], unattached "
            "volumes=[], failed to process volumes=[]: context deadline exceeded"
        )
        self._events.kubelet(pod, "FailedMount", text, warning=True)
        self._stage.after(_ATTEMPT_SECONDS, lambda: self._give_up(pod, attempt))


def _missing(store: ObjectStore, pod: Json) -> Iterator[tuple[str, str]]:
    """Yield each volume that cannot be mounted, and why."""
    namespace = pod["metadata"]["namespace"]
    for volume in pod["spec"].get("volumes") or ():
        projected = volume.get("projected")
        sources = (projected.get("sources") or ()) if projected else (volume,)
        why = [text for one in sources for text in _lacking(store, namespace, one, bool(projected))]
        if why:
            yield volume["name"], why[0] if len(why) == 1 else f"[{', '.join(why)}]"


def _lacking(store: ObjectStore, namespace: str, source: Json, projected: bool) -> Iterator[str]:
    for kind, (resource, field) in _RESOURCES.items():
        wanted = source.get(kind)
        if not wanted or wanted.get("optional"):
            continue
        name = str(wanted.get("name" if projected else field) or "")
        found = store.find(resource, namespace, name)
        if found is None:
            yield f'{resource[:-1]} "{name}" not found'
            continue
        keys = {*(found.get("data") or {}), *(found.get("binaryData") or {})}
        for item in wanted.get("items") or ():
            if item.get("key") not in keys:
                yield f"{_LACKS[resource]}: {item.get('key')}"
                break
