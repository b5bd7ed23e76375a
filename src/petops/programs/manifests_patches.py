"""Patches of our kustomizations: JSON patches by kind and name, and the deletion of an object."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import yaml

from petops.errors import PetopsError

Json = Any

_DELETE: Final = "delete"
_KNOWN: Final = {"target", "patch"}


def patched(found: Sequence[Json], patches: Sequence[Json]) -> list[Json]:
    """Return the objects with the patches applied; a patch that meets no object is an error."""
    result = list(found)
    for one in patches:
        if set(one) != _KNOWN or set(one["target"]) != {"kind", "name"}:
            raise PetopsError("a patch needs a target by kind and name, and its text in place")
        kind, name = one["target"]["kind"], one["target"]["name"]
        meant = [
            each for each in result if (each["kind"], each["metadata"]["name"]) == (kind, name)
        ]
        if not meant:
            raise PetopsError(f"a patch is for {kind} {name}, which is not there")
        edits = yaml.safe_load(one["patch"])
        if isinstance(edits, dict):
            if edits.get("$patch") != _DELETE:
                raise PetopsError(f"the patch of {kind} {name} is of a sort petops cannot render")
            result = [each for each in result if each not in meant]
            continue
        for target in meant:
            for edit in edits:
                _apply(target, edit)
    return result


def _apply(target: Json, edit: Json) -> None:
    """Apply one operation of RFC 6902 to an object."""
    *way, last = [
        step.replace("~1", "/").replace("~0", "~") for step in edit["path"].split("/")[1:]
    ]
    try:
        for step in way:
            target = target[_key(target, step)]
        match edit["op"]:
            case "add" if isinstance(target, list):
                target.insert(len(target) if last == "-" else int(last), edit["value"])
            case "add":
                target[last] = edit["value"]
            case "replace" if target[_key(target, last)] is not None:
                target[_key(target, last)] = edit["value"]
            case "test" if target[_key(target, last)] == edit["value"]:
                pass
            case _:
                raise PetopsError(f"the patch {edit['op']} of {edit['path']} does not fit")
    except (KeyError, IndexError, ValueError, TypeError) as exc:
        raise PetopsError(f"a patch is for {edit['path']}, which is not there") from exc


def _key(found: Json, step: str) -> str | int:
    return int(step) if isinstance(found, list) else step
