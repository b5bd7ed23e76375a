"""Label selectors and field selectors, as they stand in query strings and in objects."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from petops.lab.store import Json

Matches = Callable[[Json], bool]

_NAME: Final = r"[A-Za-z0-9](?:[-A-Za-z0-9_./]*[A-Za-z0-9])?"
_SET: Final = re.compile(rf"\s*({_NAME})\s+(in|notin)\s+\(([^()]*)\)\s*")
_EQUAL: Final = re.compile(rf"\s*({_NAME})\s*(==|=|!=)\s*({_NAME}|)\s*")
_EXISTS: Final = re.compile(rf"\s*(!?)\s*({_NAME})\s*")

_ANYWHERE: Final = ("metadata.name", "metadata.namespace")
_FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "pods": (
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "spec.hostNetwork",
        "status.phase",
        "status.podIP",
        "status.nominatedNodeName",
    ),
    "events": (
        "involvedObject.kind",
        "involvedObject.namespace",
        "involvedObject.name",
        "involvedObject.uid",
        "involvedObject.apiVersion",
        "involvedObject.resourceVersion",
        "involvedObject.fieldPath",
        "reason",
        "reportingComponent",
        "source",
        "type",
    ),
    "nodes": ("spec.unschedulable",),
    "namespaces": ("status.phase",),
    "services": ("spec.clusterIP", "spec.type"),
    "secrets": ("type",),
    "replicasets": ("status.replicas",),
    "jobs": ("status.successful",),
}


_FALSE_UNLESS_SET: Final = ("unschedulable", "hostNetwork")


class SelectorError(ValueError):
    """A selector that cannot be read; the message is Kubernetes' own."""


def label_selector(text: str) -> Matches:
    """Return what tells whether an object has the labels that a `labelSelector` asks for."""
    terms = [_term(part) for part in re.split(r",(?![^(]*\))", text)] if text.strip() else []

    def matches(found: Json) -> bool:
        labels = found["metadata"].get("labels") or {}
        return all(term(labels) for term in terms)

    return matches


def _term(text: str) -> Callable[[Mapping[str, str]], bool]:
    if found := _SET.fullmatch(text):
        name, operator = found[1], found[2]
        values = frozenset(value.strip() for value in found[3].split(","))
        if operator == "in":
            return lambda labels: labels.get(name) in values
        return lambda labels: labels.get(name) not in values
    if found := _EQUAL.fullmatch(text):
        name, operator, value = found[1], found[2], found[3]
        if operator == "!=":
            return lambda labels: labels.get(name) != value
        return lambda labels: labels.get(name) == value
    if found := _EXISTS.fullmatch(text):
        name, wanted = found[2], not found[1]
        return lambda labels: (name in labels) is wanted
    start = re.match(r"\s*(==|!=|=|[^\s]*)", text)
    raise SelectorError(
        f"found '{start[1] if start else text}', expected: !, identifier, or 'end of string'"
    )


def field_selector(text: str, resource: str) -> Matches:
    """Return what tells whether an object's fields are as a query's `fieldSelector` asks."""
    terms: list[tuple[tuple[str, ...], str, bool]] = []
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        found = re.fullmatch(r"([^=!]+)(==|!=|=)(.*)", part)
        if found is None:
            raise SelectorError(f'invalid selector: "{part}"; can\'t understand "{part}"')
        if found[1] not in (*_ANYWHERE, *_FIELDS.get(resource, ())):
            raise SelectorError(_unknown_field(found[1], resource))
        terms.append((tuple(found[1].split(".")), found[3], found[2] != "!="))

    def matches(found: Json) -> bool:
        return all((_field(found, path) == value) is wanted for path, value, wanted in terms)

    return matches


def _unknown_field(name: str, resource: str) -> str:
    """Return the API server's words, which are others for kinds with no selectors of their own."""
    if resource == "jobs":
        return f'field label "{name}" not supported for Job'
    if resource in _FIELDS:
        return f"field label not supported: {name}"
    return f'"{name}" is not a known field selector: only "metadata.name", "metadata.namespace"'


def _field(found: Json, path: tuple[str, ...]) -> str:
    value: Any = found
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    if isinstance(value, bool) or path[-1] in _FALSE_UNLESS_SET:
        return str(bool(value)).lower()
    if isinstance(value, dict):  # an old event's source: its component stands for it
        return str(value.get("component") or "")
    return "" if value is None else str(value)


def selects(selector: Mapping[str, Any] | None, labels: Mapping[str, str]) -> bool:
    """Say whether a `metav1.LabelSelector` selects labels: None does nothing, an empty one all."""
    if selector is None:
        return False
    if any(
        labels.get(name) != value for name, value in (selector.get("matchLabels") or {}).items()
    ):
        return False
    return all(_requires(one, labels) for one in selector.get("matchExpressions") or ())


def _requires(requirement: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    value, values = labels.get(requirement["key"]), requirement.get("values") or ()
    match requirement["operator"]:
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "Exists":
            return value is not None
        case _:
            return value is None


def as_text(selector: Mapping[str, Any] | None) -> str:
    """Return a `metav1.LabelSelector` as a query would write it."""
    selector = selector or {}
    parts = [
        f"{name}={value}" for name, value in sorted((selector.get("matchLabels") or {}).items())
    ]
    for one in selector.get("matchExpressions") or ():
        values = ",".join(sorted(one.get("values") or ()))
        text = {"Exists": one["key"], "DoesNotExist": f"!{one['key']}"}.get(one["operator"])
        parts.append(text or f"{one['key']} {one['operator'].lower()} ({values})")
    return ",".join(parts)
