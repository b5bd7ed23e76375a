"""More of the columns that `kubectl get` prints: workloads beside Deployments, access, bounds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from petops.lab.kubernetes_ages import duration
from petops.lab.pod_facts import condition
from petops.lab.quantities import moment
from petops.lab.selectors import as_text
from petops.lab.store import Json

Row = list[Any]
Printer = tuple[Sequence[str], Sequence[str], Callable[[Json, datetime], Row]]
_NONE: Final = "<none>"
_SHOWN: Final = 2
OF_TEMPLATE: Final = ("Containers", "Images", "Selector")
_BOUND: Final = ("Users", "Groups", "ServiceAccounts")


def _since(text: str | None, now: datetime) -> str:
    return duration((now - moment(text)).total_seconds()) if text else "<unknown>"


def _age(found: Json, now: datetime) -> str:
    return _since(found["metadata"].get("creationTimestamp"), now)


def _name(found: Json) -> str:
    return str(found["metadata"]["name"])


def _daemon_set(found: Json, now: datetime) -> Row:
    status = found.get("status") or {}
    template = (found["spec"].get("template") or {}).get("spec") or {}
    selector = template.get("nodeSelector") or {}
    counts = (
        "desiredNumberScheduled",
        "currentNumberScheduled",
        "numberReady",
        "updatedNumberScheduled",
        "numberAvailable",
    )
    shown = ",".join(f"{name}={value}" for name, value in sorted(selector.items()))
    return [
        _name(found),
        *(status.get(one, 0) for one in counts),
        shown or _NONE,
        _age(found, now),
        *containers(found),
        as_text(found["spec"].get("selector")),
    ]


def containers(found: Json) -> tuple[str, str]:
    """Return the names and the images of a template's containers."""
    template = (found["spec"].get("template") or {}).get("spec") or {}
    each = template.get("containers") or []
    return ",".join(one.get("name", "") for one in each), ",".join(
        one.get("image", "") for one in each
    )


def _stateful_set(found: Json, now: datetime) -> Row:
    ready = (found.get("status") or {}).get("readyReplicas", 0)
    wanted = found["spec"].get("replicas", 1)
    return [_name(found), f"{ready}/{wanted}", _age(found, now), *containers(found)]


def _job(found: Json, now: datetime) -> Row:
    status = found.get("status") or {}
    state = "Running"
    for kind, shown in (("Complete", "Complete"), ("Failed", "Failed")):
        held = condition(found, kind)
        if held is not None and held["status"] == "True":
            state = shown
    done = f"{status.get('succeeded', 0)}/{found['spec'].get('completions', 1)}"
    started, ended = status.get("startTime"), status.get("completionTime")
    lasted = _since(started, moment(ended) if ended else now) if started else ""
    selector = as_text(found["spec"].get("selector"))
    return [_name(found), state, done, lasted, _age(found, now), *containers(found), selector]


def _cron_job(found: Json, now: datetime) -> Row:
    spec, status = found["spec"], found.get("status") or {}
    last = status.get("lastScheduleTime")
    inner = {"spec": (spec.get("jobTemplate") or {}).get("spec") or {}}
    return [
        _name(found),
        spec.get("schedule", ""),
        spec.get("timeZone") or _NONE,
        str(bool(spec.get("suspend"))),
        len(status.get("active") or ()),
        _since(last, now) if last else _NONE,
        _age(found, now),
        *containers(inner),
        as_text(inner["spec"].get("selector")) or _NONE,
    ]


def _quota(found: Json, now: datetime) -> Row:
    status = found.get("status") or {}
    hard, used = status.get("hard") or {}, status.get("used") or {}
    shown: dict[bool, list[str]] = {True: [], False: []}
    for key in sorted(hard):
        shown[key.startswith("limits.")].append(f"{key}: {used.get(key, '0')}/{hard[key]}")
    return [_name(found), ", ".join(shown[False]), ", ".join(shown[True]), _age(found, now)]


def _account(found: Json, now: datetime) -> Row:
    return [_name(found), len(found.get("secrets") or ()), _age(found, now)]


def _secret(found: Json, now: datetime) -> Row:
    return [
        _name(found),
        found.get("type", "Opaque"),
        len(found.get("data") or {}),
        _age(found, now),
    ]


def _binding(found: Json, now: datetime) -> Row:
    role = found.get("roleRef") or {}
    bound: dict[str, list[str]] = {"User": [], "Group": [], "ServiceAccount": []}
    for one in found.get("subjects") or ():
        place = f"{one['namespace']}/" if one.get("namespace") else ""
        bound.setdefault(str(one.get("kind")), []).append(f"{place}{one.get('name')}")
    shown = (", ".join(bound[kind]) for kind in ("User", "Group", "ServiceAccount"))
    return [_name(found), f"{role.get('kind')}/{role.get('name')}", _age(found, now), *shown]


