"""A recorded folder as a cluster to read: its objects, its logs, and when it was recorded."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from petops.errors import UsageError
from petops.lab.kubernetes_api import KubernetesApi
from petops.lab.kubernetes_subresources import LogLine
from petops.lab.quantities import moment, stamp
from petops.lab.recorded_traces import trace_ends
from petops.lab.resources import of_kind
from petops.lab.store import Json, ObjectStore

_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_AHEAD: Final = frozenset({"deletionTimestamp", "renewTime"})
"""Times that may lie after the moment of recording."""


class RecordedLogs:
    """The logs of a recorded folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "logs"

    def lines(self, pod: Json, container: str, *, previous: bool) -> Sequence[LogLine] | None:
        """Return what was recorded; None where the recording has an error instead."""
        suffix = "_previous" if previous else ""
        path = self._folder / f"{pod['metadata']['name']}_{container}{suffix}.log"
        if not path.is_file():
            return None
        return list(_lines(path.read_text(encoding="utf-8")))


def _lines(text: str) -> Iterator[LogLine]:
    """Read what `kubectl logs --timestamps` prints; a line without time goes with the last."""
    last = datetime.fromtimestamp(0, UTC)
    for line in text.splitlines():
        at, _, rest = line.partition(" ")
        if _TIME.fullmatch(at):
            last = _moment(at)
            yield LogLine(last, rest)
        else:
            yield LogLine(last, line)


def _moment(text: str) -> datetime:
    """Return a time, with nanoseconds cut to microseconds."""
    whole, _, part = text.rstrip("Z").partition(".")
    return moment(f"{whole}.{(part or '0')[:6].ljust(6, '0')}+00:00")


def recorded_store(folder: Path) -> ObjectStore:
    """Return the objects of a recorded folder, with their own uids and resourceVersions."""
    at = recorded_at(folder)
    store = ObjectStore(lambda: at)
    namespaces = {"default"}
    for path in sorted(folder.glob("*.json")):
        document = _json(path)
        kind = str(document.get("kind", "")) if isinstance(document, dict) else ""
        resource = (
            of_kind(str(document.get("apiVersion")), kind.removesuffix("List")) if kind else None
        )
        if resource is None or not kind.endswith("List") or resource.group == "events.k8s.io":
            continue
        version = int((document.get("metadata") or {}).get("resourceVersion") or 0)
        items = [_bare(one) for one in document.get("items") or ()]
        store.load(resource.plural, items, version)
        namespaces |= {one["metadata"].get("namespace", "default") for one in items}
    made = [_namespace(name, at) for name in sorted(namespaces)]
    store.load("namespaces", made, store.version)
    return store


def recorded_api(folder: Path) -> KubernetesApi:
    """Return an API that answers about a recorded folder and refuses to change anything."""
    at = recorded_at(folder)
    return KubernetesApi(recorded_store(folder), RecordedLogs(folder), lambda: at, read_only=True)


def recorded_at(folder: Path) -> datetime:
    """Return the latest time that pods, events and metrics of a folder speak of."""
    if not folder.is_dir():
        raise UsageError(f"there is no recorded case at {folder}")
    found: list[datetime] = []
    for name in ("pods.json", "events.json", "node-events.json"):
        if (folder / name).is_file():
            found.extend(_times(_json(folder / name)))
    for path in folder.glob("prometheus/*.json"):
        result = _json(path).get("response", {}).get("data", {}).get("result", [])
        for series in result if isinstance(result, list) else ():
            pairs = series.get("values") or ([series["value"]] if "value" in series else [])
            found.extend(datetime.fromtimestamp(float(at), UTC) for at, _ in pairs)
    found.extend(datetime.fromtimestamp(one, UTC) for one in trace_ends(folder))
    if not found:
        raise UsageError(f"{folder} holds no recorded pods, events or metrics")
    return max(found)


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as exc:
        raise UsageError(f"{path} is no JSON: {exc}") from exc


def _times(found: object) -> Iterator[datetime]:
    if isinstance(found, dict):
        for name, value in found.items():
            if name not in _AHEAD:
                yield from _times(value)
    elif isinstance(found, list):
        for value in found:
            yield from _times(value)
    elif isinstance(found, str) and _TIME.fullmatch(found):
        yield _moment(found)


def _bare(item: Json) -> Json:
    kept = {name: value for name, value in item.items() if name not in {"kind", "apiVersion"}}
    kept["metadata"].setdefault("uid", "")
    kept["metadata"].setdefault("resourceVersion", "1")
    return kept


def _namespace(name: str, at: datetime) -> Json:
    metadata = {
        "name": name,
        "uid": f"namespace-{name}",
        "resourceVersion": "1",
        "creationTimestamp": stamp(at),
        "labels": {"kubernetes.io/metadata.name": name},
    }
    return {
        "metadata": metadata,
        "spec": {"finalizers": ["kubernetes"]},
        "status": {"phase": "Active"},
    }
