"""The columns that `kubectl get` prints, as the API server's printers make them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from petops.lab.kubernetes_ages import duration
from petops.lab.kubernetes_more_tables import NUMBERS, OF_TEMPLATE, PRINTERS, Printer, containers
from petops.lab.kubernetes_other_tables import OTHER_NUMBERS, OTHER_PRINTERS
from petops.lab.quantities import moment
from petops.lab.resource_rows import Resource
from petops.lab.selectors import as_text
from petops.lab.store import Json

Row = list[Any]
_NONE: Final = "<none>"
_WIDE: Final = 1


def columns(resource: Resource) -> list[Json]:
    """Return the column definitions; those of `-o wide` have priority 1."""
    names, wide, _ = _PRINTERS.get(resource.plural, _PLAIN)
    return [
        {
            "name": name,
            "type": "integer" if name in _NUMBERS.get(resource.plural, ()) else "string",
            "format": "name" if name == "Name" else "",
            "description": "",
            "priority": priority,
        }
        for priority, group in ((0, names), (_WIDE, wide))
        for name in group
    ]


def row(resource: Resource, found: Json, now: datetime) -> Row:
    """Return one object's cells."""
    return _PRINTERS.get(resource.plural, _PLAIN)[2](found, now)


def _age(found: Json, now: datetime) -> str:
    return _since(found["metadata"].get("creationTimestamp"), now)


def _since(text: str | None, now: datetime) -> str:
    return duration((now - moment(text)).total_seconds()) if text else "<unknown>"


def _name(found: Json) -> str:
    return str(found["metadata"]["name"])


def _plain(found: Json, now: datetime) -> Row:
    return [_name(found), found["metadata"].get("creationTimestamp") or "<unknown>"]


def _pod(found: Json, now: datetime) -> Row:
    spec, status = found.get("spec") or {}, found.get("status") or {}
    statuses = status.get("containerStatuses") or []
    restarts = sum(one.get("restartCount", 0) for one in statuses)
    ended = [
        one["lastState"]["terminated"]["finishedAt"]
        for one in statuses
        if (one.get("lastState") or {}).get("terminated", {}).get("finishedAt")
    ]
    shown = f"{restarts} ({_since(max(ended), now)} ago)" if restarts and ended else str(restarts)
    ready = sum(bool(one.get("ready")) for one in statuses)
    return [
        _name(found),
        f"{ready}/{len(spec.get('containers') or ())}",
        pod_reason(found),
        shown,
        _age(found, now),
        status.get("podIP") or _NONE,
        spec.get("nodeName") or _NONE,
        status.get("nominatedNodeName") or _NONE,
        _NONE,
    ]


def pod_reason(found: Json) -> str:
    """Return what stands under STATUS."""
    status = found.get("status") or {}
    reason = status.get("reason") or status.get("phase") or "Unknown"
    for one in reversed(status.get("containerStatuses") or []):
        state = one.get("state") or {}
        if (state.get("waiting") or {}).get("reason"):
            reason = state["waiting"]["reason"]
        elif "terminated" in state:
            ended = state["terminated"]
            reason = ended.get("reason") or f"ExitCode:{ended.get('exitCode')}"
    if "deletionTimestamp" in found["metadata"]:
        return "Unknown" if status.get("reason") == "NodeLost" else "Terminating"
    return str(reason)


def _deployment(found: Json, now: datetime) -> Row:
    spec, status = found["spec"], found.get("status") or {}
    return [
        _name(found),
        f"{status.get('readyReplicas', 0)}/{spec.get('replicas', 0)}",
        status.get("updatedReplicas", 0),
        status.get("availableReplicas", 0),
        _age(found, now),
        *containers(found),
        as_text(spec.get("selector")),
    ]


def _replica_set(found: Json, now: datetime) -> Row:
    spec, status = found["spec"], found.get("status") or {}
    return [
        _name(found),
        spec.get("replicas", 0),
        status.get("replicas", 0),
        status.get("readyReplicas", 0),
        _age(found, now),
        *containers(found),
        as_text(spec.get("selector")),
    ]


def _node(found: Json, now: datetime) -> Row:
    status, info = found.get("status") or {}, (found.get("status") or {}).get("nodeInfo") or {}
    ready = next(
        (one["status"] for one in status.get("conditions") or () if one["type"] == "Ready"), ""
    )
    state = {"True": "Ready", "": "Unknown"}.get(ready, "NotReady")
    if (found.get("spec") or {}).get("unschedulable"):
        state += ",SchedulingDisabled"
    prefix = "node-role.kubernetes.io/"
    labels = found["metadata"].get("labels") or {}
    roles = ",".join(
        sorted(name.removeprefix(prefix) for name in labels if name.startswith(prefix))
    )
    addresses = {one.get("type"): one.get("address") for one in status.get("addresses") or ()}
    return [
        _name(found),
        state,
        roles or _NONE,
        _age(found, now),
        info.get("kubeletVersion", ""),
        addresses.get("InternalIP", _NONE),
        addresses.get("ExternalIP", _NONE),
        info.get("osImage", "<unknown>"),
        info.get("kernelVersion", "<unknown>"),
        info.get("containerRuntimeVersion", "<unknown>"),
    ]


