"""The columns of what a cluster has besides workloads: ways in, volumes, classes, extensions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from petops.lab.kubernetes_ages import duration
from petops.lab.kubernetes_more_tables import Printer, containers
from petops.lab.quantities import moment
from petops.lab.selectors import as_text
from petops.lab.store import Json

Row = list[Any]
_NONE: Final = "<none>"
_UNSET: Final = "<unset>"
_SHORT: Final = {
    "ReadOnlyMany": "ROX",
    "ReadWriteMany": "RWX",
    "ReadWriteOnce": "RWO",
    "ReadWriteOncePod": "RWOP",
}


def _name(found: Json) -> str:
    return str(found["metadata"]["name"])


def _age(found: Json, now: datetime) -> str:
    text = found["metadata"].get("creationTimestamp")
    return duration((now - moment(text)).total_seconds()) if text else "<unknown>"


def _aged(found: Json, now: datetime) -> Row:
    return [_name(found), _age(found, now)]


def _dated(found: Json, _: datetime) -> Row:
    return [_name(found), found["metadata"].get("creationTimestamp", "")]


def _modes(spec: Json) -> str:
    return ",".join(_SHORT.get(one, one) for one in spec.get("accessModes") or ())


def _ingress(found: Json, now: datetime) -> Row:
    spec, status = found["spec"], found.get("status") or {}
    hosts = [one.get("host") for one in spec.get("rules") or () if one.get("host")]
    given = (status.get("loadBalancer") or {}).get("ingress") or ()
    return [
        _name(found),
        spec.get("ingressClassName") or _NONE,
        ",".join(hosts) or "*",
        ",".join(str(one.get("hostname") or one.get("ip")) for one in given),
        "80, 443" if spec.get("tls") else "80",
        _age(found, now),
    ]


def _ingress_class(found: Json, now: datetime) -> Row:
    spec = found["spec"]
    given = spec.get("parameters") or {}
    kind = f"{given['kind']}/{given.get('name')}" if given.get("kind") else _NONE
    return [_name(found), spec.get("controller", ""), kind, _age(found, now)]


def _network_policy(found: Json, now: datetime) -> Row:
    return [_name(found), as_text(found["spec"].get("podSelector")) or _NONE, _age(found, now)]


def _volume(found: Json, now: datetime) -> Row:
    spec, claim = found["spec"], found["spec"].get("claimRef") or {}
    return [
        _name(found),
        (spec.get("capacity") or {}).get("storage", ""),
        _modes(spec),
        spec.get("persistentVolumeReclaimPolicy", "Retain"),
        (found.get("status") or {}).get("phase", "Available"),
        f"{claim.get('namespace')}/{claim.get('name')}" if claim else "",
        spec.get("storageClassName", ""),
        spec.get("volumeAttributesClassName") or _UNSET,
        (found.get("status") or {}).get("reason", ""),
        _age(found, now),
        spec.get("volumeMode", "Filesystem"),
    ]


def _claim(found: Json, now: datetime) -> Row:
    spec, status = found["spec"], found.get("status") or {}
    bound = bool(spec.get("volumeName"))
    return [
        _name(found),
        status.get("phase", "Pending"),
        spec.get("volumeName", ""),
        (status.get("capacity") or {}).get("storage", "") if bound else "",
        _modes(status if status.get("accessModes") else spec) if bound else "",
        spec.get("storageClassName", ""),
        spec.get("volumeAttributesClassName") or _UNSET,
        _age(found, now),
        spec.get("volumeMode", "Filesystem"),
    ]


def _storage_class(found: Json, now: datetime) -> Row:
    default = "storageclass.kubernetes.io/is-default-class"
    marked = (found["metadata"].get("annotations") or {}).get(default) == "true"
    return [
        _name(found) + (" (default)" if marked else ""),
        found.get("provisioner", ""),
        found.get("reclaimPolicy", "Delete"),
        found.get("volumeBindingMode", "Immediate"),
        bool(found.get("allowVolumeExpansion")),
        _age(found, now),
    ]


def _priority(found: Json, now: datetime) -> Row:
    return [
        _name(found),
        found.get("value", 0),
        bool(found.get("globalDefault")),
        _age(found, now),
        found.get("preemptionPolicy", "PreemptLowerPriority"),
    ]


def _replication(found: Json, now: datetime) -> Row:
    spec, status = found["spec"], found.get("status") or {}
    return [
        _name(found),
        spec.get("replicas", 1),
        status.get("replicas", 0),
        status.get("readyReplicas", 0),
        _age(found, now),
        *containers(found),
        as_text({"matchLabels": spec.get("selector") or {}}),
    ]


def _api_service(found: Json, now: datetime) -> Row:
    service = found["spec"].get("service")
    held = [
        one
        for one in (found.get("status") or {}).get("conditions") or ()
        if one["type"] == "Available"
    ]
    state = held[0]["status"] if held else "Unknown"
    if state == "False":
        state = f"False ({held[0].get('reason')})"
    place = f"{service.get('namespace')}/{service.get('name')}" if service else "Local"
    return [_name(found), place, state, _age(found, now)]


def _scale(found: Json, now: datetime) -> Row:
    wanted = (found.get("spec") or {}).get("replicas", 0)
    return [_name(found), wanted, (found.get("status") or {}).get("replicas", 0), _age(found, now)]


def _webhooks(found: Json, now: datetime) -> Row:
    return [_name(found), len(found.get("webhooks") or ()), _age(found, now)]


OTHER_PRINTERS: Final[Mapping[str, Printer]] = {
    "apiservices": (("Name", "Service", "Available", "Age"), (), _api_service),
    "customresourcedefinitions": (("Name", "Created At"), (), _dated),
    "ingressclasses": (("Name", "Controller", "Parameters", "Age"), (), _ingress_class),
    "ingresses": (("Name", "Class", "Hosts", "Address", "Ports", "Age"), (), _ingress),
    "limitranges": (("Name", "Created At"), (), _dated),
    "mutatingwebhookconfigurations": (("Name", "Webhooks", "Age"), (), _webhooks),
    "networkpolicies": (("Name", "Pod-Selector", "Age"), (), _network_policy),
    "persistentvolumeclaims": (
        (
            "Name",
            "Status",
            "Volume",
            "Capacity",
            "Access Modes",
            "StorageClass",
            "VolumeAttributesClass",
            "Age",
        ),
        ("VolumeMode",),
        _claim,
    ),
    "persistentvolumes": (
        (
            "Name",
            "Capacity",
            "Access Modes",
            "Reclaim Policy",
            "Status",
            "Claim",
            "StorageClass",
            "VolumeAttributesClass",
            "Reason",
            "Age",
        ),
        ("VolumeMode",),
        _volume,
    ),
    "priorityclasses": (
        ("Name", "Value", "Global-Default", "Age", "PreemptionPolicy"),
        (),
        _priority,
    ),
    "prometheusrules": (("Name", "Age"), (), _aged),
    "replicationcontrollers": (
        ("Name", "Desired", "Current", "Ready", "Age"),
        ("Containers", "Images", "Selector"),
        _replication,
    ),
    "scales": (("Name", "Desired", "Available", "Age"), (), _scale),
    "servicemonitors": (("Name", "Age"), (), _aged),
    "storageclasses": (
        (
            "Name",
            "Provisioner",
            "ReclaimPolicy",
            "VolumeBindingMode",
            "AllowVolumeExpansion",
            "Age",
        ),
        (),
        _storage_class,
    ),
    "validatingwebhookconfigurations": (("Name", "Webhooks", "Age"), (), _webhooks),
}
OTHER_NUMBERS: Final[Mapping[str, Sequence[str]]] = {
    "mutatingwebhookconfigurations": ("Webhooks",),
    "priorityclasses": ("Value",),
    "replicationcontrollers": ("Desired", "Current", "Ready"),
    "scales": ("Desired", "Available"),
    "validatingwebhookconfigurations": ("Webhooks",),
}
