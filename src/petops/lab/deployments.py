"""The controller that turns a Deployment's template into ReplicaSets by rolling updates."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from petops.lab.chance import safe_hash
from petops.lab.claims import claimed
from petops.lab.deployment_status import progress_deadline, with_status
from petops.lab.event_recorder import EventRecorder
from petops.lab.pod_facts import owner_reference
from petops.lab.quantities import share
from petops.lab.stage import CONTROLLERS, Stage
from petops.lab.store import Json, clone, key_of

COMPONENT: Final = "deployment-controller"
HASH_LABEL: Final = "pod-template-hash"
REVISION: Final = "deployment.kubernetes.io/revision"
_HISTORY: Final = "deployment.kubernetes.io/revision-history"
_DESIRED: Final = "deployment.kubernetes.io/desired-replicas"
_MOST: Final = "deployment.kubernetes.io/max-replicas"
_LONGEST_NUMBER: Final = 19
_UNCOPIED: Final = frozenset(
    {"kubectl.kubernetes.io/last-applied-configuration", REVISION, _HISTORY, _DESIRED, _MOST}
)


def bare_template(template: Json) -> Json:
    """Return a pod template without what controllers add to it."""
    bare: Json = clone(template)
    metadata = bare.setdefault("metadata", {})
    metadata.pop("creationTimestamp", None)
    (metadata.get("labels") or {}).pop(HASH_LABEL, None)
    return bare


def template_hash(template: Json, collisions: int = 0) -> str:
    """Return the `pod-template-hash` of a template, another one after each collision of names."""
    text = json.dumps(bare_template(template), sort_keys=True)
    return safe_hash(f"{text}{collisions}" if collisions else text)


def bounds(deployment: Json) -> tuple[int, int]:
    """Return how many pods may come on top, and how many may be missing, in a rolling update."""
    replicas = deployment["spec"]["replicas"]
    strategy = deployment["spec"]["strategy"]
    if strategy["type"] == "Recreate":
        return 0, replicas
    rolling = strategy["rollingUpdate"]
    surge = share(rolling["maxSurge"], replicas, round_up=True)
    missing = share(rolling["maxUnavailable"], replicas, round_up=False)
    return surge, min(missing if surge or missing else 1, replicas)


class Deployments:
    """Rolls out templates."""

    def __init__(self, stage: Stage, events: EventRecorder) -> None:
        self._stage, self._events = stage, events

    def reconcile(self, namespace: str, name: str) -> None:
        """Move one Deployment a step towards what it asks for."""
        found = self._stage.store.find("deployments", namespace, name)
        if found is None or "deletionTimestamp" in found["metadata"]:
            return
        before = self._replica_sets(found)
        wanted = bare_template(found["spec"]["template"])
        new = next(
            (one for one in before if bare_template(one["spec"]["template"]) == wanted), None
        )
        old = [one for one in before if one is not new]
        created = new is None
        if not found["spec"].get("paused"):
            new = self._renewed(found, new, old) if new else self._create(found, old)
            self._annotate(found, new)
            if found["spec"]["strategy"]["type"] == "Recreate":
                self._recreate(found, new, old)
            else:
                self._roll(found, new, old)
        self._write_status(namespace, name, new, created=created)
        self._clean_up(namespace, name, new)

    def _replica_sets(self, deployment: Json) -> list[Json]:
        """Return a Deployment's ReplicaSets, oldest first."""
        found = claimed(self._stage, "replicasets", "deployments", deployment)
        return sorted(found, key=lambda one: (one["metadata"]["creationTimestamp"], _revision(one)))

    def _create(self, deployment: Json, old: list[Json]) -> Json:
        template = clone(deployment["spec"]["template"])
        label = self._free_hash(deployment)
        template.setdefault("metadata", {}).setdefault("labels", {})[HASH_LABEL] = label
        selector = clone(deployment["spec"]["selector"])
        selector.setdefault("matchLabels", {})[HASH_LABEL] = label
        surge, _ = bounds(deployment)
        there = sum(one["spec"]["replicas"] for one in old)
        room = max(deployment["spec"]["replicas"] + surge - there, 0)
        spec: Json = {
            "replicas": min(room, deployment["spec"]["replicas"]),
            "selector": selector,
            "template": template,
        }
        if deployment["spec"].get("minReadySeconds"):
            spec["minReadySeconds"] = deployment["spec"]["minReadySeconds"]
        made = {
            "metadata": {
                "name": f"{deployment['metadata']['name']}-{label}",
                "namespace": deployment["metadata"]["namespace"],
                "labels": dict(template["metadata"]["labels"]),
                "annotations": self._annotations(
                    deployment, 1 + max(map(_revision, old), default=0)
                ),
                "ownerReferences": [owner_reference("apps/v1", "Deployment", deployment)],
            },
            "spec": spec,
            "status": {"replicas": 0},
        }
        new = self._stage.create(CONTROLLERS, "replicasets", made)
        if spec["replicas"]:
            self._say_scaled(deployment, new, 0)
        return new

    def _free_hash(self, deployment: Json) -> str:
        """Return a hash whose name is free; the status counts the names that were not."""
        store, (namespace, name) = self._stage.store, key_of(deployment)
        before = int((deployment.get("status") or {}).get("collisionCount") or 0)
        count = before
        label = template_hash(deployment["spec"]["template"], count)
        while store.find("replicasets", namespace, f"{name}-{label}") is not None:
            count += 1
            label = template_hash(deployment["spec"]["template"], count)
        if count > before:

            def collide(found: Json) -> None:
                found["status"] = {**(found.get("status") or {}), "collisionCount": count}

            self._stage.edit(CONTROLLERS, "deployments", key_of(deployment), collide, "status")
        return label

    def _renewed(self, deployment: Json, new: Json, old: list[Json]) -> Json:
        """An earlier template that comes back gets the next revision's number."""
        latest = 1 + max(map(_revision, old), default=0)
        annotations = new["metadata"].get("annotations") or {}
        now = self._annotations(deployment, max(latest, _revision(new)))
        if latest > _revision(new):
            former = filter(None, (annotations.get(_HISTORY), annotations.get(REVISION)))
            now[_HISTORY] = ",".join(former)
        elif _HISTORY in annotations:
            now[_HISTORY] = annotations[_HISTORY]
        return self._edit_replica_set(
            new, lambda one: one["metadata"].__setitem__("annotations", now)
        )

    def _annotations(self, deployment: Json, revision: int) -> Json:
        surge, _ = bounds(deployment)
        replicas = deployment["spec"]["replicas"]
        own = deployment["metadata"].get("annotations") or {}
        return {
            **{name: value for name, value in own.items() if name not in _UNCOPIED},
            _DESIRED: str(replicas),
            _MOST: str(replicas + surge),
            REVISION: str(revision),
        }

    def _annotate(self, deployment: Json, new: Json) -> None:
        told = deployment["metadata"].get("annotations") or {}
        if told.get(REVISION) == str(_revision(new)):
            return

        def annotate(found: Json) -> None:
            annotations = found["metadata"].get("annotations") or {}
            found["metadata"]["annotations"] = {**annotations, REVISION: str(_revision(new))}

        self._stage.edit(CONTROLLERS, "deployments", key_of(deployment), annotate)

    def _roll(self, deployment: Json, new: Json, old: list[Json]) -> None:
        surge, missing = bounds(deployment)
        wanted = deployment["spec"]["replicas"]
        total = sum(one["spec"]["replicas"] for one in (*old, new))
        has = new["spec"]["replicas"]
        if has != wanted:
            room = max(wanted + surge - total, 0)
            new = self._scale(deployment, new, wanted if has > wanted else min(has + room, wanted))
            total += new["spec"]["replicas"] - has
        least = wanted - missing
        unavailable = new["spec"]["replicas"] - _available(new)
        spare = total - least - unavailable
        if spare <= 0 or not any(one["spec"]["replicas"] for one in old):
            return
        old = self._drop_unhealthy(deployment, old, spare)
        spare = sum(map(_available, (*old, new))) - least
        for one in old:
            fewer = min(one["spec"]["replicas"], max(spare, 0))
            if fewer:
                self._scale(deployment, one, one["spec"]["replicas"] - fewer)
                spare -= fewer

    def _drop_unhealthy(self, deployment: Json, old: list[Json], most: int) -> list[Json]:
        """Old pods that are not available go first: they are no loss."""
        left = []
        for one in old:
            fewer = min(one["spec"]["replicas"] - _available(one), most)
            if fewer > 0:
                most -= fewer
                left.append(self._scale(deployment, one, one["spec"]["replicas"] - fewer))
            else:
                left.append(one)
        return left

    def _recreate(self, deployment: Json, new: Json, old: list[Json]) -> None:
        for one in old:
            if one["spec"]["replicas"]:
                self._scale(deployment, one, 0)
        gone = all(not one["spec"]["replicas"] and not one["status"].get("replicas") for one in old)
        if gone and new["spec"]["replicas"] != deployment["spec"]["replicas"]:
            self._scale(deployment, new, deployment["spec"]["replicas"])

    def _scale(self, deployment: Json, found: Json, replicas: int) -> Json:
        before = found["spec"]["replicas"]
        if before == replicas:
            return found

        def scale(one: Json) -> None:
            surge, _ = bounds(deployment)
            wanted = deployment["spec"]["replicas"]
            one["spec"]["replicas"] = replicas
            annotations = one["metadata"].setdefault("annotations", {})
            annotations |= {_DESIRED: str(wanted), _MOST: str(wanted + surge)}

        now = self._edit_replica_set(found, scale)
        self._say_scaled(deployment, now, before)
        return now

    def _edit_replica_set(self, found: Json, change: Callable[[Json], None]) -> Json:
        return self._stage.edit(CONTROLLERS, "replicasets", key_of(found), change) or found

    def _say_scaled(self, deployment: Json, found: Json, before: int) -> None:
        now, name = found["spec"]["replicas"], found["metadata"]["name"]
        way = "up" if now > before else "down"
        message = f"Scaled {way} replica set {name} from {before} to {now}"
        self._events.controller(COMPONENT, "deployments", deployment, "ScalingReplicaSet", message)

    def _write_status(self, namespace: str, name: str, new: Json | None, *, created: bool) -> None:
        store = self._stage.store
        found = store.get("deployments", namespace, name)
        _, missing = bounds(found)
        counted = self._replica_sets(found)
        current = next((one for one in counted if new and key_of(one) == key_of(new)), None)
        now = with_status(found, counted, current, missing, self._stage.now, created=created)
        self._stage.write_status(CONTROLLERS, "deployments", (namespace, name), now)
        deadline = progress_deadline({**found, "status": now})
        if deadline is not None and deadline >= self._stage.now:
            self._stage.at(deadline + timedelta(seconds=1), lambda: self.reconcile(namespace, name))

    def _clean_up(self, namespace: str, name: str, new: Json | None) -> None:
        """Old ReplicaSets go, oldest first, where there are more than the history keeps."""
        found = self._stage.store.get("deployments", namespace, name)
        status = found["status"]
        if status.get("updatedReplicas", 0) != status.get("replicas", 0):
            return
        old = [one for one in self._replica_sets(found) if not new or key_of(one) != key_of(new)]
        unused = [
            one for one in old if not one["spec"]["replicas"] and not one["status"]["replicas"]
        ]
        unused.sort(key=_revision)
        for one in unused[: max(len(unused) - found["spec"]["revisionHistoryLimit"], 0)]:
            self._stage.store.delete("replicasets", *key_of(one))


def _revision(found: Json) -> int:
    """A number that somebody overwrote with a word counts as none, as it does for kubectl."""
    text = str((found["metadata"].get("annotations") or {}).get(REVISION, "0"))
    return int(text) if text.isdecimal() and len(text) < _LONGEST_NUMBER else 0


def _available(found: Json) -> int:
    return int(found["status"].get("availableReplicas", 0))
