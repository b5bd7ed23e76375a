"""The controller of HorizontalPodAutoscalers: every 15 seconds, by CPU or memory over requests."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from petops.lab.autoscaler_conditions import Conditions, bounded
from petops.lab.event_recorder import EventRecorder
from petops.lab.pod_facts import is_active, is_ready
from petops.lab.quantities import amount, stamp
from petops.lab.resource_metrics import Used
from petops.lab.selectors import selects
from petops.lab.stage import CONTROLLERS, Stage
from petops.lab.store import Json, key_of

COMPONENT: Final = "horizontal-pod-autoscaler"
SYNC_SECONDS: Final = 15.0
TOLERANCE_RATIO: Final = 0.1
_SCALE_DOWN_SECONDS: Final = 300
_KINDS: Final = {
    ("apps", "Deployment"): "deployments",
    ("apps", "StatefulSet"): "statefulsets",
    ("apps", "ReplicaSet"): "replicasets",
}

UsedByPod = Callable[[], Mapping[str, list[Used]]]


class MetricError(Exception):
    """A metric that cannot be had; the text is the controller's."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One metric: how much of its target is used, how it is shown, and what it asks for."""

    replicas: int
    current: Json
    what: str
    above: bool


class Autoscalers:
    """Scales what autoscalers point at."""

    def __init__(self, stage: Stage, events: EventRecorder) -> None:
        self._stage, self._events = stage, events
        self._used: UsedByPod = dict
        self._wished: dict[tuple[str, str], list[tuple[datetime, int]]] = {}

    def begin(self, used: UsedByPod) -> None:
        """Look at all autoscalers from now on, by these figures."""
        self._used = used
        self._sync()

    def _sync(self) -> None:
        found = sorted(self._stage.store.objects("horizontalpodautoscalers"), key=key_of)
        used = self._used() if found else {}
        for one in found:
            self._look(one, used)
        self._stage.after(SYNC_SECONDS, self._sync)

    def _look(self, found: Json, used: Mapping[str, list[Used]]) -> None:
        conditions = Conditions(found, self._stage.now)
        reference = found["spec"].get("scaleTargetRef") or {}
        target = self._target(found, reference)
        if target is None:
            group = str(reference.get("apiVersion", "")).rpartition("/")[0]
            plural = str(reference.get("kind", "")).lower() + "s" + (f".{group}" if group else "")
            text = f'{plural} "{reference.get("name")}" not found'
            conditions.put(
                "AbleToScale",
                "False",
                "FailedGetScale",
                f"the HPA controller was unable to get the target's current scale: {text}",
            )
            self._say(found, "FailedGetScale", text, warning=True)
            self._write(found, conditions, {})
            return
        resource, scaled = target
        current = int(scaled["spec"].get("replicas", 1))
        if current == 0 and found["spec"].get("minReplicas", 1) != 0:
            conditions.put("AbleToScale", "True", "SucceededGetScale", _GOT_SCALE)
            text = "scaling is disabled since the replica count of the target is zero"
            conditions.put("ScalingActive", "False", "ScalingDisabled", text)
            self._write(found, conditions, {"currentReplicas": 0, "desiredReplicas": 0})
            return
        try:
            readings = [
                self._read(metric, scaled, current, used)
                for metric in found["spec"].get("metrics") or [_DEFAULT_METRIC]
            ]
        except MetricError as exc:
            self._blind(found, conditions, exc, current)
            return
        self._decide(found, conditions, readings, (resource, scaled, current))

    def _blind(self, found: Json, conditions: Conditions, why: MetricError, current: int) -> None:
        conditions.put("AbleToScale", "True", "SucceededGetScale", _GOT_SCALE)
        text = f"the HPA was unable to compute the replica count: {why}"
        conditions.put("ScalingActive", "False", "FailedGetResourceMetric", text)
        self._say(found, "FailedGetResourceMetric", str(why), warning=True)
        invalid = f"invalid metrics (1 invalid out of 1), first error is: {why}"
        self._say(found, "FailedComputeMetricsReplicas", invalid, warning=True)
        self._write(found, conditions, {"currentReplicas": current, "desiredReplicas": current})

    def _decide(
        self,
        found: Json,
        conditions: Conditions,
        readings: list[Reading],
        target: tuple[str, Json, int],
    ) -> None:
        resource, scaled, current = target
        best = max(readings, key=lambda one: one.replicas)
        active = f"the HPA was able to successfully calculate a replica count from {best.what}"
        conditions.put("ScalingActive", "True", "ValidMetricFound", active)
        wanted, stabilized = self._stabilized(found, best.replicas, current)
        desired = bounded(found, current, wanted, conditions)
        if desired != current:
            self._scale(resource, scaled, desired)
            text = f"the HPA controller was able to update the target scale to {desired}"
            conditions.put("AbleToScale", "True", "SucceededRescale", text)
            why = f"{best.what} above target" if desired > current else "All metrics below target"
            self._say(found, "SuccessfulRescale", f"New size: {desired}; reason: {why}")
        elif stabilized:
            conditions.put("AbleToScale", "True", "ScaleDownStabilized", _STABILIZED)
        else:
            text = "recommended size matches current size"
            conditions.put("AbleToScale", "True", "ReadyForNewScale", text)
        status: Json = {
            "currentReplicas": current,
            "desiredReplicas": desired,
            "currentMetrics": [one.current for one in readings],
        }
        if desired != current:
            status["lastScaleTime"] = stamp(self._stage.now)
        self._write(found, conditions, status)

    def _stabilized(self, found: Json, wanted: int, current: int) -> tuple[int, bool]:
        """Scale down only to the highest recommendation of the last minutes."""
        behavior = (found["spec"].get("behavior") or {}).get("scaleDown") or {}
        seconds = behavior.get("stabilizationWindowSeconds", _SCALE_DOWN_SECONDS)
        oldest = self._stage.now - timedelta(seconds=seconds)
        key = key_of(found)
        recent = [one for one in self._wished.get(key, ()) if one[0] >= oldest]
        self._wished[key] = [*recent, (self._stage.now, wanted)]
        highest = max((count for _, count in recent), default=wanted)
        if not recent and (found.get("status") or {}).get("currentMetrics") is None:
            highest = max(wanted, current)  # it has just begun to look: nothing is known of before
        if wanted < current and highest > wanted:
            return min(highest, current), True
        return wanted, False

    def _target(self, found: Json, reference: Json) -> tuple[str, Json] | None:
        group = str(reference.get("apiVersion", "")).rpartition("/")[0]
        resource = _KINDS.get((group, str(reference.get("kind"))))
        if resource is None:
            return None
        namespace = found["metadata"]["namespace"]
        scaled = self._stage.store.find(resource, namespace, str(reference.get("name")))
        return None if scaled is None else (resource, scaled)

    def _read(
        self, metric: Json, scaled: Json, current: int, used: Mapping[str, list[Used]]
    ) -> Reading:
        source = metric.get("resource") or {}
        name = source.get("name", "cpu")
        target = source.get("target") or {}
        if metric.get("type") != "Resource" or "averageUtilization" not in target:
            raise MetricError("unable to fetch metrics from custom metrics API: no API is there")
        pods = [
            pod
            for pod in self._stage.store.objects("pods", scaled["metadata"]["namespace"])
            if is_active(pod)
            and selects(scaled["spec"].get("selector"), pod["metadata"].get("labels") or {})
        ]
        ready = [pod for pod in pods if is_ready(pod) and pod["metadata"]["uid"] in used]
        head = f"failed to get {name} utilization: "
        asked = sum(_asked(pod, name, head) for pod in pods if pod in ready) if ready else 0.0
        if not ready:
            text = "no metrics returned from resource metrics API"
            raise MetricError(f"{head}unable to get metrics for resource {name}: {text}")
        spent = sum(_spent(one, name) for pod in ready for one in used[pod["metadata"]["uid"]])
        ratio = 100 * spent / asked / target["averageUtilization"]
        near = abs(ratio - 1) <= TOLERANCE_RATIO
        replicas = current if near else math.ceil(ratio * len(ready))
        value = spent / len(ready)
        shown = f"{math.ceil(value * 1000)}m" if name == "cpu" else str(round(value))
        now = {"averageUtilization": int(100 * spent / asked), "averageValue": shown}
        return Reading(
            replicas=replicas,
            current={"type": "Resource", "resource": {"name": name, "current": now}},
            what=f"{name} resource utilization (percentage of request)",
            above=ratio > 1,
        )

    def _scale(self, resource: str, scaled: Json, desired: int) -> None:
        def scale(found: Json) -> None:
            found["spec"]["replicas"] = desired

        self._stage.edit(CONTROLLERS, resource, key_of(scaled), scale, "scale")

    def _say(self, found: Json, reason: str, message: str, *, warning: bool = False) -> None:
        self._events.controller(
            COMPONENT, "horizontalpodautoscalers", found, reason, message, warning=warning
        )

    def _write(self, found: Json, conditions: Conditions, status: Json) -> None:
        before = found.get("status") or {}
        kept: dict[str, Any] = {
            name: before[name]
            for name in ("currentReplicas", "desiredReplicas", "lastScaleTime")
            if name in before
        }
        made = {**kept, "currentMetrics": None, **status, "conditions": conditions.listed}
        self._stage.write_status(CONTROLLERS, "horizontalpodautoscalers", key_of(found), made)


_GOT_SCALE: Final = "the HPA controller was able to get the target's current scale"
_STABILIZED: Final = (
    "recent recommendations were higher than current one, applying the highest recent "
    "recommendation"
)
_DEFAULT_METRIC: Final[Json] = {
    "type": "Resource",
    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}},
}


def _asked(pod: Json, name: str, head: str) -> float:
    total = 0.0
    for one in pod["spec"]["containers"]:
        request = amount(one.get("resources") or {}, "requests", name)
        if not request:
            where = f"container {one['name']} of Pod {pod['metadata']['name']}"
            raise MetricError(f"{head}missing request for {name} in {where}")
        total += request
    return total


def _spent(used: Used, name: str) -> float:
    return used.cores if name == "cpu" else float(used.memory_bytes)
