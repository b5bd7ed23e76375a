"""Bodies in Kubernetes' protobuf, which kubectl sends for some kinds whatever a server prefers.

Only the kinds that it sends so in commands that the lab is for are read: namespaces, evictions and
reviews. Numbers of fields are those of Kubernetes' `generated.proto` files. For everything else the
server asks for JSON (415).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from petops.lab.store import Json

MEDIA_TYPE: Final = "application/vnd.kubernetes.protobuf"
_MAGIC: Final = b"k8s\x00"
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MORE: Final = 0x80

Message = Mapping[int, tuple[str, Any]]
"""Field number to name and form: a message, "text", "texts" (repeated), "map", "number", "flag"."""

_ENVELOPE: Final[Message] = {
    1: ("type", {1: ("apiVersion", "text"), 2: ("kind", "text")}),
    2: ("raw", "raw"),
}
_META: Final[Message] = {
    1: ("name", "text"),
    2: ("generateName", "text"),
    3: ("namespace", "text"),
    5: ("uid", "text"),
    6: ("resourceVersion", "text"),
    11: ("labels", "map"),
    12: ("annotations", "map"),
}
_OPTIONS: Final[Message] = {
    1: ("gracePeriodSeconds", "number"),
    2: ("preconditions", {1: ("uid", "text"), 2: ("resourceVersion", "text")}),
    3: ("orphanDependents", "flag"),
    4: ("propagationPolicy", "text"),
    5: ("dryRun", "texts"),
}
_ASKED: Final[Message] = {
    1: ("namespace", "text"),
    2: ("verb", "text"),
    3: ("group", "text"),
    4: ("version", "text"),
    5: ("resource", "text"),
    6: ("subresource", "text"),
    7: ("name", "text"),
}
_PATH: Final[Message] = {1: ("path", "text"), 2: ("verb", "text")}
_ACCESS: Final[Message] = {1: ("resourceAttributes", _ASKED), 2: ("nonResourceAttributes", _PATH)}

_KINDS: Final[Mapping[str, Message]] = {
    "DeleteOptions": _OPTIONS,
    "Eviction": {1: ("metadata", _META), 2: ("deleteOptions", _OPTIONS)},
    "Namespace": {1: ("metadata", _META)},
    "SelfSubjectAccessReview": {1: ("metadata", _META), 2: ("spec", _ACCESS)},
    "SelfSubjectReview": {1: ("metadata", _META)},
    "SelfSubjectRulesReview": {1: ("metadata", _META), 2: ("spec", {1: ("namespace", "text")})},
    "SubjectAccessReview": {
        1: ("metadata", _META),
        2: ("spec", {**_ACCESS, 3: ("user", "text"), 4: ("groups", "texts")}),
    },
}


def read(body: bytes) -> Json | None:
    """Return the object of a body; None for a kind that is not known; raise ValueError."""
    if not body.startswith(_MAGIC):
        raise ValueError("the body is not Kubernetes' protobuf")
    outer = _decoded(body[len(_MAGIC) :], _ENVELOPE)
    kind = outer.get("type", {})
    schema = _KINDS.get(kind.get("kind", ""))
    if schema is None:
        return None
    return {**kind, **_decoded(outer.get("raw", b""), schema)}


def _decoded(data: bytes, schema: Message) -> Json:
    found: Json = {}
    for number, value in _fields(data):
        name, form = schema.get(number, ("", None))
        if form is None:
            continue
        if isinstance(value, bytes) is (form in ("number", "flag")):
            raise ValueError(f"{name} has another form")
        if isinstance(form, Mapping):
            found[name] = _decoded(value, form)
        elif form == "map":
            entry = _decoded(value, {1: ("key", "text"), 2: ("value", "text")})
            found.setdefault(name, {})[entry.get("key", "")] = entry.get("value", "")
        elif form == "texts":
            found.setdefault(name, []).append(value.decode())
        elif form == "raw":
            found[name] = value
        elif form == "text":
            if value:
                found[name] = value.decode()
        else:
            found[name] = bool(value) if form == "flag" else value
    return found


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    position = 0
    while position < len(data):
        tag, position = _varint(data, position)
        number, wire = tag >> 3, tag & 7
        if wire == _VARINT:
            value, position = _varint(data, position)
            yield number, value
            continue
        if wire == _BYTES:
            length, position = _varint(data, position)
        else:
            length = {_FIXED64: 8, _FIXED32: 4}.get(wire, len(data) + 1)
        if position + length > len(data):
            raise ValueError("the body ends too early")
        if wire == _BYTES:
            yield number, data[position : position + length]
        position += length


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while position < len(data):
        byte = data[position]
        value |= (byte & ~_MORE) << shift
        position, shift = position + 1, shift + 7
        if not byte & _MORE:
            return value, position
    raise ValueError("the body ends too early")
