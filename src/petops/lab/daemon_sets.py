"""The controller that keeps one pod of a DaemonSet on every node that takes it."""

from __future__ import annotations

from typing import Final

from petops.lab.deployments import template_hash
from petops.lab.event_recorder import EventRecorder
from petops.lab.pod_creation import PodCreation
from petops.lab.pod_facts import is_active, is_available, is_ready
from petops.lab.quotas import ForbiddenError
from petops.lab.replica_sets import EndPod
from petops.lab.revisions import Revisions
from petops.lab.scheduler import refuses
from petops.lab.stage import CONTROLLERS, Stage
from petops.lab.store import Json, key_of

COMPONENT: Final = "daemonset-controller"
HASH_LABEL: Final = "controller-revision-hash"
_TOLERATED: Final = (
    ("node.kubernetes.io/not-ready", "NoExecute"),
    ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    ("node.kubernetes.io/unschedulable", "NoSchedule"),
)


class DaemonSets:
    """Creates, renews and counts the pods of DaemonSets."""

    def __init__(self, stage: Stage, events: EventRecorder, end_pod: EndPod) -> None:
        self._stage, self._events, self._end_pod = stage, events, end_pod
        self._pods = PodCreation(stage, events)
        self._revisions = Revisions(stage)

    def reconcile(self, namespace: str, name: str) -> None:
        """Move one DaemonSet a step towards what it asks for."""
        found = self._stage.store.find("daemonsets", namespace, name)
        if found is None or "deletionTimestamp" in found["metadata"]:
            return
        wanted = template_hash(found["spec"]["template"])
        self._revisions.keep("daemonsets", found, wanted)
        pods = {
            _node_of(pod): pod
            for pod in self._pods.pods_of("daemonsets", found)
            if pod["status"].get("phase") != "Succeeded"
        }
        nodes = [node for node in self._stage.store.objects("nodes") if self._fits(found, node)]
        names = sorted(node["metadata"]["name"] for node in nodes)
        for node, pod in pods.items():
            if node not in names or pod["status"].get("phase") == "Failed":
                self._end(found, pod)
        mine = {node: pod for node, pod in pods.items() if node in names and is_active(pod)}
        for node in names:
            if node not in pods:
                self._create(found, node, wanted)
        self._renew(found, mine, wanted, len(names))
        self._count(found, names, mine, wanted)

    def _fits(self, found: Json, node: Json) -> bool:
        spec = found["spec"]["template"]["spec"]
        pod = {"spec": {**spec, "tolerations": _tolerations(spec)}}
        return not refuses(pod, node, cordons=False)

    def _create(self, found: Json, node: str, wanted: str) -> None:
        field = {"key": "metadata.name", "operator": "In", "values": [node]}
        terms = {"nodeSelectorTerms": [{"matchFields": [field]}]}
        affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}
        spec = found["spec"]["template"]["spec"]
        changes = {
            "labels": {HASH_LABEL: wanted},
            "spec": {"affinity": affinity, "tolerations": _tolerations(spec)},
        }
        try:
            self._pods.create(COMPONENT, "daemonsets", found, pod=changes)
        except ForbiddenError:
            self._stage.after(10, lambda: self.reconcile(*key_of(found)))

    def _end(self, found: Json, pod: Json) -> None:
        if "deletionTimestamp" in pod["metadata"]:
            return
        text = f"Deleted pod: {pod['metadata']['name']}"
        self._events.controller(COMPONENT, "daemonsets", found, "SuccessfulDelete", text)
        self._end_pod(pod)

    def _renew(self, found: Json, mine: dict[str, Json], wanted: str, wanted_nodes: int) -> None:
        """One old pod goes at a time, and only when all others are ready."""
        if (found["spec"].get("updateStrategy") or {}).get("type") == "OnDelete":
            return
        old = [pod for _, pod in sorted(mine.items()) if _hash_of(pod) != wanted]
        broken = [pod for pod in old if not is_ready(pod)]
        if broken:
            self._end(found, broken[0])
        elif old and len(mine) == wanted_nodes and all(map(is_ready, mine.values())):
            self._end(found, old[0])

    def _count(self, found: Json, names: list[str], mine: dict[str, Json], wanted: str) -> None:
        now, least = self._stage.now, found["spec"].get("minReadySeconds", 0)
        ready = sum(map(is_ready, mine.values()))
        available = sum(is_available(pod, now, least) for pod in mine.values())
        status: Json = {
            "currentNumberScheduled": len(mine),
            "numberMisscheduled": 0,
            "desiredNumberScheduled": len(names),
            "numberReady": ready,
            "observedGeneration": found["metadata"]["generation"],
        }
        updated = sum(_hash_of(pod) == wanted for pod in mine.values())
        extra = {
            "updatedNumberScheduled": updated,
            "numberAvailable": available,
            "numberUnavailable": len(names) - available,
        }
        status |= {name: count for name, count in extra.items() if count}
        self._stage.write_status(CONTROLLERS, "daemonsets", key_of(found), status)


def _tolerations(spec: Json) -> list[Json]:
    own = list(spec.get("tolerations") or ())
    return own + [
        {"key": key, "operator": "Exists", "effect": effect} for key, effect in _TOLERATED
    ]


def _node_of(pod: Json) -> str:
    if pod["spec"].get("nodeName"):
        return str(pod["spec"]["nodeName"])
    affinity = pod["spec"]["affinity"]["nodeAffinity"]
    terms = affinity["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    return str(terms[0]["matchFields"][0]["values"][0])


def _hash_of(pod: Json) -> str:
    return str((pod["metadata"].get("labels") or {}).get(HASH_LABEL, ""))
