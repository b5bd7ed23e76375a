"""The controller that keeps as many pods as a ReplicaSet asks for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from petops.lab.defaults import fill_in
from petops.lab.event_recorder import EventRecorder
from petops.lab.pod_facts import controller_of, is_active, is_available, is_ready, owner_reference
from petops.lab.quantities import moment
from petops.lab.stage import Stage
from petops.lab.store import Json, clone, key_of

COMPONENT: Final = "replicaset-controller"

EndPod = Callable[[Json], None]
"""Deletes a pod, gracefully."""


class ReplicaSets:
    """Creates and deletes pods, and counts them."""

    def __init__(self, stage: Stage, events: EventRecorder, end_pod: EndPod) -> None:
        self._stage, self._events, self._end_pod = stage, events, end_pod

    def reconcile(self, namespace: str, name: str) -> None:
        """Move one ReplicaSet a step towards what it asks for."""
        found = self._stage.store.find("replicasets", namespace, name)
        if found is None:
            return
        pods = [pod for pod in self.pods_of(found) if is_active(pod)]
        if "deletionTimestamp" not in found["metadata"]:
            wanted = found["spec"].get("replicas", 1)
            pods += [self._create(found) for _ in range(wanted - len(pods))]
            surplus = sorted(pods, key=self._worth)[: max(len(pods) - wanted, 0)]
            for pod in surplus:
                self._delete(found, pod)
                pods.remove(pod)
        self._count(found, pods)

    def pods_of(self, found: Json) -> list[Json]:
        """Return the pods that a ReplicaSet controls."""
        namespace, uid = found["metadata"]["namespace"], found["metadata"]["uid"]
        return [
            pod
            for pod in self._stage.store.objects("pods", namespace)
            if (controller_of(pod) or {}).get("uid") == uid
        ]

    def _create(self, found: Json) -> Json:
        template = clone(found["spec"]["template"])
        metadata = {
            name: value
            for name, value in template.get("metadata", {}).items()
            if name in {"labels", "annotations"}
        }
        made = {
            "metadata": {
                "generateName": f"{found['metadata']['name']}-",
                "namespace": found["metadata"]["namespace"],
                **metadata,
                "ownerReferences": [owner_reference("apps/v1", "ReplicaSet", found)],
            },
            "spec": template["spec"],
        }
        fill_in("pods", made, self._stage.chance)
        pod = self._stage.store.create("pods", made)
        name = pod["metadata"]["name"]
        self._events.controller(
            COMPONENT, "replicasets", found, "SuccessfulCreate", f"Created pod: {name}"
        )
        return pod

    def _delete(self, found: Json, pod: Json) -> None:
        name = pod["metadata"]["name"]
        self._events.controller(
            COMPONENT, "replicasets", found, "SuccessfulDelete", f"Deleted pod: {name}"
        )
        self._end_pod(pod)

    @staticmethod
    def _worth(pod: Json) -> tuple[bool, bool, bool, int, float]:
        """Sort what goes first to the front: unscheduled, pending, not ready, restarted, young."""
        statuses = pod["status"].get("containerStatuses") or ()
        restarts = sum(one["restartCount"] for one in statuses)
        return (
            bool(pod["spec"].get("nodeName")),
            pod["status"].get("phase") == "Running",
            is_ready(pod),
            -restarts,
            -moment(pod["metadata"]["creationTimestamp"]).timestamp(),
        )

    def _count(self, found: Json, pods: list[Json]) -> None:
        now, least = self._stage.now, found["spec"].get("minReadySeconds", 0)
        status: Json = {"replicas": len(pods)}
        counts = {
            "fullyLabeledReplicas": len(pods),
            "readyReplicas": sum(map(is_ready, pods)),
            "availableReplicas": sum(is_available(pod, now, least) for pod in pods),
        }
        status |= {name: count for name, count in counts.items() if count}
        status["observedGeneration"] = found["metadata"]["generation"]

        def write(replica_set: Json) -> None:
            replica_set["status"] = status

        self._stage.store.edit("replicasets", *key_of(found), write)
        if least and counts["availableReplicas"] < counts["readyReplicas"]:
            self._stage.after(least, lambda: self.reconcile(*key_of(found)))
