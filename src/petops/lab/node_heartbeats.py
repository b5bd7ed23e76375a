"""What kubelets do to be known as alive, and what follows when one stops.

A kubelet is stopped and started by its node's annotation `lab.petops.dev/kubelet: stopped`: its
programs run on, but nobody renews the Lease, writes a status or starts anything.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from petops.lab.event_recorder import EventRecorder
from petops.lab.places import Places
from petops.lab.quantities import micro_stamp, stamp
from petops.lab.stage import KUBELET, Stage
from petops.lab.store import Change, Json

LEASES: Final = "kube-node-lease"
KUBELET_ANNOTATION: Final = "lab.petops.dev/kubelet"
STOPPED: Final = "stopped"
RENEW_SECONDS: Final = 10.0
_STATUS_EVERY: Final = 30
_LEASE_SECONDS: Final = 40


class NodeHeartbeats:
    """Renews Leases and statuses; calls `resumed` with a node whose kubelet is back."""

    def __init__(
        self,
        stage: Stage,
        places: Places,
        events: EventRecorder,
        resumed: Callable[[str], None],
    ) -> None:
        self._stage, self._places, self._events = stage, places, events
        self._resumed = resumed
        self._beats: dict[str, int] = {}
        stage.store.subscribe(self._changed)

    def begin(self) -> None:
        """Beat from now on, each node at its own moment."""
        for node in list(self._stage.store.objects("nodes")):
            name = node["metadata"]["name"]
            self._renew(name)
            first = self._stage.chance.between(0.5, RENEW_SECONDS, "beat", name)
            self._stage.after(first, partial(self._beat, name))

    def _beat(self, name: str) -> None:
        node = self._stage.store.find("nodes", "", name)
        if node is None:
            return
        if name not in self._places.silent:
            self._renew(name)
            count = self._beats[name] = self._beats.get(name, 0) + 1
            if not count % _STATUS_EVERY:
                self._report(node)
        self._stage.after(RENEW_SECONDS, lambda: self._beat(name))

    def _renew(self, name: str) -> None:
        node, at = self._stage.store.find("nodes", "", name), micro_stamp(self._stage.now)
        if node is None:
            return

        def renew(lease: Json) -> None:
            lease["spec"]["renewTime"] = at

        if self._stage.edit(KUBELET, "leases", (LEASES, name), renew) is None:
            uid = node["metadata"]["uid"]
            owner = {"apiVersion": "v1", "kind": "Node", "name": name, "uid": uid}
            spec = {
                "holderIdentity": name,
                "leaseDurationSeconds": _LEASE_SECONDS,
                "renewTime": at,
            }
            metadata = {"name": name, "namespace": LEASES, "ownerReferences": [owner]}
            self._stage.create(KUBELET, "leases", {"metadata": metadata, "spec": spec})

    def _report(self, node: Json) -> None:
        """Write the status: heartbeats, and Ready where the control plane thought otherwise."""
        at, name = stamp(self._stage.now), node["metadata"]["name"]

        def write(found: Json) -> None:
            for one in found["status"].get("conditions") or ():
                one["lastHeartbeatTime"] = at
                if one["status"] == "Unknown":
                    one |= {"lastTransitionTime": at, **_WELL[one["type"]]}

        self._stage.edit(KUBELET, "nodes", ("", name), write, "status")

    def _changed(self, change: Change) -> None:
        if change.resource != "nodes":
            return
        name = change.now["metadata"]["name"]
        annotations = change.now["metadata"].get("annotations") or {}
        stops = change.kind != "DELETED" and annotations.get(KUBELET_ANNOTATION) == STOPPED
        if stops:
            self._places.silent.add(name)
        elif name in self._places.silent:
            self._places.silent.discard(name)
            self._stage.after(0.5, lambda: self._back(name))

    def _back(self, name: str) -> None:
        node = self._stage.store.find("nodes", "", name)
        if node is None or name in self._places.silent:
            return
        self._events.node(node, "Starting", "Starting kubelet.")
        was_ready = all(
            one["status"] == "True"
            for one in node["status"].get("conditions") or ()
            if one["type"] == "Ready"
        )
        self._renew(name)
        self._report(node)
        if not was_ready:
            self._events.node(node, "NodeReady", f"Node {name} status is now: NodeReady")
        self._resumed(name)


def _condition(status: str, reason: str, message: str) -> Json:
    return {"status": status, "reason": reason, "message": message}


_WELL: Final[dict[str, Json]] = {
    "MemoryPressure": _condition(
        "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"
    ),
    "DiskPressure": _condition("False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    "PIDPressure": _condition(
        "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"
    ),
    "Ready": _condition("True", "KubeletReady", "kubelet is posting ready status"),
}
