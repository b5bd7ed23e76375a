"""The Kubernetes objects of a recorded folder, however they were written down.

Raw lists of the API, what `kubectl get -o json` prints (its lists are of the kind `List`), plain
arrays, single objects, and versions of an API that nobody serves any more: all of it is taken. What
is no object is refused in one sentence that names the file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from petops.errors import UsageError
from petops.lab.quantities import moment
from petops.lab.resource_rows import Resource
from petops.lab.resources import SERVED, of_kind

Json = Any

LISTS: Final[Mapping[str, str]] = {
    "pods": "Pod",
    "events": "Event",
    "node-events": "Event",
    "nodes": "Node",
    "deployments": "Deployment",
    "replicasets": "ReplicaSet",
    "statefulsets": "StatefulSet",
    "daemonsets": "DaemonSet",
    "jobs": "Job",
    "cronjobs": "CronJob",
    "services": "Service",
    "endpointslices": "EndpointSlice",
    "hpa": "HorizontalPodAutoscaler",
    "resourcequotas": "ResourceQuota",
    "pdb": "PodDisruptionBudget",
}
"""Files by the kind that they hold where what is in them does not say it."""
_UNSELECTING: Final = frozenset({"cronjobs", "controllerrevisions"})
# Whose age is asked for: what stands behind something else may be written down without its date.
_DATED: Final = frozenset({"pods", "replicasets", "nodes"})
_EVENTS: Final = "events.k8s.io"
_HINT: Final = "docs/cases.md says what a case holds"


def recorded_objects(folder: Path) -> Iterator[tuple[Resource, Json]]:
    """Yield each object of a folder with its resource; raise UsageError for what is none.

    Events that were read both ways come once, as the core API has them.
    """
    newer: list[tuple[Resource, Json]] = []
    known: set[tuple[str, str]] = set()
    for file in sorted(folder.glob("*.json")):
        for resource, item in objects_in(file):
            if resource.group == _EVENTS:
                newer.append((stored_event(), _core_event(item)))
                continue
            if resource.plural == "events":
                known.add(_key(item))
            yield resource, item
    yield from ((resource, one) for resource, one in newer if _key(one) not in known)


def objects_in(file: Path) -> Iterator[tuple[Resource, Json]]:
    """Yield the objects of one file; nothing where it holds something else, such as an alarm."""
    by_name = LISTS.get(file.stem, "")
    document = read_json(file)
    items, version, kind = _listed(document, file, by_name)
    for number, item in enumerate(items):
        if not isinstance(item, dict):
            raise UsageError(f"{file}: item {number} is no object", hint=_HINT)
        resource = _resource(
            str(item.get("apiVersion") or version), str(item.get("kind") or kind), by_name
        )
        if resource is not None:
            yield resource, _checked(item, resource, f"{file}: item {number}")


def _listed(document: Json, file: Path, by_name: str) -> tuple[list[Json], str, str]:
    """Return a document's items, and the version and kind that it gives to all of them."""
    if isinstance(document, list) and by_name:
        return document, "", by_name
    said = str(document.get("kind") or "") if isinstance(document, dict) else ""
    listed = document.get("items") if isinstance(document, dict) else None
    if said and listed is None and not said.endswith("List"):
        return [document], "", said
    if isinstance(listed or [], list) and (said or (by_name and listed is not None)):
        if said in {"", "List"}:
            return listed or [], "", by_name
        return listed or [], str(document.get("apiVersion") or ""), said.removesuffix("List")
    if by_name:
        raise UsageError(f"{file} is no list of Kubernetes objects", hint=_HINT)
    return [], "", ""


def list_version(folder: Path) -> int:
    """Return the latest resourceVersion that a list of the folder was read at; 0 without any."""
    documents = (read_json(one) for one in folder.glob("*.json"))
    metadata = (one.get("metadata") for one in documents if isinstance(one, dict))
    said = (str(one.get("resourceVersion")) for one in metadata if isinstance(one, dict))
    return max((int(one) for one in said if one.isascii() and one.isdecimal()), default=0)


