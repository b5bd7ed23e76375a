"""Of which type the fields are that the lab reads: names mean the same wherever they stand.

What has another type could not be decoded by a real server either, so it is refused before
anything in the lab can stumble over it. A null counts as not being there, as in Go.
"""

from __future__ import annotations

import base64
import contextlib
import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, cast

from petops.lab.quantities import quantity
from petops.lab.store import Json

Type = tuple[Callable[[Any], bool], str]
"""Whether a value has the type, and what Go calls it."""


def _each(names: str, good: Callable[[Any], bool], wanted: str) -> dict[str, Type]:
    return dict.fromkeys(names.split(), (good, wanted))


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_object(value: object) -> bool:
    return isinstance(value, dict)


def _is_map(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(one, str) for one in value.values())


def _is_share(value: object) -> bool:
    return re.fullmatch(r"\d{1,9}%?", str(value)) is not None


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _are_quantities(value: object) -> bool:
    return isinstance(value, dict) and all(_is_quantity(one) for one in value.values())


def _is_quantity(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return False
    with contextlib.suppress(ValueError):
        return math.isfinite(quantity(value))
    return False


def _is_time(value: object) -> bool:
    return isinstance(value, str) and _TIME.fullmatch(value) is not None


_TIME: Final = re.compile(
    r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3])(:[0-5]\d){2}(\.\d+)?"
    r"(Z|[+-]\d\d:\d\d)"
)
_QUANTITIES: Final = (
    "v1.ResourceList: quantities must match the regular expression "
    "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
)
_TYPES: Final[Mapping[str, Type]] = {
    **_each(
        "activeDeadlineSeconds averageUtilization backoffLimit completions containerPort count "
        "deletionGracePeriodSeconds failureThreshold generation "
        "gracePeriodSeconds initialDelaySeconds leaseDurationSeconds maxReplicas minReadySeconds "
        "minReplicas parallelism partition periodSeconds progressDeadlineSeconds replicas "
        "restartCount "
        "revisionHistoryLimit successThreshold terminationGracePeriodSeconds timeoutSeconds",
        _is_number,
        "int32",
    ),
    **_each(
        "action address priorityClassName schedule apiVersion component effect generateName "
        "host image imagePullPolicy key "
        "kind message mountPath name namespace nodeName operator propagationPolicy reason "
        "resourceVersion restartPolicy schedulerName serviceAccountName type",
        _is_text,
        "string",
    ),
    **_each(
        "acquireTime creationTimestamp deletionTimestamp eventTime finishedAt firstTimestamp "
        "lastHeartbeatTime lastTimestamp lastTransitionTime lastUpdateTime renewTime startTime "
        "startedAt",
        _is_time,
        "v1.Time",
    ),
    **_each(
        "hostNetwork paused suspend unschedulable", lambda value: isinstance(value, bool), "bool"
    ),
    **_each("annotations labels matchLabels nodeSelector", _is_map, "map[string]string"),
    **_each("args command finalizers values", _are_texts, "[]string"),
    **_each(
        "affinity deleteOptions httpGet jobTemplate nodeAffinity involvedObject lastState "
        "livenessProbe metadata preconditions "
        "readinessProbe regarding resources rollingUpdate running scaleTargetRef selector source "
        "spec startupProbe state strategy template terminated waiting",
        _is_object,
        "object",
    ),
    **_each(
        "allocatable limits requests",
        _are_quantities,
        _QUANTITIES,
    ),
    # An object's is text, that of a container's user (`user.linux.uid`) a number.
    **_each("uid", lambda one: _is_text(one) or _is_number(one), "string"),
    # A node's `nodeInfo.swap.capacity` is bytes.
    **_each("capacity", lambda one: _is_number(one) or _are_quantities(one), _QUANTITIES),
    **_each("maxSurge maxUnavailable minAvailable", _is_share, "intstr.IntOrString"),
}
_LISTS: Final[Mapping[str, tuple[str, ...]]] = {
    "addresses": (),
    "conditions": ("type", "status"),
    "containerStatuses": ("name", "restartCount"),
    "containers": (),
    "env": ("name",),
    "ephemeralContainers": (),
    "hostAliases": ("ip",),
    "imagePullSecrets": (),
    "initContainers": (),
    "matchExpressions": ("key", "operator"),
    "matchFields": ("key", "operator"),
    "metrics": (),
    "nodeSelectorTerms": (),
    "ownerReferences": ("apiVersion", "kind", "name", "uid"),
    "ports": (),
    "secrets": (),
    "taints": ("key", "effect"),
    "tolerations": (),
    "topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
    "volumeDevices": ("devicePath",),
    "volumeMounts": ("mountPath", "name"),
    "volumes": ("name",),
}
"""Lists of objects, with what each of them must have."""


