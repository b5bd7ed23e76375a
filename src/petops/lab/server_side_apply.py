"""Who owns which field: `managedFields`, and server-side apply on top of them.

A simple form, but an honest one: each manager has one entry, of the fields that it applied or
changed; applying takes fields away that the same manager applied before and now leaves out (and
nobody else owns), and a field that another manager set to something else is a conflict unless
forced.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from petops.lab.patching import MERGE_KEYS
from petops.lab.store import Json, clone

Path = tuple[str, ...]

_SET_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    **MERGE_KEYS,
    "topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
}
_NOBODYS: Final = frozenset(
    {
        "creationTimestamp",
        "deletionGracePeriodSeconds",
        "deletionTimestamp",
        "generation",
        "managedFields",
        "name",
        "namespace",
        "resourceVersion",
        "selfLink",
        "uid",
    }
)


class ApplyConflictError(Exception):
    """Fields that other managers own and that have another value there."""

    def __init__(self, conflicts: list[tuple[str, str]]) -> None:
        super().__init__(f"{len(conflicts)} conflicts")
        self.conflicts = conflicts


def keys_of(name: str, elements: list[Any]) -> tuple[str, ...] | None:
    """Return what tells a list's elements apart in server-side apply; None where it is atomic."""
    if name == "ports":
        first = elements[0] if elements and isinstance(elements[0], dict) else {}
        return ("containerPort", "protocol") if "containerPort" in first else ("port", "protocol")
    return _SET_KEYS.get(name)


