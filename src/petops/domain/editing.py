"""Edits of one JSON object: what stands at a place, what an edit makes of it, and how it differs.

Nothing here knows what the object is. Values of edits are canonical JSON.
"""

from __future__ import annotations

import copy
import difflib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Json = Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One field: where it stands, what is there now, what will be.

    Values are canonical JSON, None is absent.

    In `path`, the segment `name=app` is the element of a list whose `name` is `app`.
    """

    path: tuple[str, ...]
    was: str | None
    to: str | None


def canonical(value: Json) -> str:
    """Return `value` as JSON with sorted keys and no spaces: equal values give equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def at(found: Json, path: tuple[str, ...]) -> str | None:
    """Return the canonical JSON of what stands at `path`, or None where nothing does."""
    for segment in path:
        if isinstance(found, list):
            key, _, wanted = segment.partition("=")
            found = next((one for one in found if one.get(key) == wanted), None)
        elif isinstance(found, Mapping):
            found = found.get(segment)
        if found is None:
            return None
    return canonical(found)


def first_difference(found: Mapping[str, Json], edits: Iterable[Edit]) -> str | None:
    """Return the place of the first edit whose old value is not what stands there now."""
    for edit in edits:
        if at(found, edit.path) != edit.was:
            return ".".join(edit.path)
    return None


def unmade(found: Mapping[str, Json], edits: Iterable[Edit]) -> str | None:
    """Return the place of the first edit that `found`, made by another, does not hold as wanted.

    What a server adds by itself (defaults) is no difference.
    """
    for edit in edits:
        stands = at(found, edit.path)
        made = json.loads(stands) if stands is not None else None
        wanted = json.loads(edit.to) if edit.to is not None else None
        if (edit.to is None) != (stands is None) or not _holds(made, wanted):
            return ".".join(edit.path)
    return None


def _holds(made: Json, wanted: Json) -> bool:
    if isinstance(wanted, Mapping):
        return isinstance(made, Mapping) and all(
            value is None or _holds(made.get(key), value) for key, value in wanted.items()
        )
    if isinstance(wanted, list):
        return (
            isinstance(made, list) and len(made) == len(wanted) and all(map(_holds, made, wanted))
        )
    return bool(made == wanted)


def edited(found: Mapping[str, Json], edits: Iterable[Edit]) -> dict[str, Json]:
    """Return a copy of the object `found` with the edits made to it."""
    made: dict[str, Json] = copy.deepcopy(dict(found))
    for edit in edits:
        _write(made, edit.path, edit.to)
    return made


def _write(found: Json, path: tuple[str, ...], value: str | None) -> None:
    for segment in path[:-1]:
        if isinstance(found, list):
            key, _, wanted = segment.partition("=")
            found = next(one for one in found if one.get(key) == wanted)
        else:
            if found.get(segment) is None:
                found[segment] = {}
            found = found[segment]
    if value is None:
        found.pop(path[-1], None)
    else:
        found[path[-1]] = json.loads(value)


def merge_patch(before: Json, after: Json) -> Json:
    """Return the JSON merge patch (RFC 7386) that makes `after` of `before`."""
    if not isinstance(before, Mapping) or not isinstance(after, Mapping):
        return after
    patch: dict[str, Json] = {key: None for key in before if key not in after}
    for key, value in after.items():
        if key not in before:
            patch[key] = value
        elif before[key] != value:
            patch[key] = merge_patch(before[key], value)
    return patch


def diff(was: Json, to: Json) -> tuple[str, ...]:
    """Return a unified diff of two objects as people read them, without file headers."""
    lines = difflib.unified_diff(_readable(was), _readable(to), lineterm="", n=2)
    return tuple(lines)[2:]


def _readable(value: Json, depth: int = 0) -> list[str]:
    """Return `value` in the manner of YAML, one scalar a line.

    It is for reading, not for parsing.
    """
    pad = "  " * depth
    lines: list[str] = []
    if isinstance(value, Mapping):
        for key in sorted(value):
            lines += _entry(f"{pad}{key}:", value[key], depth)
    elif isinstance(value, list):
        for one in value:
            lines += _entry(f"{pad}-", one, depth)
    return lines


def _entry(head: str, value: Json, depth: int) -> list[str]:
    if isinstance(value, Mapping | list) and value:
        return [head, *_readable(value, depth + 1)]
    return [f"{head} {json.dumps(value, ensure_ascii=False)}"]