def _are_rules(value: object) -> bool:
    return isinstance(value, list) and all(
        isinstance(one, dict) and all(_are_texts(listed) for listed in one.values())
        for one in value
    )


def _are_maps(value: object) -> bool:
    return isinstance(value, list) and all(_is_map(one) for one in value)


def _are_limits(value: object) -> bool:
    limits = value.get("limits") if isinstance(value, dict) else None
    return isinstance(limits, list) and all(
        isinstance(one, dict)
        and all(
            _is_text(each) if name == "type" else _are_quantities(each)
            for name, each in one.items()
        )
        for one in limits
    )


def _are_objects(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, dict) for one in value)


def _are_subsets(value: object) -> bool:
    return isinstance(value, list) and all(
        isinstance(one, dict)
        and all(_are_objects(one.get(name) or []) for name in ("addresses", "ports"))
        and all(_is_text(each.get("ip")) for each in one.get("addresses") or ())
        and all(_is_number(each.get("port")) for each in one.get("ports") or ())
        for one in value
    )


def _are_places(value: object) -> bool:
    return _are_objects(value) and all(
        _are_texts(one.get("addresses")) for one in cast("list[Json]", value)
    )


def _is_encoded(value: object) -> bool:
    if not isinstance(value, dict):
        return False
    try:
        for one in value.values():
            base64.b64decode(one or "", validate=True)
    except (ValueError, TypeError):
        return False
    return True


def _is_hard(value: object) -> bool:
    return isinstance(value, dict) and _are_quantities(value.get("hard") or {})


_OTHERWISE: Final[Mapping[str, Mapping[str, Callable[[Any], bool]]]] = {
    "clusterrolebindings": {"roleRef": _is_map, "subjects": _are_maps},
    "clusterroles": {"rules": _are_rules},
    "configmaps": {"data": _is_map, "binaryData": _is_map},
    "endpoints": {"subsets": _are_subsets},
    "endpointslices": {"addressType": _is_text, "endpoints": _are_places, "ports": _are_objects},
    "limitranges": {"spec": _are_limits},
    "resourcequotas": {"spec": _is_hard},
    "rolebindings": {"roleRef": _is_map, "subjects": _are_maps},
    "roles": {"rules": _are_rules},
    "secrets": {"data": _is_encoded, "stringData": _is_map, "type": _is_text},
}
"""Kinds whose fields mean something else than the same names elsewhere."""

_UNREAD: Final = frozenset(("data", "stringData", "managedFields", "fieldsV1", "lastState"))


def without_nulls(found: Any) -> Any:
    """Return JSON without the fields that the lab reads and that are null."""
    if isinstance(found, dict):
        return {
            name: without_nulls(value)
            for name, value in found.items()
            if value is not None or not (name in _TYPES or name in _LISTS)
        }
    return [without_nulls(one) for one in found] if isinstance(found, list) else found


def wrong_shape(found: Json, resource: str) -> str | None:
    """Say which field has a type that it cannot have; None if none has."""
    if not isinstance(found.get("status", {}), dict):
        return _cannot(found["status"], "status", "object")
    if resource in _OTHERWISE:
        for name, good in _OTHERWISE[resource].items():
            if found.get(name) is not None and not good(found[name]):
                return _cannot(found[name], name, "v1." + name)
        found = {key: value for key, value in found.items() if key not in _OTHERWISE[resource]}
    return next(_wrong(found, ""), None)


def _wrong(found: Json, path: str) -> Iterator[str]:
    for name, value in found.items():
        place = f"{path}.{name}" if path else str(name)
        if value is None or name in _UNREAD:
            continue
        wanted = _mismatch(name, value)
        if wanted:
            yield _cannot(value, place, wanted)
        elif isinstance(value, dict):
            yield from _wrong(value, place)
        elif isinstance(value, list):
            for one in value:
                if isinstance(one, dict):
                    yield from _wrong(one, place)


def _mismatch(name: str, value: object) -> str:
    """Return the type that a value should have had; empty if it has."""
    if name in _TYPES:
        good, wanted = _TYPES[name]
        return "" if good(value) else wanted
    if name not in _LISTS:
        return ""
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        return "[]object"
    told = {"env": "value", "conditions": "status"}.get(name)
    if told and not all(_is_text(one.get(told, "")) for one in value):
        return f"[]object, whose {told} is a string"
    lacking = {key for one in value for key in _LISTS[name] if key not in one}
    return f"object with {', '.join(sorted(lacking))}" if lacking else ""


def _cannot(value: object, place: str, wanted: str) -> str:
    names = {dict: "object", list: "array", str: "string", bool: "bool"}
    kind = names.get(type(value), "number")
    return f"json: cannot unmarshal {kind} into Go struct field {place} of type {wanted}"
