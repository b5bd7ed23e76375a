"""A recorded folder as a cluster to read: its objects, its logs, and when it was recorded."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from petops.errors import UsageError
from petops.lab.kubernetes_api import KubernetesApi
from petops.lab.kubernetes_subresources import LogLine
from petops.lab.quantities import moment, stamp
from petops.lab.recorded_lists import list_version, recorded_objects, refused_lists
from petops.lab.recorded_metrics import sample_times
from petops.lab.recorded_traces import trace_ends
from petops.lab.store import Json, ObjectStore

_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_NO_PAST: Final = frozenset(
    {"deletionTimestamp", "renewTime", "spec", "annotations", "labels", "message"}
)
"""What may hold times that are not of the recording: wishes, and what people wrote."""
_FIRST: Final = datetime(2000, 1, 1, tzinfo=UTC).timestamp()
_LAST: Final = datetime(2100, 1, 1, tzinfo=UTC).timestamp()


class RecordedLogs:
    """The logs of a recorded folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "logs"

    def lines(self, pod: Json, container: str, *, previous: bool) -> Sequence[LogLine] | None:
        """Return what was recorded; None where the recording has an error instead."""
        suffix = "_previous" if previous else ""
        path = self._folder / f"{pod['metadata']['name']}_{container}{suffix}.log"
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError:  # the longest names together are longer than a file's may be
            return None
        return list(_lines(text))


def _lines(text: str) -> Iterator[LogLine]:
    """Read what `kubectl logs --timestamps` prints; a line without time goes with the last."""
    last = datetime.fromtimestamp(0, UTC)
    for line in text.splitlines():
        at, _, rest = line.partition(" ")
        found = _moment(at) if _TIME.fullmatch(at) else None
        last = found or last
        yield LogLine(last, rest if found else line)


def _moment(text: str) -> datetime | None:
    """Return a time, with nanoseconds cut to microseconds; None for a date that there is not."""
    whole, _, part = text.rstrip("Z").partition(".")
    try:
        return moment(f"{whole}.{(part or '0')[:6].ljust(6, '0')}+00:00")
    except (ValueError, OverflowError):
        return None


def recorded_store(folder: Path) -> ObjectStore:
    """Return the objects of a recorded folder, with their own uids and resourceVersions."""
    at = recorded_at(folder)
    store = ObjectStore(lambda: at)
    found: dict[str, list[Json]] = defaultdict(list)
    for resource, item in recorded_objects(folder):
        found[resource.plural].append(item)
    namespaces = {"default"}
    version = list_version(folder)
    for plural, items in found.items():
        store.load(plural, items, version)
        namespaces |= {one["metadata"].get("namespace", "default") for one in items}
    known = {one["metadata"]["name"] for one in found["namespaces"]}
    made = [_namespace(name, at) for name in sorted(namespaces - known)]
    store.load("namespaces", made, store.version)
    return store


def recorded_api(folder: Path) -> KubernetesApi:
    """Return an API that answers about a recorded folder and refuses to change anything.

    What was refused when it was recorded is refused again, and so are pods, nodes and events that
    were not recorded: nobody knows that there were none.
    """
    at = recorded_at(folder)
    return KubernetesApi(
        recorded_store(folder),
        RecordedLogs(folder),
        lambda: at,
        read_only=True,
        unreadable=refused_lists(folder),
    )


def recorded_at(folder: Path) -> datetime:
    """Return the latest time that a folder's objects, metrics and traces speak of."""
    if not folder.is_dir():
        raise UsageError(f"there is no recorded case at {folder}")
    seconds = [at.timestamp() for _, item in recorded_objects(folder) for at in _times(item) if at]
    seconds += sample_times(folder)
    seconds += trace_ends(folder)
    found = [one for one in seconds if _FIRST < one < _LAST]
    if not found:
        raise UsageError(f"{folder} holds no recorded pods, events or metrics")
    return datetime.fromtimestamp(max(found), UTC)


def _times(found: object) -> Iterator[datetime | None]:
    if isinstance(found, dict):
        for name, value in found.items():
            if name not in _NO_PAST:
                yield from _times(value)
    elif isinstance(found, list):
        for value in found:
            yield from _times(value)
    elif isinstance(found, str) and _TIME.fullmatch(found):
        yield _moment(found)


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
