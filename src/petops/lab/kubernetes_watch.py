"""Watches: what changes, as a stream of JSON lines, with bookmarks, and 410 for the late."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Final

from petops.lab import kubernetes_status as says
from petops.lab.kubernetes_request import ApiRequest
from petops.lab.kubernetes_status import Cause
from petops.lab.resource_rows import Resource
from petops.lab.selectors import Matches
from petops.lab.store import Change, CompactedError, Json, ObjectStore, key_of

BOOKMARK_SECONDS: Final = 60.0
LONGEST_SECONDS: Final = 1800.0
_ALL_SENT: Final = "k8s.io/initial-events-end"


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What one watch is about."""

    resource: Resource
    matches: Matches
    show: Callable[[Json], Json]
    since: int | None
    seconds: float
    bookmarks: bool
    announces_start: bool


def watched(
    request: ApiRequest, resource: Resource, matches: Matches, show: Callable[[Json], Json]
) -> Watched:
    """Read a watch's parameters; raise ApiError where they make no sense."""
    announces = request.flag("sendInitialEvents")
    if announces and request.query.get("resourceVersionMatch") != "NotOlderThan":
        cause = Cause(
            "resourceVersionMatch",
            "Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
            "FieldValueForbidden",
        )
        raise says.invalid_kind("ListOptions", "meta.k8s.io", "", [cause])
    since = request.number("resourceVersion") or None
    return Watched(
        resource=resource,
        matches=matches,
        show=show,
        since=None if announces else since,
        seconds=float(request.number("timeoutSeconds") or LONGEST_SECONDS),
        bookmarks=request.flag("allowWatchBookmarks"),
        announces_start=announces,
    )


async def stream(
    store: ObjectStore, what: Watched, prepare: Callable[[], None]
) -> AsyncIterator[bytes]:
    """Yield what is there where no version was named, then what changes, until the time is over.

    `prepare` runs before the first look at the store, so that a world can catch up with its clock.
    """
    woken = asyncio.Event()
    unsubscribe = store.subscribe(lambda _: woken.set())
    until = asyncio.get_running_loop().time() + what.seconds
    try:
        prepare()
        cursor = store.version if what.since is None else what.since
        for line in _start(store, what, cursor):
            yield line
        while True:
            woken.clear()
            try:
                changes = store.changes_after(cursor, what.resource.plural)
            except CompactedError as exc:
                yield _line("ERROR", says.expired(str(exc)).status)
                return
            for line in filter(None, (_event(what, change) for change in changes)):
                yield line
            cursor = max(cursor, store.version)
            rest = until - asyncio.get_running_loop().time()
            if rest <= 0:
                return
            woke = await _within(min(rest, BOOKMARK_SECONDS), woken)
            if not woke and what.bookmarks:
                yield _bookmark(what.resource, cursor, {})
    finally:
        unsubscribe()


async def _within(seconds: float, woken: asyncio.Event) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await woken.wait()
    except TimeoutError:
        return False
    return True


def _start(store: ObjectStore, what: Watched, version: int) -> Iterator[bytes]:
    if what.since is None:
        found = sorted(filter(what.matches, store.objects(what.resource.plural)), key=key_of)
        for one in found:
            yield _line("ADDED", what.show(one))
    if what.announces_start:
        yield _bookmark(what.resource, version, {_ALL_SENT: "true"})


def _event(what: Watched, change: Change) -> bytes | None:
    """Objects that begin or cease to match are added or deleted for this watcher."""
    before = change.before is not None and what.matches(change.before)
    now = change.kind != "DELETED" and what.matches(change.now)
    if now:
        return _line("MODIFIED" if before else "ADDED", what.show(change.now))
    return _line("DELETED", what.show(change.now)) if before else None


def _bookmark(resource: Resource, version: int, annotations: Json) -> bytes:
    metadata: Json = {"resourceVersion": str(version), "creationTimestamp": None}
    if annotations:
        metadata["annotations"] = annotations
    return _line(
        "BOOKMARK",
        {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": metadata},
    )


def _line(kind: str, found: Json) -> bytes:
    return json.dumps({"type": kind, "object": found}, separators=(",", ":")).encode() + b"\n"
