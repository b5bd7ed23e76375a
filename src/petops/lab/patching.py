"""The three ways in which a patch says what to change: JSON patch, merge patch and strategic merge.

All return a new object and leave the old one as it is. Server-side apply is in
`server_side_apply.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from petops.lab.store import Json, clone

MERGE_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "containers": ("name",),
    "initContainers": ("name",),
    "ephemeralContainers": ("name",),
    "containerStatuses": ("name",),
    "env": ("name",),
    "volumes": ("name",),
    "volumeMounts": ("mountPath",),
    "volumeDevices": ("devicePath",),
    "imagePullSecrets": ("name",),
    "hostAliases": ("ip",),
    "topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
    "conditions": ("type",),
    "addresses": ("type",),
    "ownerReferences": ("uid",),
    "secrets": ("name",),
}
"""What tells the elements of a list apart, by its name. Lists that are not here are replaced."""

PRIMITIVE_SETS: Final = frozenset({"finalizers"})

_DIRECTIVES: Final = ("$patch", "$retainKeys")


class PatchError(ValueError):
    """A patch that cannot be read, or does not fit the object."""


class TestFailedError(PatchError):
    """A JSON patch's `test` did not hold, or its path leads nowhere."""

    __test__ = False  # the name is RFC 6902's; pytest need not look here


def merge_patch(before: Any, patch: Any) -> Any:
    """Apply a JSON merge patch (RFC 7386)."""
    if not isinstance(patch, Mapping):
        return clone(patch)
    after = clone(before) if isinstance(before, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            after.pop(name, None)
        else:
            after[name] = merge_patch(after.get(name), value)
    return after


def json_patch(before: Json, operations: object) -> Json:
    """Apply a JSON patch (RFC 6902)."""
    if not isinstance(operations, list):
        raise PatchError("json: cannot unmarshal object into Go value of type jsonpatch.Patch")
    holder = {"": clone(before)}
    for operation in operations:
        if not isinstance(operation, dict) or not isinstance(operation.get("path"), str):
            raise PatchError("a JSON patch is a list of operations with op and path")
        _operate(holder, operation)
    return dict(holder[""])


def _operate(holder: Json, operation: Json) -> None:
    path = _steps(operation["path"])
    match operation.get("op"):
        case "add":
            _put(holder, path, clone(operation.get("value")), insert=True)
        case "replace":
            _at(holder, path)
            _put(holder, path, clone(operation.get("value")), insert=False)
        case "remove":
            _drop(holder, path)
        case "test":
            if _at(holder, path) != operation.get("value"):
                raise TestFailedError(f"testing value {operation['path']} failed")
        case "move":
            origin = _steps(str(operation.get("from", "")))
            value = _at(holder, origin)
            _drop(holder, origin)
            _put(holder, path, value, insert=True)
        case "copy":
            value = clone(_at(holder, _steps(str(operation.get("from", "")))))
            _put(holder, path, value, insert=True)
        case unknown:
            raise PatchError(f"Unexpected kind: {unknown}")


def _steps(pointer: str) -> list[str]:
    if pointer and not pointer.startswith("/"):
        raise PatchError(f"{pointer!r} is not a JSON pointer")
    return [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")]


def _at(found: Any, path: Sequence[str]) -> Any:
    for step in path:
        try:
            found = found[_index(step, len(found))] if isinstance(found, list) else found[step]
        except (KeyError, IndexError, TypeError) as exc:
            raise TestFailedError(f"there is nothing at {'/'.join(path)}") from exc
    return found


def _index(step: str, length: int) -> int:
    if step == "-":
        return length
    if not step.isdecimal():
        raise PatchError(f"{step!r} is no position in a list")
    return int(step)


def _put(holder: Json, path: Sequence[str], value: object, *, insert: bool) -> None:
    parent, step = _at(holder, path[:-1]), path[-1]
    if isinstance(parent, dict):
        parent[step] = value
    elif isinstance(parent, list):
        position = _index(step, len(parent))
        if position > len(parent):
            raise TestFailedError(f"there is no position {position} in the list")
        if insert:
            parent.insert(position, value)
        else:
            parent[position] = value
    else:
        raise TestFailedError(f"nothing can stand at {'/'.join(path)}")


def _drop(holder: Json, path: Sequence[str]) -> None:
    _at(holder, path)
    parent, step = _at(holder, path[:-1]), path[-1]
    if isinstance(parent, list):
        del parent[_index(step, len(parent))]
    else:
        del parent[step]


def strategic_merge(before: Json, patch: Json) -> Json:
    """Apply a strategic merge patch: lists in `MERGE_KEYS` by element, `$patch` and its kin."""
    match patch.get("$patch"):
        case "replace":
            return {name: clone(value) for name, value in patch.items() if name != "$patch"}
        case "delete":
            return {}
        case None | "merge":
            pass
        case unknown:
            raise PatchError(f"Unknown patch type {unknown!r}")
    after: Json = clone(before)
    if "$retainKeys" in patch:
        kept = set(patch["$retainKeys"])
        after = {name: value for name, value in after.items() if name in kept}
    for name, value in patch.items():
        if name in _DIRECTIVES or name.startswith("$setElementOrder/"):
            continue
        if name.startswith("$deleteFromPrimitiveList/"):
            field = name.partition("/")[2]
            after[field] = [one for one in after.get(field) or [] if one not in value]
        elif value is None:
            after.pop(name, None)
        else:
            after[name] = _merged(name, after.get(name), value, patch)
    return after


def _merged(name: str, before: Any, value: Any, patch: Json) -> Any:
    if isinstance(value, dict):
        return strategic_merge(before if isinstance(before, dict) else {}, value)
    if not isinstance(value, list):
        return value
    order = patch.get(f"$setElementOrder/{name}")
    key = _merge_key(name, value)
    if key is not None:
        return _merged_list(before or [], value, key, order)
    if name in PRIMITIVE_SETS:
        return [*(before or []), *(one for one in value if one not in (before or []))]
    return clone(value)


def _merge_key(name: str, elements: Sequence[Any]) -> str | None:
    """Return the one key that strategic merge goes by; `ports` are a container's or a service's."""
    if name == "ports":
        return (
            "containerPort" if any("containerPort" in _fields(one) for one in elements) else "port"
        )
    return MERGE_KEYS[name][0] if name in MERGE_KEYS else None


def _fields(element: object) -> Mapping[str, Any]:
    if not isinstance(element, dict):
        raise PatchError("an element of a merged list has to be an object")
    return element


def _merged_list(before: Sequence[Json], patch: Sequence[Any], key: str, order: Any) -> list[Json]:
    replaces = any(
        _fields(one).get("$patch") == "replace" and key not in _fields(one) for one in patch
    )
    after: list[Json] = [] if replaces else [clone(one) for one in before]
    for element in patch:
        fields = _fields(element)
        if key not in fields:
            if "$patch" in fields:
                continue
            raise PatchError(f"map: {dict(fields)} does not contain declared merge key: {key}")
        position = next((at for at, one in enumerate(after) if one.get(key) == fields[key]), None)
        if fields.get("$patch") == "delete":
            if position is not None:
                del after[position]
        elif position is None:
            after.append(strategic_merge({}, {k: v for k, v in fields.items() if k != "$patch"}))
        else:
            after[position] = strategic_merge(after[position], dict(fields))
    if isinstance(order, list):
        wanted = [one.get(key) for one in order if isinstance(one, dict)]
        after.sort(
            key=lambda one: wanted.index(one[key]) if one.get(key) in wanted else len(wanted)
        )
    return after