def read_json(file: Path) -> Json:
    """Return what a JSON file holds; raise UsageError where it is none."""
    try:
        return json.loads(file.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as exc:
        raise UsageError(f"{file} is no JSON: {exc}", hint=_HINT) from exc
    except OSError as exc:
        raise UsageError(f"{file} cannot be read: {exc.strerror or exc}", hint=_HINT) from exc


def refused_lists(folder: Path) -> frozenset[str]:
    """Return the resources that could not be read, by their plural names.

    Those are a list that the API server refused (its answer is a `Status`), and pods, nodes and
    events without a file, unless another file holds some: `kubectl get pods,events` makes one list.
    """
    held = {resource.plural for resource, _ in recorded_objects(folder)}
    found = {
        name
        for name in ("pods", "nodes", "events")
        if name not in held and not (folder / f"{name}.json").exists()
    }
    if any((folder / f"{name}.json").exists() for name in ("node-events", "events-v1")):
        found.discard("events")
    for stem, kind in LISTS.items():
        file = folder / f"{stem}.json"
        document = read_json(file) if file.is_file() else None
        elsewhere = stem == "node-events" or (folder / "events-v1.json").exists()
        if kind == "Event" and elsewhere:
            continue
        if isinstance(document, dict) and document.get("kind") == "Status":
            found.add(next(one.plural for one in SERVED if one.kind == kind and one.preferred))
    return frozenset(found)


def stored_event() -> Resource:
    """Return the core API's events, as which all are kept."""
    return next(one for one in SERVED if one.kind == "Event" and not one.group)


def _resource(version: str, kind: str, by_name: str) -> Resource | None:
    """Return the resource of an object: of its group at least, whatever the version.

    Without a group the file's name has to say the same kind.
    """
    found = of_kind(version, kind)
    if found is not None:
        return found
    group = version.rpartition("/")[0]
    if version and (group or kind != by_name):
        return next((one for one in SERVED if (one.group, one.kind) == (group, kind)), None)
    return next((one for one in SERVED if one.kind == kind and one.preferred), None)


def _checked(item: Json, resource: Resource, where: str) -> Json:
    """Return an object with all that an API server gives to each of its kind."""
    metadata = item.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if not isinstance(name, str) or not name:
        raise UsageError(f"{where} has no metadata.name", hint=_HINT)
    kept = {key: one for key, one in item.items() if key not in {"kind", "apiVersion"}}
    for part in ("spec", "status"):
        if kept.get(part) is None:
            kept.pop(part, None)
        elif not isinstance(kept[part], dict):
            raise UsageError(f"{where}, {name}: its {part} is no object", hint=_HINT)
    metadata = kept["metadata"] = {key: one for key, one in metadata.items() if one is not None}
    if resource.namespaced:
        metadata.setdefault("namespace", "default")
    metadata.setdefault("uid", f"{resource.plural}/{metadata.get('namespace', '')}/{name}")
    metadata.setdefault("resourceVersion", "1")
    if resource.plural != "events":
        kept.setdefault("spec", {})
        _complete(kept, resource, name)
        if resource.plural in _DATED or metadata.get("creationTimestamp") is not None:
            _dated(metadata, f"{where}, {name}")
    if why := _lacks(kept, resource):
        raise UsageError(f"{where}, {name}: {why}", hint=_HINT)
    return kept


def _lacks(item: Json, resource: Resource) -> str:
    """Say what an object lacks that every one of its kind has; empty where it is whole.

    Only what petops reads: fields that it does not know may be of any form.
    """
    metadata, status = item["metadata"], item.get("status") or {}
    if not all(isinstance(metadata.get(one, {}), dict) for one in ("labels", "annotations")):
        return "its labels or annotations are no object"
    said = status.get("conditions") or ()
    if not isinstance(said, list | tuple) or not all(
        isinstance(one, dict) and isinstance(one.get("type"), str) and "status" in one
        for one in said
    ):
        return "its conditions have no type and status"
    if resource.group in {"apps", "batch"} and resource.plural not in _UNSELECTING:
        return "" if isinstance(item["spec"].get("selector"), dict) else "it has no selector"
    if resource.plural != "pods":
        return ""
    if not _has_containers(item["spec"]):
        return "the pod has no containers"
    every = [
        *(status.get("initContainerStatuses") or ()),
        *(status.get("containerStatuses") or ()),
    ]
    return next((said for one in every if (said := _unread(one))), "")


def _unread(status: Json) -> str:
    """Say what is missing in what a container's status says of it."""
    if not isinstance(status, dict) or not isinstance(status.get("name"), str):
        return "a container's status has no name"
    if not isinstance(status.setdefault("restartCount", 0), int):
        return f"the restartCount of {status['name']} is no number"
    for part in ("state", "lastState"):
        ended = (status.get(part) or {}).get("terminated")
        if ended is not None and not isinstance(ended.get("exitCode"), int):
            return f"{part}.terminated of {status['name']} has no exitCode"
    return ""


def _complete(item: Json, resource: Resource, name: str) -> None:
    """Give what controllers give by a rule, to an object that was written down without it."""
    if resource.plural == "pods" and (began := (item.get("status") or {}).get("startTime")):
        item["metadata"].setdefault("creationTimestamp", began)
    if resource.plural == "jobs":
        by_name = {"matchLabels": {"batch.kubernetes.io/job-name": name}}
        item["spec"].setdefault("selector", by_name)


def _dated(metadata: Json, where: str) -> None:
    try:
        moment(str(metadata.get("creationTimestamp")))
    except (ValueError, OverflowError):
        raise UsageError(f"{where} has no metadata.creationTimestamp", hint=_HINT) from None


def _has_containers(spec: Json) -> bool:
    listed = spec.get("containers")
    return (
        isinstance(listed, list)
        and bool(listed)
        and all(isinstance(one, dict) and isinstance(one.get("name"), str) for one in listed)
    )


def _core_event(event: Json) -> Json:
    """Return an event of events.k8s.io as the core API shows the same one."""
    renamed = {
        "regarding": "involvedObject",
        "note": "message",
        "deprecatedSource": "source",
        "deprecatedFirstTimestamp": "firstTimestamp",
        "deprecatedLastTimestamp": "lastTimestamp",
        "deprecatedCount": "count",
        "reportingController": "reportingComponent",
    }
    return {renamed.get(key, key): one for key, one in event.items()}


def _key(item: Json) -> tuple[str, str]:
    return str(item["metadata"].get("namespace")), str(item["metadata"]["name"])
