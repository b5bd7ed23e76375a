"""autoscaling/v1: the same autoscalers with one number for CPU, and the rest as annotations."""

from __future__ import annotations

import json
from typing import Any, Final

from petops.lab.store import Json, clone

OLD: Final = ("autoscaling/v1", "horizontalpodautoscalers")
_CPU: Final = "targetCPUUtilizationPercentage"
_PREFIX: Final = "autoscaling.alpha.kubernetes.io/"
_KEPT: Final = ("currentReplicas", "desiredReplicas", "lastScaleTime", "observedGeneration")


def as_old(found: Json) -> Json:
    """Return a stored autoscaler as v1 shows it."""
    spec, status = dict(found.get("spec") or {}), found.get("status") or {}
    other: list[Any] = []
    notes: dict[str, Any] = {}
    for one in spec.pop("metrics", None) or ():
        percent = _cpu_percent(one, "target")
        if percent is not None and _CPU not in spec:
            spec[_CPU] = percent
        else:
            other.append(one)
    if spec.get("behavior"):
        notes["behavior"] = spec.pop("behavior")
    shown: Json = {name: status[name] for name in _KEPT if name in status}
    for one in status.get("currentMetrics") or ():
        percent = _cpu_percent(one, "current")
        if percent is not None:
            shown["currentCPUUtilizationPercentage"] = percent
    notes |= {"metrics": other, "conditions": status.get("conditions")}
    metadata = dict(found["metadata"])
    texts = {f"{_PREFIX}{name}": json.dumps(value) for name, value in notes.items() if value}
    if texts:
        metadata["annotations"] = {**(metadata.get("annotations") or {}), **texts}
    return {**found, "metadata": metadata, "spec": spec, "status": shown}


def from_old(sent: Json) -> Json:
    """Return what the store keeps of an autoscaler that came as v1."""
    made: Json = clone(sent)
    spec = made.get("spec")
    if isinstance(spec, dict) and spec.get(_CPU) is not None:
        target = {"type": "Utilization", "averageUtilization": spec.pop(_CPU)}
        spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
    annotations = made["metadata"].get("annotations") or {}
    for name in [one for one in annotations if one.startswith(_PREFIX)]:
        del annotations[name]
    return made


def _cpu_percent(metric: Json, part: str) -> int | None:
    source: Any = metric.get("resource") or {}
    if not isinstance(source, dict) or source.get("name") != "cpu":
        return None
    return (source.get(part) or {}).get("averageUtilization")
