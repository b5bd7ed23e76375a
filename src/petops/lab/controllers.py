"""The control plane: which controller looks at what when something changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Final

from petops.lab.autoscalers import Autoscalers, UsedByPod
from petops.lab.claims import fits_selector
from petops.lab.cron_jobs import CronJobs
from petops.lab.daemon_sets import DaemonSets
from petops.lab.deployments import Deployments
from petops.lab.endpoints import Budgets, Endpoints
from petops.lab.event_recorder import EventRecorder
from petops.lab.garbage import Garbage
from petops.lab.jobs import Jobs
from petops.lab.node_lifecycle import NodeLifecycle
from petops.lab.pod_facts import OVER, controller_of
from petops.lab.quantities import stamp
from petops.lab.quotas import QuotaStatus
from petops.lab.replica_sets import ReplicaSets
from petops.lab.scheduler import Scheduler
from petops.lab.service_accounts import ServiceAccounts
from petops.lab.stage import Stage
from petops.lab.stateful_sets import StatefulSets
from petops.lab.store import Change, Json, StoreError, clone, key_of

Reconcile = Callable[[str, str], None]

_DELAY_SECONDS: Final = 0.02
_AGAIN_SECONDS: Final = 1.0
_OWNERS: Final = frozenset(
    {"cronjobs", "daemonsets", "deployments", "jobs", "replicasets", "services", "statefulsets"}
)


class Controllers:
    """Follows the store's changes and lets controllers act on them, each a moment later."""

    def __init__(self, stage: Stage, events: EventRecorder) -> None:
        self._stage = stage
        self._waiting: set[tuple[Reconcile, str, str]] = set()
        self._deployments = Deployments(stage, events)
        self._replica_sets = ReplicaSets(stage, events, self.end_pod)
        self._autoscalers = Autoscalers(stage, events)
        self._quotas = QuotaStatus(stage)
        self._keepers: Mapping[str, tuple[str, Reconcile]] = {
            "replicasets": ("ReplicaSet", self._replica_sets.reconcile),
            "daemonsets": ("DaemonSet", DaemonSets(stage, events, self.end_pod).reconcile),
            "statefulsets": ("StatefulSet", StatefulSets(stage, events, self.end_pod).reconcile),
            "jobs": ("Job", Jobs(stage, events, self.end_pod).reconcile),
        }
        self._cron_jobs = CronJobs(stage, events)
        self._scheduler = Scheduler(stage, events)
        self._budgets = Budgets(stage)
        self._garbage = Garbage(stage, self.end_pod)
        self._accounts = ServiceAccounts(stage)
        self._node_lifecycle = NodeLifecycle(stage, events, self.end_pod, self._scheduler.pods)
        self.endpoints = Endpoints(stage)
        self._interested: Mapping[str, tuple[Reconcile, ...]] = {
            **{resource: (reconcile,) for resource, (_, reconcile) in self._keepers.items()},
            "cronjobs": (self._cron_jobs.reconcile,),
            "deployments": (self._deployments.reconcile,),
            "namespaces": (self._garbage.namespace, self._accounts.reconcile),
            "nodes": (self._scheduler.keep_cordon, self._node_lifecycle.reconcile),
            "poddisruptionbudgets": (self._budgets.reconcile,),
            "resourcequotas": (self._quotas.reconcile,),
            "services": (self.endpoints.reconcile,),
        }
        stage.store.subscribe(self._changed)

    def begin(self, used: UsedByPod) -> None:
        """Begin with what controllers do all the time; `used` is what autoscalers go by."""
        self._node_lifecycle.begin()
        self._autoscalers.begin(used)

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
        for reconcile in self._interested.get(change.resource, ()):
            self._soon(reconcile, namespace, name)
        match change.resource:
            case "pods":
                self._pod_changed(change)
            case "replicasets":
                self._owner(change.now, "Deployment", self._deployments.reconcile)
                self._orphan(change, {"deployments": self._deployments.reconcile})
            case "jobs":
                self._owner(change.now, "CronJob", self._cron_jobs.reconcile)
            case "nodes":
                self._node_changed(change)
        if change.resource in _OWNERS:
            self._owner_changed(change)
        if self._quotas.concerns(change.resource):
            for quota in self._stage.store.objects("resourcequotas", namespace):
                self._soon(self._quotas.reconcile, *key_of(quota))

    def _pod_changed(self, change: Change) -> None:
        namespace, name = change.key
        for kind, reconcile in self._keepers.values():
            self._owner(change.now, kind, reconcile)
        self._orphan(change, {name: reconcile for name, (_, reconcile) in self._keepers.items()})
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

    def _node_changed(self, change: Change) -> None:
        """What waits for a node tries again, and DaemonSets look who takes their pods."""
        before = change.before or {}
        if before.get("spec") == change.now.get("spec") and change.kind == "MODIFIED":
            return
        self._stage.after(_DELAY_SECONDS, self._scheduler.retry)
        for found in self._stage.store.objects("daemonsets"):
            self._soon(self._keepers["daemonsets"][1], *key_of(found))

    def _owner(self, found: Json, kind: str, reconcile: Reconcile) -> None:
        owner = controller_of(found)
        if owner is not None and owner["kind"] == kind:
            self._soon(reconcile, found["metadata"]["namespace"], owner["name"])

    def _orphan(self, change: Change, adopters: Mapping[str, Reconcile]) -> None:
        """Let whoever could adopt an object without a controller look at it."""
        found = change.now
        if change.kind == "DELETED" or controller_of(found) is not None:
            return
        for resource, reconcile in adopters.items():
            for owner in self._stage.store.objects(resource, found["metadata"]["namespace"]):
                if fits_selector(owner["spec"].get("selector"), found):
                    self._soon(reconcile, *key_of(owner))

    def _soon(self, reconcile: Reconcile, namespace: str, name: str) -> None:
        """Let a controller look at an object, once however often it changes until then."""
        wish = (reconcile, namespace, name)
        if wish in self._waiting:
            return
        self._waiting.add(wish)

        def run() -> None:
            self._waiting.discard(wish)
            try:
                reconcile(namespace, name)
            except StoreError:  # somebody else's object is in the way, or was quicker
                self._stage.after(_AGAIN_SECONDS, lambda: self._soon(reconcile, namespace, name))

        self._stage.after(_DELAY_SECONDS, run)