def _service(found: Json, now: datetime) -> Row:
    spec = found["spec"]
    ports = ",".join(
        f"{one['port']}:{one['nodePort']}/{one.get('protocol', 'TCP')}"
        if one.get("nodePort")
        else f"{one['port']}/{one.get('protocol', 'TCP')}"
        for one in spec.get("ports") or ()
    )
    return [
        _name(found),
        spec.get("type", "ClusterIP"),
        spec.get("clusterIP") or _NONE,
        _external(found),
        ports or _NONE,
        _age(found, now),
        ",".join(f"{name}={value}" for name, value in sorted((spec.get("selector") or {}).items()))
        or _NONE,
    ]


def _external(found: Json) -> str:
    """Return what stands under EXTERNAL-IP."""
    spec = found["spec"]
    if spec.get("type") == "ExternalName":
        return str(spec.get("externalName", ""))
    given = list(spec.get("externalIPs") or ())
    if spec.get("type") == "LoadBalancer":
        status = (found.get("status") or {}).get("loadBalancer") or {}
        given = [
            one.get("ip") or one.get("hostname") for one in status.get("ingress") or ()
        ] + given
        return ",".join(map(str, given)) or "<pending>"
    return ",".join(map(str, given)) or _NONE


def _event(found: Json, now: datetime) -> Row:
    about = found.get("involvedObject") or {}
    first = found.get("firstTimestamp") or found.get("eventTime")
    last = found.get("lastTimestamp") or first
    source = found.get("source") or {}
    origin = ", ".join(
        filter(
            None, (source.get("component") or found.get("reportingComponent"), source.get("host"))
        )
    )
    return [
        _since(last, now),
        found.get("type", ""),
        found.get("reason", ""),
        f"{str(about.get('kind', '')).lower()}/{about.get('name', '')}",
        found.get("message", ""),
        about.get("fieldPath", ""),
        origin,
        _since(first, now),
        found.get("count") or 1,
        _name(found),
    ]


def _budget(found: Json, now: datetime) -> Row:
    spec = found["spec"]
    return [
        _name(found),
        str(spec.get("minAvailable", "N/A")),
        str(spec.get("maxUnavailable", "N/A")),
        (found.get("status") or {}).get("disruptionsAllowed", 0),
        _age(found, now),
    ]


def _namespace(found: Json, now: datetime) -> Row:
    return [_name(found), (found.get("status") or {}).get("phase", ""), _age(found, now)]


def _config_map(found: Json, now: datetime) -> Row:
    return [_name(found), len(found.get("data") or {}), _age(found, now)]


def _endpoints(found: Json, now: datetime) -> Row:
    listed = [
        f"{address['ip']}:{port['port']}"
        for subset in found.get("subsets") or ()
        for address in subset.get("addresses") or ()
        for port in subset.get("ports") or ()
    ]
    more = f" + {len(listed) - 3} more..." if len(listed) > 3 else ""
    return [_name(found), (",".join(listed[:3]) + more) or _NONE, _age(found, now)]


def _lease(found: Json, now: datetime) -> Row:
    return [_name(found), found.get("spec", {}).get("holderIdentity", ""), _age(found, now)]


_PLAIN: Final[Printer] = (("Name", "Created At"), (), _plain)
_PRINTERS: Final[Mapping[str, Printer]] = {
    **PRINTERS,
    **OTHER_PRINTERS,
    "configmaps": (("Name", "Data", "Age"), (), _config_map),
    "deployments": (("Name", "Ready", "Up-to-date", "Available", "Age"), OF_TEMPLATE, _deployment),
    "endpoints": (("Name", "Endpoints", "Age"), (), _endpoints),
    "events": (
        ("Last Seen", "Type", "Reason", "Object", "Message"),
        ("Subobject", "Source", "First Seen", "Count", "Name"),
        _event,
    ),
    "leases": (("Name", "Holder", "Age"), (), _lease),
    "namespaces": (("Name", "Status", "Age"), (), _namespace),
    "nodes": (
        ("Name", "Status", "Roles", "Age", "Version"),
        ("Internal-IP", "External-IP", "OS-Image", "Kernel-Version", "Container-Runtime"),
        _node,
    ),
    "poddisruptionbudgets": (
        ("Name", "Min Available", "Max Unavailable", "Allowed Disruptions", "Age"),
        (),
        _budget,
    ),
    "pods": (
        ("Name", "Ready", "Status", "Restarts", "Age"),
        ("IP", "Node", "Nominated Node", "Readiness Gates"),
        _pod,
    ),
    "replicasets": (("Name", "Desired", "Current", "Ready", "Age"), OF_TEMPLATE, _replica_set),
    "services": (
        ("Name", "Type", "Cluster-IP", "External-IP", "Port(s)", "Age"),
        ("Selector",),
        _service,
    ),
}
_NUMBERS: Final[Mapping[str, Sequence[str]]] = {
    **NUMBERS,
    **OTHER_NUMBERS,
    "configmaps": ("Data",),
    "deployments": ("Up-to-date", "Available"),
    "events": ("Count",),
    "poddisruptionbudgets": ("Allowed Disruptions",),
    "replicasets": ("Desired", "Current", "Ready"),
}