def _slice(found: Json, now: datetime) -> Row:
    ports = ",".join(str(one.get("port")) for one in found.get("ports") or ())
    addresses = [ip for one in found.get("endpoints") or () for ip in one.get("addresses") or ()]
    more = f" + {len(addresses) - 3} more..." if len(addresses) > 3 else ""
    return [
        _name(found),
        found.get("addressType", ""),
        ports or "<unset>",
        (",".join(addresses[:3]) + more) or "<unset>",
        _age(found, now),
    ]


def _revision(found: Json, now: datetime) -> Row:
    owners = found["metadata"].get("ownerReferences") or [{}]
    kind, name = str(owners[0].get("kind", "")).lower(), owners[0].get("name", "")
    return [_name(found), f"{kind}.apps/{name}", found.get("revision", 0), _age(found, now)]


def _autoscaler(found: Json, now: datetime) -> Row:
    spec, status = found["spec"], found.get("status") or {}
    target = spec.get("scaleTargetRef") or {}
    return [
        _name(found),
        f"{target.get('kind')}/{target.get('name')}",
        _targets(spec, status),
        str(spec.get("minReplicas", 1)),
        spec.get("maxReplicas", 0),
        status.get("currentReplicas", 0),
        _age(found, now),
    ]


def _targets(spec: Json, status: Json) -> str:
    """Return `cpu: 23%/70%` for each metric, as far as it is known."""
    known = {}
    for one in status.get("currentMetrics") or ():
        measured = one.get("resource") or {}
        known[measured.get("name")] = measured.get("current") or {}
    shown = []
    for one in spec.get("metrics") or ():
        kind = str(one.get("type", ""))
        source: Any = one.get(kind[:1].lower() + kind[1:]) or {}
        if not isinstance(source, dict):
            continue
        now = known.get(source.get("name"), {}) if kind == "Resource" else {}
        name = f"{source['name']}: " if "name" in source else ""
        shown.append(name + _compared(now, source.get("target") or {}))
    return ", ".join(shown[:_SHOWN]) + _more(len(shown)) or _NONE


def _compared(now: Json, target: Json) -> str:
    """Return what a metric is and what it should be."""
    if target.get("averageUtilization") is not None:
        value = now.get("averageUtilization")
        return f"{'<unknown>' if value is None else f'{value}%'}/{target['averageUtilization']}%"
    if target.get("averageValue") is not None:
        return f"{now.get('averageValue', '<unknown>')}/{target['averageValue']} (avg)"
    return f"{now.get('value', '<unknown>')}/{target.get('value', '<auto>')}"


def _more(count: int) -> str:
    return f" + {count - _SHOWN} more..." if count > _SHOWN else ""


PRINTERS: Final[Mapping[str, Printer]] = {
    "clusterrolebindings": (("Name", "Role", "Age"), _BOUND, _binding),
    "controllerrevisions": (("Name", "Controller", "Revision", "Age"), (), _revision),
    "cronjobs": (
        ("Name", "Schedule", "Timezone", "Suspend", "Active", "Last Schedule", "Age"),
        OF_TEMPLATE,
        _cron_job,
    ),
    "daemonsets": (
        (
            "Name",
            "Desired",
            "Current",
            "Ready",
            "Up-to-date",
            "Available",
            "Node Selector",
            "Age",
        ),
        OF_TEMPLATE,
        _daemon_set,
    ),
    "endpointslices": (("Name", "AddressType", "Ports", "Endpoints", "Age"), (), _slice),
    "horizontalpodautoscalers": (
        ("Name", "Reference", "Targets", "MinPods", "MaxPods", "Replicas", "Age"),
        (),
        _autoscaler,
    ),
    "jobs": (("Name", "Status", "Completions", "Duration", "Age"), OF_TEMPLATE, _job),
    "resourcequotas": (("Name", "Request", "Limit", "Age"), (), _quota),
    "rolebindings": (("Name", "Role", "Age"), _BOUND, _binding),
    "secrets": (("Name", "Type", "Data", "Age"), (), _secret),
    "serviceaccounts": (("Name", "Secrets", "Age"), (), _account),
    "statefulsets": (("Name", "Ready", "Age"), ("Containers", "Images"), _stateful_set),
}
NUMBERS: Final[Mapping[str, Sequence[str]]] = {
    "controllerrevisions": ("Revision",),
    "cronjobs": ("Active",),
    "daemonsets": ("Desired", "Current", "Ready", "Up-to-date", "Available"),
    "horizontalpodautoscalers": ("MaxPods", "Replicas"),
    "secrets": ("Data",),
    "serviceaccounts": ("Secrets",),
}
