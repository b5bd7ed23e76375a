"""The control plane: which controller looks at what when something changes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from petops.lab.deployments import Deployments
from petops.lab.endpoints import Budgets, Endpoints
from petops.lab.event_recorder import EventRecorder
from petops.lab.garbage import Garbage
from petops.lab.pod_facts import OVER, controller_of
from petops.lab.quantities import stamp
from petops.lab.replica_sets import ReplicaSets
from petops.lab.scheduler import Scheduler
from petops.lab.stage import Stage
from petops.lab.store import Change, Json, clone, key_of

Reconcile = Callable[[str, str], None]

_DELAY_SECONDS: Final = 0.02
_OWNERS: Final = frozenset(
    {"daemonsets", "deployments", "jobs", "replicasets", "services", "statefulsets"}
)


class Controllers:
    """Follows the store's changes and lets controllers act on them, each a moment later."""

    def __init__(self, stage: Stage, events: EventRecorder) -> None:
        self._stage = stage
        self._waiting: set[tuple[Reconcile, str, str]] = set()
        self._deployments = Deployments(stage, events)
        self._replica_sets = ReplicaSets(stage, events, self.end_pod)
        self._scheduler = Scheduler(stage, events)
        self._budgets = Budgets(stage)
        self._garbage = Garbage(stage, self.end_pod)
        self.endpoints = Endpoints(stage)
        stage.store.subscribe(self._changed)

    def end_pod(self, pod: Json) -> None:
        """Delete a pod gracefully, as the API does by default."""
        if "deletionTimestamp" in pod["metadata"]:
            return
        if not pod["spec"].get("nodeName") or pod["status"].get("phase") in OVER:
            self._stage.store.delete("pods", *key_of(pod))
            return
        seconds = pod["spec"].get("terminationGracePeriodSeconds", 30)
        now = clone(pod)
        now["metadata"]["deletionTimestamp"] = stamp(self._stage.now + timedelta(seconds=seconds))
        now["metadata"]["deletionGracePeriodSeconds"] = seconds
        now["metadata"].pop("resourceVersion", None)
        self._stage.store.update("pods", now)

    def _changed(self, change: Change) -> None:
        namespace, name = change.key
        match change.resource:
            case "pods":
                self._pod_changed(change)
            case "replicasets":
                self._soon(self._replica_sets.reconcile, namespace, name)
                self._owner(change.now, "Deployment", self._deployments.reconcile)
            case "deployments":
                self._soon(self._deployments.reconcile, namespace, name)
            case "services":
                self._soon(self.endpoints.reconcile, namespace, name)
            case "poddisruptionbudgets":
                self._soon(self._budgets.reconcile, namespace, name)
            case "nodes":
                self._soon(self._scheduler.keep_cordon, namespace, name)
                self._retry_scheduling(change)
            case "namespaces":
                self._soon(self._garbage.namespace, namespace, name)
        if change.resource in _OWNERS:
            self._owner_changed(change)

    def _pod_changed(self, change: Change) -> None:
        namespace, name = change.key
        self._owner(change.now, "ReplicaSet", self._replica_sets.reconcile)
        if not change.now["spec"].get("nodeName"):
            self._soon(self._scheduler.reconcile, namespace, name)
        for service in self._stage.store.objects("services", namespace):
            self._soon(self.endpoints.reconcile, *key_of(service))
        for budget in self._stage.store.objects("poddisruptionbudgets", namespace):
            self._soon(self._budgets.reconcile, *key_of(budget))
        if change.kind == "DELETED":
            self._stage.after(_DELAY_SECONDS, self._scheduler.retry)

    def _owner_changed(self, change: Change) -> None:
        resource, (namespace, name) = change.resource, change.key
        if change.kind == "DELETED":
            uid = change.now["metadata"]["uid"]
            self._stage.after(_DELAY_SECONDS, lambda: self._garbage.after_end(uid))
        elif "deletionTimestamp" in change.now["metadata"]:
            self._stage.after(
                _DELAY_SECONDS, lambda: self._garbage.owner(resource, namespace, name)
            )

    def _retry_scheduling(self, change: Change) -> None:
        before = change.before or {}
        if before.get("spec") != change.now.get("spec"):
            self._stage.after(_DELAY_SECONDS, self._scheduler.retry)

    def _owner(self, found: Json, kind: str, reconcile: Reconcile) -> None:
        owner = controller_of(found)
        if owner is not None and owner["kind"] == kind:
            self._soon(reconcile, found["metadata"]["namespace"], owner["name"])

    def _soon(self, reconcile: Reconcile, namespace: str, name: str) -> None:
        """Let a controller look at an object, once however often it changes until then."""
        wish = (reconcile, namespace, name)
        if wish in self._waiting:
            return
        self._waiting.add(wish)

        def run() -> None:
            self._waiting.discard(wish)
            reconcile(namespace, name)

        self._stage.after(_DELAY_SECONDS, run)
