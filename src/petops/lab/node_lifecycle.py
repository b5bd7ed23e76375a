"""The node controller: taints by condition, and what becomes of a node that is not heard of."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Final

from petops.lab.event_recorder import EventRecorder
from petops.lab.node_heartbeats import LEASES
from petops.lab.pod_facts import condition, set_condition
from petops.lab.pods_by_node import PodsByNode
from petops.lab.quantities import moment, stamp
from petops.lab.replica_sets import EndPod
from petops.lab.scheduler import tolerates
from petops.lab.stage import CONTROLLERS, Stage
from petops.lab.store import Json, key_of

COMPONENT: Final = "node-controller"
EVICTOR: Final = "taint-eviction-controller"
LOOK_SECONDS: Final = 5.0
GRACE: Final = timedelta(seconds=50)
_UNREACHABLE: Final = "node.kubernetes.io/unreachable"
_NOT_READY: Final = "node.kubernetes.io/not-ready"
_TAINTS: Final = {
    ("MemoryPressure", "True"): "node.kubernetes.io/memory-pressure",
    ("DiskPressure", "True"): "node.kubernetes.io/disk-pressure",
    ("PIDPressure", "True"): "node.kubernetes.io/pid-pressure",
    ("Ready", "Unknown"): _UNREACHABLE,
    ("Ready", "False"): _NOT_READY,
}
_EXECUTES: Final = frozenset({_UNREACHABLE, _NOT_READY})


class NodeLifecycle:
    """Watches over nodes."""

    def __init__(
        self, stage: Stage, events: EventRecorder, end_pod: EndPod, pods: PodsByNode
    ) -> None:
        self._stage, self._events, self._end_pod = stage, events, end_pod
        self._pods = pods

    def begin(self) -> None:
        """Look for silent nodes from now on."""
        self._look()

    def reconcile(self, namespace: str, name: str) -> None:
        """Give a node the taints that its conditions ask for."""
        node = self._stage.store.find("nodes", namespace, name)
        if node is None:
            return
        kinds = {
            _TAINTS[kind]
            for one in node["status"].get("conditions") or ()
            if (kind := (one["type"], one["status"])) in _TAINTS
        }
        wanted = {(key, "NoSchedule") for key in kinds} | {
            (key, "NoExecute") for key in kinds & _EXECUTES
        }
        taints = node["spec"].get("taints") or []
        ours = {(one["key"], one["effect"]) for one in taints if one["key"] in _TAINTS.values()}
        if wanted == ours:
            return
        at = stamp(self._stage.now)
        kept = [one for one in taints if (one["key"], one["effect"]) not in ours - wanted]
        new = [
            {"key": key, "effect": effect, "timeAdded": at} for key, effect in sorted(wanted - ours)
        ]

        def write(found: Json) -> None:
            found["spec"]["taints"] = [*kept, *new]
            if not found["spec"]["taints"]:
                del found["spec"]["taints"]

        self._stage.edit(CONTROLLERS, "nodes", ("", name), write)
        for taint in new:
            if taint["effect"] == "NoExecute":
                self._evict_later(name, taint)

    def _look(self) -> None:
        for node in list(self._stage.store.objects("nodes")):
            lease = self._stage.store.find("leases", LEASES, node["metadata"]["name"])
            ready = condition(node, "Ready")
            if lease is None or ready is None or ready["status"] == "Unknown":
                continue
            if self._stage.now - moment(lease["spec"]["renewTime"]) > GRACE:
                self._lost(node)
        self._stage.after(LOOK_SECONDS, self._look)

    def _lost(self, node: Json) -> None:
        """Nobody has heard of a node for too long: what is known of it is no longer true."""
        name, at = node["metadata"]["name"], stamp(self._stage.now)

        def write(found: Json) -> None:
            for one in found["status"].get("conditions") or ():
                one |= {
                    "status": "Unknown",
                    "lastTransitionTime": at,
                    "reason": "NodeStatusUnknown",
                    "message": "Kubelet stopped posting node status.",
                }

        self._stage.edit(CONTROLLERS, "nodes", ("", name), write, "status")
        text = f"Node {name} status is now: NodeNotReady"
        self._events.controller(COMPONENT, "nodes", node, "NodeNotReady", text)
        for pod in self._pods.pods(name):
            self._events.controller(
                COMPONENT, "pods", pod, "NodeNotReady", "Node is not ready", warning=True
            )
            self._stage.edit(
                CONTROLLERS,
                "pods",
                key_of(pod),
                lambda found: set_condition(found, "Ready", self._stage.now, holds=False),
                "status",
            )

    def _evict_later(self, name: str, taint: Json) -> None:
        for pod in self._pods.pods(name):
            mine = [one for one in pod["spec"].get("tolerations") or () if tolerates(one, taint)]
            seconds = [one["tolerationSeconds"] for one in mine if "tolerationSeconds" in one]
            if mine and len(seconds) < len(mine):
                continue  # it tolerates the taint for ever
            evict = partial(self._evict, key_of(pod), pod["metadata"]["uid"], name, taint)
            self._stage.after(min(seconds, default=0), evict)

    def _evict(self, key: tuple[str, str], uid: str, node: str, taint: Json) -> None:
        """Delete a pod whose time on a tainted node is over."""
        found = self._stage.store.find("nodes", "", node)
        taints = (found or {"spec": {}})["spec"].get("taints") or ()
        pod = self._stage.store.find("pods", *key)
        still = any(one["key"] == taint["key"] for one in taints)
        if not still or pod is None or pod["metadata"]["uid"] != uid:
            return
        text = "Taint manager: deleting due to NoExecute taint"
        marked = self._stage.edit(
            CONTROLLERS,
            "pods",
            key,
            lambda one: set_condition(
                one,
                "DisruptionTarget",
                self._stage.now,
                holds=True,
                reason="DeletionByTaintManager",
                message=text,
            ),
        )
        place = "/".join(key)
        self._events.controller(
            EVICTOR, "pods", pod, "TaintManagerEviction", f"Marking for deletion Pod {place}"
        )
        self._end_pod(marked or pod)
