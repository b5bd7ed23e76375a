"""Bodies as the API server reads them: JSON, or YAML that says what JSON can say, and no more.

Dates stay texts, keys are texts, and what refers to itself, grows out of all proportion by
aliases or is nested without end is refused before anything walks through it.
"""

from __future__ import annotations

import json
import math
from typing import Any, Final

import yaml

MOST_BYTES: Final = 3 * 1024 * 1024
_DEEPEST: Final = 200
_MOST_NODES: Final = 200_000


class BodyError(ValueError):
    """A body that cannot be taken; the message says why."""


class _Loader(yaml.SafeLoader):
    """YAML whose dates are texts, as they are in JSON."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, form) for tag, form in known if not tag.endswith(":timestamp")]
    for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read_json(body: bytes) -> Any:
    """Return what a JSON body says; raise ValueError."""
    return _checked(json.loads(body, parse_constant=_refused))


def read_yaml(body: bytes) -> Any:
    """Return what a YAML body says; raise ValueError or YAMLError."""
    return _checked(yaml.load(body, _Loader))  # noqa: S506 - it is a SafeLoader


def _refused(text: str) -> Any:
    raise BodyError(f"invalid character in the number {text}")


def _checked(found: Any) -> Any:
    """Return plain JSON of what was read, each part of it once for each time it is meant."""
    left = _MOST_NODES

    def plain(value: Any, depth: int) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            raise BodyError("document contains excessive aliasing, or is too large")
        if depth > _DEEPEST:
            raise BodyError("exceeded max depth")
        if isinstance(value, dict):
            return {_key(key): plain(one, depth + 1) for key, one in value.items()}
        if isinstance(value, list):
            return [plain(one, depth + 1) for one in value]
        if value is None or isinstance(value, str | bool | int):
            return value
        if isinstance(value, float) and math.isfinite(value):
            return value
        raise BodyError(f"error converting YAML to JSON: {type(value).__name__} has no JSON form")

    return plain(found, 0)


def _key(key: Any) -> str:
    if isinstance(key, bool):
        return str(key).lower()
    if isinstance(key, str | int | float):
        return str(key)
    raise BodyError(f"error converting YAML to JSON: invalid map key of type {type(key).__name__}")
