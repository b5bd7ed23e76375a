"""What the API server refuses although it can read it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from petops.lab.defaults import quality_of_service
from petops.lab.kubernetes_status import Cause
from petops.lab.quantities import quantity
from petops.lab.selectors import selects
from petops.lab.store import Json
from petops.lab.validation_batch import autoscaler, cron_job, job, restarts_always

_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_MICRO_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(Z|[+-]\d\d:\d\d)")
_LAST_PORT: Final = 65_535
_REQUIRED: Final = "FieldValueRequired"
_POD_MAY_CHANGE: Final = frozenset(
    {"activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds"}
)


def faults(resource: str, before: Json | None, now: Json) -> list[Cause]:
    """Return what is wrong with an object that would be stored, in the order of its fields."""
    found = list(_metadata(now))
    checker = _CHECKERS.get(resource)
    if checker is not None:
        try:
            found += checker(before, now)
        except (AttributeError, KeyError, TypeError, ValueError) as exc:
            found.append(Cause("spec", f"Invalid value: {exc}"))
    return found


def _metadata(now: Json) -> Iterator[Cause]:
    name = now["metadata"].get("name", "")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        rule = (
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, "
            "'-' or '.', and must start and end with an alphanumeric character"
        )
        yield Cause("metadata.name", f"Invalid value: {json.dumps(name)}: {rule}")
    for field in ("labels", "annotations"):
        for key, value in (now["metadata"].get(field) or {}).items():
            if not isinstance(value, str):
                yield Cause(
                    f"metadata.{field}",
                    f"Invalid value: {json.dumps(value)}: {key} must be a string",
                )


def _deployment(before: Json | None, now: Json) -> Iterator[Cause]:
    spec = now["spec"]
    yield from _replicas(spec)
    yield from _selector(spec)
    yield from _template(spec, "spec.template.spec")
    yield from restarts_always(spec)
    if before is not None and before["spec"]["selector"] != spec.get("selector"):
        shown = _go_selector(spec.get("selector") or {})
        yield Cause("spec.selector", f"Invalid value: {shown}: field is immutable")


def _daemon_set(before: Json | None, now: Json) -> Iterator[Cause]:
    yield from _selector(now["spec"])
    yield from _template(now["spec"], "spec.template.spec")
    yield from restarts_always(now["spec"])


def _job(before: Json | None, now: Json) -> Iterator[Cause]:
    yield from job(now["spec"], _template, "spec")


def _cron_job(before: Json | None, now: Json) -> Iterator[Cause]:
    yield from cron_job(now["spec"], _template)


def _replicas(spec: Json) -> Iterator[Cause]:
    replicas = spec.get("replicas", 1)
    if not isinstance(replicas, int) or isinstance(replicas, bool):
        yield Cause("spec.replicas", f"Invalid value: {json.dumps(replicas)}: must be an integer")
    elif replicas < 0:
        yield Cause(
            "spec.replicas", f"Invalid value: {replicas}: must be greater than or equal to 0"
        )


def _selector(spec: Json) -> Iterator[Cause]:
    selector = spec.get("selector")
    if not selector:
        yield Cause("spec.selector", "Required value", _REQUIRED)
        return
    labels = (spec.get("template") or {}).get("metadata", {}).get("labels") or {}
    if not selects(selector, labels):
        listed = ", ".join(f"{json.dumps(key)}:{json.dumps(labels[key])}" for key in sorted(labels))
        yield Cause(
            "spec.template.metadata.labels",
            f"Invalid value: map[string]string{{{listed}}}: "
            "`selector` does not match template `labels`",
        )


def _go_selector(selector: Mapping[str, Any]) -> str:
    labels = selector.get("matchLabels") or {}
    listed = ", ".join(f"{json.dumps(key)}:{json.dumps(labels[key])}" for key in sorted(labels))
    return (
        f"v1.LabelSelector{{MatchLabels:map[string]string{{{listed}}}, "
        "MatchExpressions:[]v1.LabelSelectorRequirement(nil)}"
    )


def _template(spec: Json, path: str) -> Iterator[Cause]:
    template = spec.get("template")
    if not isinstance(template, dict):
        yield Cause(path.rpartition(".")[0], "Required value", _REQUIRED)
        return
    yield from _containers(template.get("spec") or {}, path)


def _containers(spec: Json, path: str) -> Iterator[Cause]:
    containers = spec.get("containers")
    if not containers:
        yield Cause(f"{path}.containers", "Required value", _REQUIRED)
        return
    seen: set[str] = set()
    for position, container in enumerate(containers):
        place = f"{path}.containers[{position}]"
        name = container.get("name")
        if not name:
            yield Cause(f"{place}.name", "Required value", _REQUIRED)
        elif name in seen:
            yield Cause(
                f"{place}.name", f"Duplicate value: {json.dumps(name)}", "FieldValueDuplicate"
            )
        seen.add(str(name))
        if not container.get("image"):
            yield Cause(f"{place}.image", "Required value", _REQUIRED)
        yield from _resources(container.get("resources") or {}, f"{place}.resources")


def _resources(resources: Json, path: str) -> Iterator[Cause]:
    read: dict[tuple[str, str], float] = {}
    for kind in ("limits", "requests"):
        for name, value in (resources.get(kind) or {}).items():
            read[kind, name] = quantity(value)
            if read[kind, name] < 0:
                yield Cause(
                    f"{path}.{kind}[{name}]",
                    f"Invalid value: {json.dumps(value)}: must be greater than or equal to 0",
                )
    for (kind, name), value in read.items():
        if kind == "requests" and value > read.get(("limits", name), value):
            asked, most = resources["requests"][name], resources["limits"][name]
            yield Cause(
                f"{path}.requests",
                f"Invalid value: {json.dumps(asked)}: "
                f"must be less than or equal to {name} limit of {most}",
            )


def _pod(before: Json | None, now: Json) -> Iterator[Cause]:
    yield from _containers(now["spec"], "spec")
    if before is None:
        return
    if _frozen(before["spec"]) != _frozen(now["spec"]):
        yield Cause(
            "spec",
            "Forbidden: pod updates may not change fields other than `spec.containers[*].image`,"
            "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only "
            "additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to "
            "be set to 1 if it was previously negative)",
            "FieldValueForbidden",
        )


def _resized(before: Json | None, now: Json) -> Iterator[Cause]:
    """Through `pods/resize` only CPU and memory of containers may change, and not their class."""
    yield from _containers(now["spec"], "spec")
    if before is None:
        return
    kept = [{k: v for k, v in one.items() if k != "resources"} for one in now["spec"]["containers"]]
    were = [
        {k: v for k, v in one.items() if k != "resources"} for one in before["spec"]["containers"]
    ]
    if {**now["spec"], "containers": kept} != {**before["spec"], "containers": were}:
        text = "Forbidden: only cpu and memory resources are mutable"
        yield Cause("spec", text, "FieldValueForbidden")
    was, will = quality_of_service(before["spec"]), quality_of_service(now["spec"])
    if was != will:
        text = "Invalid value: Pod QOS Class may not change as a result of resizing"
        yield Cause("metadata", text)


def _frozen(spec: Json) -> Json:
    kept = {name: value for name, value in spec.items() if name not in _POD_MAY_CHANGE}
    kept["containers"] = [
        {name: value for name, value in one.items() if name != "image"}
        for one in spec["containers"]
    ]
    return kept


def _service(before: Json | None, now: Json) -> Iterator[Cause]:
    spec = now["spec"]
    if (
        spec.get("type") != "ExternalName"
        and spec.get("clusterIP") != "None"
        and not spec.get("ports")
    ):
        yield Cause("spec.ports", "Required value", _REQUIRED)
    for position, port in enumerate(spec.get("ports") or ()):
        number = port.get("port")
        if not isinstance(number, int) or not 0 < number <= _LAST_PORT:
            rule = f"must be between 1 and {_LAST_PORT}, inclusive"
            place = f"spec.ports[{position}].port"
            yield Cause(place, f"Invalid value: {json.dumps(number)}: {rule}")
    if before is not None and before["spec"].get("clusterIP") != spec.get("clusterIP"):
        value = json.dumps(spec.get("clusterIP"))
        yield Cause("spec.clusterIPs[0]", f"Invalid value: {value}: may not change once set")


def _budget(before: Json | None, now: Json) -> Iterator[Cause]:
    spec = now["spec"]
    if "minAvailable" in spec and "maxUnavailable" in spec:
        yield Cause("spec", "Invalid value: minAvailable and maxUnavailable cannot be both set")


_CHECKERS: Final[Mapping[str, Callable[[Json | None, Json], Iterator[Cause]]]] = {
    "cronjobs": _cron_job,
    "daemonsets": _daemon_set,
    "deployments": _deployment,
    "horizontalpodautoscalers": autoscaler,
    "jobs": _job,
    "pods": _pod,
    "pods/resize": _resized,
    "poddisruptionbudgets": _budget,
    "replicasets": _deployment,
    "services": _service,
    "statefulsets": _deployment,
}


def bad_lease_time(lease: Json) -> str | None:
    """Return what is said of a lease whose times lack microseconds; None if they are well."""
    spec = lease.get("spec")
    for field in ("acquireTime", "renewTime"):
        value = spec.get(field) if isinstance(spec, dict) else None
        if value is not None and not (isinstance(value, str) and _MICRO_TIME.fullmatch(value)):
            rest = str(value)[19:] or ""
            return (
                f'Lease in version "v1" cannot be handled as a Lease: parsing time '
                f"{json.dumps(value)} as "
                f'"2006-01-02T15:04:05.000000Z07:00": cannot parse {json.dumps(rest)} as ".000000"'
            )
    return None
