"""The controller that keeps as many pods as a ReplicaSet asks for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from petops.lab.event_recorder import EventRecorder
from petops.lab.pod_creation import PodCreation
from petops.lab.pod_facts import condition, is_active, is_available, is_ready
from petops.lab.quantities import moment, stamp
from petops.lab.quotas import ForbiddenError
from petops.lab.stage import CONTROLLERS, Stage
from petops.lab.store import Json, key_of

COMPONENT: Final = "replicaset-controller"
_AGAIN_SECONDS: Final = 10.0
# As the real controller: so many pods at once, then others have their turn.
_BURST: Final = 500
_NEXT_BURST_SECONDS: Final = 1.0

EndPod = Callable[[Json], None]
"""Deletes a pod, gracefully."""


class ReplicaSets:
    """Creates and deletes pods, and counts them."""

    def __init__(self, stage: Stage, events: EventRecorder, end_pod: EndPod) -> None:
        self._stage, self._events, self._end_pod = stage, events, end_pod
        self._pods = PodCreation(stage, events)
        self._again: set[tuple[str, str]] = set()

    def reconcile(self, namespace: str, name: str) -> None:
        """Move one ReplicaSet a step towards what it asks for."""
        found = self._stage.store.find("replicasets", namespace, name)
        if found is None:
            return
        pods = [pod for pod in self._pods.pods_of("replicasets", found) if is_active(pod)]
        refused = ""
        if "deletionTimestamp" not in found["metadata"]:
            wanted = found["spec"].get("replicas", 1)
            refused = self._create(found, pods, wanted)
            surplus = sorted(pods, key=self._worth)[: max(len(pods) - wanted, 0)]
            for pod in surplus:
                self._delete(found, pod)
                pods.remove(pod)
        self._count(found, pods, refused)

    def _create(self, found: Json, pods: list[Json], wanted: int) -> str:
        """Add what is missing to `pods`; return why that ended early, if it did."""
        key, most = key_of(found), len(pods) + _BURST
        try:
            while len(pods) < min(wanted, most):
                pods.append(self._pods.create(COMPONENT, "replicasets", found))
        except ForbiddenError as exc:
            self._later(key, _AGAIN_SECONDS)
            return str(exc)
        if len(pods) < wanted:
            self._later(key, _NEXT_BURST_SECONDS)
        return ""

    def _later(self, key: tuple[str, str], seconds: float) -> None:
        if key not in self._again:
            self._again.add(key)
            self._stage.after(seconds, lambda: self._retry(key))

    def _retry(self, key: tuple[str, str]) -> None:
        self._again.discard(key)
        self.reconcile(*key)

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

    def _count(self, found: Json, pods: list[Json], refused: str) -> None:
        now, least = self._stage.now, found["spec"].get("minReadySeconds", 0)
        status: Json = {"replicas": len(pods)}
        counts = {
            "fullyLabeledReplicas": len(pods),
            "readyReplicas": sum(map(is_ready, pods)),
            "availableReplicas": sum(is_available(pod, now, least) for pod in pods),
        }
        status |= {name: count for name, count in counts.items() if count}
        status["observedGeneration"] = found["metadata"]["generation"]
        if refused:
            status["conditions"] = [self._failure(found, refused)]

        self._stage.write_status(CONTROLLERS, "replicasets", key_of(found), status)
        if least and counts["availableReplicas"] < counts["readyReplicas"]:
            self._stage.after(least, lambda: self.reconcile(*key_of(found)))

    def _failure(self, found: Json, refused: str) -> Json:
        before = condition(found, "ReplicaFailure")
        if before is not None:
            return before  # as the real one: what was said first stays until it is over
        return {
            "type": "ReplicaFailure",
            "status": "True",
            "lastTransitionTime": stamp(self._stage.now),
            "reason": "FailedCreate",
            "message": refused,
        }
