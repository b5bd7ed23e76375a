"""The controller of StatefulSets: pods with numbers, one after the other."""

from __future__ import annotations

from typing import Final

from petops.lab.deployments import template_hash
from petops.lab.event_recorder import EventRecorder
from petops.lab.pod_creation import PodCreation
from petops.lab.pod_facts import OVER, is_active, is_available, is_ready
from petops.lab.quotas import ForbiddenError
from petops.lab.replica_sets import EndPod
from petops.lab.revisions import Revisions
from petops.lab.stage import CONTROLLERS, Stage
from petops.lab.store import Json, key_of

COMPONENT: Final = "statefulset-controller"
HASH_LABEL: Final = "controller-revision-hash"
_BURST: Final = 500
_NEXT_BURST_SECONDS: Final = 1.0


class StatefulSets:
    """Keeps a StatefulSet's pods."""

    def __init__(self, stage: Stage, events: EventRecorder, end_pod: EndPod) -> None:
        self._stage, self._events, self._end_pod = stage, events, end_pod
        self._pods = PodCreation(stage, events)
        self._revisions = Revisions(stage)

    def reconcile(self, namespace: str, name: str) -> None:
        """Move one StatefulSet a step towards what it asks for."""
        found = self._stage.store.find("statefulsets", namespace, name)
        if found is None or "deletionTimestamp" in found["metadata"]:
            return
        label = template_hash(found["spec"]["template"])
        self._revisions.keep("statefulsets", found, label)
        revision = f"{name}-{label}"
        pods = {_number(pod): pod for pod in self._pods.pods_of("statefulsets", found)}
        self._step(found, pods, revision)
        self._count(found, revision)

    def _step(self, found: Json, pods: dict[int, Json], revision: str) -> None:
        """Do the next thing: one pod at a time, unless they may come all at once."""
        wanted = found["spec"].get("replicas", 1)
        parallel = found["spec"].get("podManagementPolicy") == "Parallel"
        made = 0
        for number in range(wanted):
            pod = pods.get(number)
            if pod is None:
                if made == _BURST:
                    self._stage.after(_NEXT_BURST_SECONDS, lambda: self.reconcile(*key_of(found)))
                    break
                if not self._create(found, number, revision):
                    break
                made += 1
            if (pod is None or not self._settled(found, pod, revision)) and not parallel:
                return
        surplus = [pods[number] for number in sorted(pods, reverse=True) if number >= wanted]
        if surplus:
            self._end(found, surplus[0])
            return
        strategy = found["spec"].get("updateStrategy") or {}
        first = (strategy.get("rollingUpdate") or {}).get("partition", 0)
        old = [
            pods[number]
            for number in sorted(pods, reverse=True)
            if first <= number < wanted and _hash(pods[number]) != revision
        ]
        if old and strategy.get("type") != "OnDelete":
            self._end(found, old[0])

    def _settled(self, found: Json, pod: Json, revision: str) -> bool:
        """Say whether a number's pod is ready; see to it where it is not."""
        if is_active(pod) and not is_ready(pod) and _hash(pod) != revision:
            self._end(found, pod)  # an old pod that is broken is no loss
        elif pod["status"].get("phase") in OVER:
            self._end_pod(pod)
        return is_active(pod) and is_ready(pod)

    def _create(self, found: Json, number: int, revision: str) -> bool:
        """Make a pod; return whether that was allowed. If not, it is tried again later."""
        name = f"{found['metadata']['name']}-{number}"
        labels = {
            HASH_LABEL: revision,
            "statefulset.kubernetes.io/pod-name": name,
            "apps.kubernetes.io/pod-index": str(number),
        }
        spec = {"hostname": name}
        if found["spec"].get("serviceName"):
            spec["subdomain"] = found["spec"]["serviceName"]
        changes: Json = {"name": {"name": name}, "labels": labels, "spec": spec}
        try:
            self._pods.create(COMPONENT, "statefulsets", found, pod=changes)
        except ForbiddenError:
            self._stage.after(10, lambda: self.reconcile(*key_of(found)))
            return False
        return True

    def _end(self, found: Json, pod: Json) -> None:
        if "deletionTimestamp" in pod["metadata"]:
            return
        name = pod["metadata"]["name"]
        text = f"delete Pod {name} in StatefulSet {found['metadata']['name']} successful"
        self._events.controller(COMPONENT, "statefulsets", found, "SuccessfulDelete", text)
        self._end_pod(pod)

    def _count(self, found: Json, revision: str) -> None:
        now, least = self._stage.now, found["spec"].get("minReadySeconds", 0)
        pods = [pod for pod in self._pods.pods_of("statefulsets", found) if is_active(pod)]
        new = [pod for pod in pods if _hash(pod) == revision]
        wanted = found["spec"].get("replicas", 1)
        before = found.get("status") or {}
        current = before.get("currentRevision", revision)
        if len(new) == len(pods) == wanted and all(map(is_ready, pods)):
            current = revision
        status: Json = {
            "observedGeneration": found["metadata"]["generation"],
            "replicas": len(pods),
        }
        counts = {
            "readyReplicas": sum(map(is_ready, pods)),
            "currentReplicas": sum(_hash(pod) == current for pod in pods),
            "updatedReplicas": len(new),
        }
        status |= {name: count for name, count in counts.items() if count}
        status |= {
            "currentRevision": current,
            "updateRevision": revision,
            "collisionCount": 0,
            "availableReplicas": sum(is_available(pod, now, least) for pod in pods),
        }
        self._stage.write_status(CONTROLLERS, "statefulsets", key_of(found), status)


def _number(pod: Json) -> int:
    last = str(pod["metadata"]["name"]).rpartition("-")[2]
    return int(last) if last.isdecimal() else -1


def _hash(pod: Json) -> str:
    return str((pod["metadata"].get("labels") or {}).get(HASH_LABEL, ""))
