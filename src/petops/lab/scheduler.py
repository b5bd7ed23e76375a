"""The scheduler: which node a pod goes to, by its requests, its selector, taints and cordons."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final

from petops.lab.event_recorder import EventRecorder
from petops.lab.pod_facts import condition, requested, set_condition
from petops.lab.pods_by_node import PodsByNode, owner_of
from petops.lab.quantities import quantity, stamp
from petops.lab.selectors import selects
from petops.lab.stage import CONTROLLERS, SCHEDULER, Stage
from petops.lab.store import Change, Json, key_of

UNSCHEDULABLE: Final = "node.kubernetes.io/unschedulable"
RETRY_SECONDS: Final = 15.0
_ROUNDING: Final = 1e-6
_HARD: Final = frozenset({"NoSchedule", "NoExecute"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a pod asks of a node, and whose it is."""

    owner: str
    cpu: float
    memory: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What a node has to give."""

    pods: float
    cpu: float
    memory: float


def _room(node: Json) -> Room:
    allocatable = node["status"]["allocatable"]
    return Room(**{name: quantity(allocatable[name]) for name in ("pods", "cpu", "memory")})


class Scheduler:
    """Binds pods to nodes."""

    def __init__(self, stage: Stage, events: EventRecorder) -> None:
        self._stage, self._events = stage, events
        self.pods = PodsByNode(stage.store)
        self._again: set[tuple[str, str]] = set()
        self._nodes: list[Json] | None = None
        self._rooms: dict[str, Room] = {}
        stage.store.subscribe(self._changed)

    def reconcile(self, namespace: str, name: str) -> None:
        """Bind one pod, or say why no node takes it and try again later."""
        pod = self._stage.store.find("pods", namespace, name)
        if pod is None or pod["spec"].get("nodeName") or "deletionTimestamp" in pod["metadata"]:
            return
        wish = Wish(
            owner=owner_of(pod),
            cpu=requested(pod["spec"], "cpu"),
            memory=requested(pod["spec"], "memory"),
        )
        refused = [(self._refusal(pod, wish, node), node) for node in self._sorted_nodes()]
        fitting = [node for why, node in refused if not why]
        if fitting:
            self._bind(pod, min(fitting, key=lambda node: self._cost(wish, node)))
        else:
            self._give_up(pod, [why for why, _ in refused])
            if (namespace, name) not in self._again:
                self._again.add((namespace, name))
                self._stage.after(RETRY_SECONDS, lambda: self._try_again(namespace, name))

    def _try_again(self, namespace: str, name: str) -> None:
        self._again.discard((namespace, name))
        self.reconcile(namespace, name)

    def retry(self) -> None:
        """Try every pod again that waits for a node."""
        for pod in self._stage.store.objects("pods"):
            if not pod["spec"].get("nodeName"):
                self.reconcile(*key_of(pod))

    def keep_cordon(self, namespace: str, name: str) -> None:
        """Give a cordoned node its taint, and take it away again."""
        node = self._stage.store.find("nodes", namespace, name)
        if node is None:
            return
        cordoned = bool(node["spec"].get("unschedulable"))
        taints = node["spec"].get("taints") or []
        if cordoned is any(one["key"] == UNSCHEDULABLE for one in taints):
            return

        def taint(found: Json) -> None:
            kept = [one for one in taints if one["key"] != UNSCHEDULABLE]
            if cordoned:
                at = stamp(self._stage.now)
                kept.append({"key": UNSCHEDULABLE, "effect": "NoSchedule", "timeAdded": at})
            found["spec"]["taints"] = kept
            if not kept:
                del found["spec"]["taints"]

        self._stage.edit(CONTROLLERS, "nodes", (namespace, name), taint)

    def _sorted_nodes(self) -> list[Json]:
        if self._nodes is None:
            self._nodes = sorted(self._stage.store.objects("nodes"), key=key_of)
            self._rooms = {node["metadata"]["name"]: _room(node) for node in self._nodes}
        return self._nodes

    def _changed(self, change: Change) -> None:
        if change.resource == "nodes":
            self._nodes = None

    def _refusal(self, pod: Json, wish: Wish, node: Json) -> str:
        """Say why a node does not take a pod now; empty if it does."""
        if why := refuses(pod, node):
            return why
        name = node["metadata"]["name"]
        there, room = self.pods.on(name), self._rooms[name]
        if len(there.pods) + 1 > room.pods:
            return "Too many pods"
        if there.requested["cpu"] + wish.cpu > room.cpu + _ROUNDING:
            return "Insufficient cpu"
        if there.requested["memory"] + wish.memory > room.memory + _ROUNDING:
            return "Insufficient memory"
        return ""

    def _cost(self, wish: Wish, node: Json) -> tuple[int, float, str]:
        """Prefer nodes with few siblings, then those with most left."""
        name = node["metadata"]["name"]
        there, room = self.pods.on(name), self._rooms[name]
        used = there.requested["cpu"] / room.cpu + there.requested["memory"] / room.memory
        return there.owners[wish.owner], round(used, 6), name

    def _bind(self, pod: Json, node: Json) -> None:
        name = node["metadata"]["name"]

        def bind(found: Json) -> None:
            found["spec"]["nodeName"] = name
            set_condition(found, "PodScheduled", self._stage.now, holds=True)

        bound = self._stage.store.edit("pods", *key_of(pod), bind) or pod
        place = "/".join(key_of(pod))
        self._events.scheduler(bound, "Scheduled", f"Successfully assigned {place} to {name}")

    def _give_up(self, pod: Json, refusals: list[str]) -> None:
        total = len(refusals)
        counted = sorted(Counter(refusals).items())
        reasons = (
            ", ".join(f"{count} {reason}" for reason, count in counted) or "no nodes available"
        )
        head = f"0/{total} nodes are available: "
        helpless = sum(not reason.startswith("Insufficient") for reason in refusals)
        victims = [
            text
            for count, text in (
                (total - helpless, "No preemption victims found for incoming pod"),
                (helpless, "Preemption is not helpful for scheduling"),
            )
            if count
            for text in (f"{count} {text}",)
        ]
        message = f"{head}{reasons}. preemption: {head}{', '.join(victims)}."

        def say(found: Json) -> None:
            set_condition(
                found,
                "PodScheduled",
                self._stage.now,
                holds=False,
                reason="Unschedulable",
                message=message,
            )

        before = condition(pod, "PodScheduled")
        waiting = self._stage.edit(SCHEDULER, "pods", key_of(pod), say, "status") or pod
        if before is None or before.get("message") != message:
            self._events.scheduler(waiting, "FailedScheduling", message, warning=True)


def refuses(pod: Json, node: Json, *, cordons: bool = True) -> str:
    """Say why a node will not take a pod, however much room it has; empty if it does."""
    labels = node["metadata"].get("labels") or {}
    tolerations = pod["spec"].get("tolerations") or ()
    cordon = {"key": UNSCHEDULABLE, "effect": "NoSchedule"}
    cordoned = node["spec"].get("unschedulable") and cordons
    if cordoned and not any(tolerates(one, cordon) for one in tolerations):
        return "node(s) were unschedulable"
    for taint in node["spec"].get("taints") or ():
        if taint["key"] == UNSCHEDULABLE and not cordons:
            continue
        if taint["effect"] in _HARD and not any(tolerates(one, taint) for one in tolerations):
            value = f": {taint['value']}" if taint.get("value") else ": "
            return f"node(s) had untolerated taint {{{taint['key']}{value}}}"
    selector = pod["spec"].get("nodeSelector") or {}
    if any(labels.get(name) != value for name, value in selector.items()):
        return "node(s) didn't match Pod's node affinity/selector"
    if not _affine(pod, node, labels):
        return "node(s) didn't match Pod's node affinity/selector"
    return ""


def _affine(pod: Json, node: Json, labels: Json) -> bool:
    """Say whether a node is one of those that a pod's affinity demands."""
    affinity = (pod["spec"].get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    if not isinstance(required, dict):
        return True
    fields = {"metadata.name": node["metadata"]["name"]}
    terms = [one for one in required.get("nodeSelectorTerms") or () if isinstance(one, dict)]
    return any(
        selects({"matchExpressions": term.get("matchExpressions") or []}, labels)
        and selects({"matchExpressions": term.get("matchFields") or []}, fields)
        for term in terms
    )


def tolerates(toleration: Json, taint: Json) -> bool:
    """Say whether a toleration is about a taint."""
    if toleration.get("effect") not in {None, "", taint["effect"]}:
        return False
    if toleration.get("key") not in {None, "", taint["key"]}:
        return False
    exists = toleration.get("operator") == "Exists"
    return exists or (
        bool(toleration.get("key")) and toleration.get("value", "") == taint.get("value", "")
    )
