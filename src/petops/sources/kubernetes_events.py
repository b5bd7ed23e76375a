"""Events and logs as facts. Their text is others': it is cut and kept, and nothing is read into it.

Pure functions, tested on recorded answers. The scheduler leaves `count` and both timestamps out and
dates its events by `eventTime`; a series has its own last time.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from petops.domain.objects import Occurrence
from petops.sources.kubernetes_shapes import MOST_TEXT, moment, quantity_bytes

Json = Any

MOST_EVENTS: Final = 200
LOG_LINES: Final = 20
LOG_BYTES: Final = 16 * 1024
# The kubelet's own words, for what takes more than it requested; its annotations say the same.
_USING: Final = re.compile(r"\bContainer ([a-z0-9-]{1,63}) was using (\d{1,18}[A-Za-z]{0,2}), ")
_MIB: Final = 1024 * 1024
_UNDATED: Final = datetime(2000, 1, 1, tzinfo=UTC)


def occurrences_of(found: Iterable[Json]) -> tuple[Occurrence, ...]:
    """Return events, the oldest first, the newest `MOST_EVENTS` of them at most."""
    read = sorted((occurrence_of(one) for one in found), key=lambda one: one.last_at or _UNDATED)
    return tuple(read[-MOST_EVENTS:])


def occurrence_of(event: Json) -> Occurrence:
    """Return one event of the core API."""
    about, series = event.get("involvedObject") or {}, event.get("series") or {}
    made = moment(event.get("eventTime")) or moment(event["metadata"].get("creationTimestamp"))
    first = moment(event.get("firstTimestamp")) or made
    last = moment(series.get("lastObservedTime")) or moment(event.get("lastTimestamp")) or made
    notes = event["metadata"].get("annotations") or {}
    message = str(event.get("message") or "")[:MOST_TEXT]
    by_message = _USING.search(message) if event.get("reason") == "Evicted" else None
    offender, usage = by_message.groups() if by_message is not None else ("", "")
    usage = str(notes.get("offending_containers_usage") or usage).partition(",")[0]
    used = quantity_bytes(usage)
    return Occurrence(
        reason=str(event.get("reason") or ""),
        is_warning=event.get("type") == "Warning",
        message=message,
        kind=str(about.get("kind") or ""),
        namespace=str(about.get("namespace") or ""),
        name=str(about.get("name") or ""),
        count=int(series.get("count") or event.get("count") or 1),
        first_at=first,
        last_at=last,
        host=str((event.get("source") or {}).get("host") or ""),
        offender=str(notes.get("offending_containers") or offender)[:MOST_TEXT],
        offender_mib=None if used is None else used / _MIB,
    )


def log_lines(body: Json) -> tuple[str, ...]:
    """Return the last lines of a log, bounded whatever the server sent."""
    if not isinstance(body, str):
        return ()
    text = body.encode("utf-8", "replace")[-LOG_BYTES:].decode("utf-8", "replace")
    return tuple(_bounded(text.splitlines()))


def _bounded(lines: Sequence[str]) -> Iterable[str]:
    kept = [line for line in lines if line.strip()]
    return (line[:MOST_TEXT] for line in kept[-LOG_LINES:])