def leaves(found: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield the fields that can be owned, with their values."""
    if isinstance(found, dict) and found:
        for name, value in found.items():
            if path == ("f:metadata",) and name in _NOBODYS:
                continue
            if not path and name in {"apiVersion", "kind"}:
                continue
            yield from leaves(value, (*path, f"f:{name}"))
        return
    keys = keys_of(path[-1].removeprefix("f:"), found) if isinstance(found, list) and path else None
    if keys is not None and isinstance(found, list):
        for element in found:
            yield (*path, _element(element, keys), "."), {}
            yield from leaves(element, (*path, _element(element, keys)))
        return
    yield path, found


def _element(element: Json, keys: tuple[str, ...]) -> str:
    defaults = {"protocol": "TCP"}
    found = {key: element.get(key, defaults.get(key)) for key in keys}
    return "k:" + json.dumps(found, separators=(",", ":"))


def as_fields(paths: Mapping[Path, Any] | set[Path]) -> Json:
    """Return paths in the form of `fieldsV1`."""
    tree: Json = {}
    for path in sorted(paths):
        branch = tree
        for step in path:
            branch = branch.setdefault(step, {})
    return tree


def as_paths(fields: Any, path: Path = ()) -> Iterator[Path]:
    """Yield the paths of a `fieldsV1`."""
    if not isinstance(fields, dict) or not fields:
        if path:
            yield path
        return
    for step, below in fields.items():
        yield from as_paths(below, (*path, step))


def owned_by(found: Json, manager: str, operation: str, subresource: str = "") -> set[Path]:
    """Return the fields that a manager owns by one kind of operation on one subresource."""
    return {
        path
        for entry in found["metadata"].get("managedFields") or ()
        if _whose(entry) == (manager, operation, subresource)
        for path in as_paths(entry.get("fieldsV1"))
    }


def _whose(entry: Json) -> tuple[object, object, object]:
    return entry.get("manager"), entry.get("operation"), entry.get("subresource", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """Who writes, when, in which version of the API, and through which subresource."""

    manager: str
    at: str
    api_version: str
    subresource: str = ""


def note_update(before: Json | None, now: Json, writer: Writer) -> None:
    """Enter into `now` that the writer changed what differs from `before`."""
    old = dict(leaves(before)) if before else {}
    new = dict(leaves(now))
    changed = {path for path, value in new.items() if path not in old or old[path] != value}
    if changed:
        mine = owned_by(now, writer.manager, "Update", writer.subresource) | changed
        _enter(now, writer, "Update", mine & set(new), taken=changed)


def _enter(
    now: Json, writer: Writer, operation: str, fields: set[Path], *, taken: set[Path]
) -> None:
    kept = []
    for entry in now["metadata"].get("managedFields") or ():
        if _whose(entry) == (writer.manager, operation, writer.subresource):
            continue
        left = set(as_paths(entry.get("fieldsV1"))) - taken
        if left:
            kept.append({**entry, "fieldsV1": as_fields(left)})
    made = {
        "manager": writer.manager,
        "operation": operation,
        "apiVersion": writer.api_version,
        "time": writer.at,
        "fieldsType": "FieldsV1",
        "fieldsV1": as_fields(fields),
    }
    if writer.subresource:
        made["subresource"] = writer.subresource
    now["metadata"]["managedFields"] = [*kept, made]


def apply(before: Json | None, applied: Json, writer: Writer, *, force: bool) -> Json:
    """Return the object once the writer has applied this; raise ApplyConflictError."""
    wanted = dict(leaves(applied))
    now: Json = clone(before) if before else {"metadata": {}}
    if before and not force:
        _refuse_conflicts(before, wanted, writer.manager)
    for path in owned_by(now, writer.manager, "Apply") - set(wanted):
        others = (
            set(as_paths(entry.get("fieldsV1")))
            for entry in now["metadata"].get("managedFields") or ()
            if entry.get("manager") != writer.manager
        )
        if not any(path in other for other in others):
            _remove(now, path)
    now = _merge(now, {k: v for k, v in applied.items() if k != "metadata"})
    metadata = {k: v for k, v in applied["metadata"].items() if k not in {"managedFields"}}
    now["metadata"] = _merge(now["metadata"], metadata)
    current = dict(leaves(before)) if before else {}
    differing = {path for path, value in wanted.items() if current.get(path) != value}
    _enter(now, writer, "Apply", set(wanted), taken=differing)
    return now


def _refuse_conflicts(before: Json, wanted: Mapping[Path, Any], manager: str) -> None:
    current = dict(leaves(before))
    conflicts = []
    for entry in before["metadata"].get("managedFields") or ():
        if entry.get("manager") == manager:
            continue
        for path in sorted(set(as_paths(entry.get("fieldsV1"))) & set(wanted)):
            if current.get(path) != wanted[path]:
                who = f'"{entry["manager"]}" using {entry.get("apiVersion")}'
                conflicts.append((f"conflict with {who}", _dotted(path)))
    if conflicts:
        raise ApplyConflictError(conflicts)


def _dotted(path: Path) -> str:
    text = ""
    for step in path:
        if step.startswith("k:"):
            keys = json.loads(step[2:])
            text += (
                "[" + ",".join(f"{name}={json.dumps(value)}" for name, value in keys.items()) + "]"
            )
        elif step != ".":
            text += "." + step.removeprefix("f:")
    return text


def _merge(before: Any, applied: Any, name: str = "") -> Any:
    if isinstance(applied, dict):
        after = clone(before) if isinstance(before, dict) else {}
        for field, value in applied.items():
            after[field] = _merge(after.get(field), value, field)
        return after
    keys = keys_of(name, applied) if isinstance(applied, list) else None
    if keys is None or not isinstance(before, list):
        return clone(applied)
    merged = clone(before)
    for element in applied:
        same = _element(element, keys)
        position = next((at for at, one in enumerate(merged) if _element(one, keys) == same), None)
        if position is None:
            merged.append(clone(element))
        else:
            merged[position] = _merge(merged[position], element)
    return merged


def _remove(found: Any, path: Path) -> None:
    step, rest = path[0], path[1:]
    if step.startswith("k:"):
        wanted = json.loads(step[2:])
        keys = tuple(wanted)
        position = next(
            (at for at, one in enumerate(found) if _element(one, keys) == step),
            None,
        )
        if position is None:
            return
        if not rest or rest == (".",):
            del found[position]
        else:
            _remove(found[position], rest)
        return
    name = step.removeprefix("f:")
    if not isinstance(found, dict) or name not in found:
        return
    if rest:
        _remove(found[name], rest)
        if found[name] in ({}, []):
            del found[name]
    else:
        del found[name]
