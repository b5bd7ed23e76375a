"""Bodies in Kubernetes' protobuf, which kubectl sends for some kinds whatever a server prefers.

Only the kinds that it sends so are read (`kubernetes_protobuf_kinds`). For everything else the
server asks for JSON (415).
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import Any, Final

from petops.lab.kubernetes_protobuf_kinds import KINDS, Many, Message
from petops.lab.store import Json

MEDIA_TYPE: Final = "application/vnd.kubernetes.protobuf"
_MAGIC: Final = b"k8s\x00"
_VARINTS: Final = ("number", "flag", "unless zero", "if so")
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MORE: Final = 0x80
_WRAPS: Final = 2**64

_ENVELOPE: Final[Message] = {
    1: ("type", {1: ("apiVersion", "text"), 2: ("kind", "text")}),
    2: ("raw", "raw"),
}


def read(body: bytes) -> Json | None:
    """Return the object of a body; None for a kind that is not known; raise ValueError."""
    if not body.startswith(_MAGIC):
        raise ValueError("the body is not Kubernetes' protobuf")
    outer = _decoded(body[len(_MAGIC) :], _ENVELOPE)
    kind = outer.get("type", {})
    name = kind.get("kind", "")
    schema = KINDS.get(f"{kind.get('apiVersion', '')}/{name}") or KINDS.get(name)
    if schema is None:
        return None
    return {**kind, **_decoded(outer.get("raw", b""), schema)}


def _decoded(data: bytes, schema: Message) -> Json:
    found: Json = {}
    for number, value in _fields(data):
        name, form = schema.get(number, ("", None))
        if form is None:
            continue
        if isinstance(value, bytes) is (form in _VARINTS):
            raise ValueError(f"{name} has another form")
        if isinstance(form, Mapping) and not name:  # one that JSON has in line
            found |= _decoded(value, form)
        elif isinstance(form, Mapping):
            found[name] = _decoded(value, form)
        elif isinstance(form, Many):
            found.setdefault(name, []).append(_decoded(value, form.of))
        elif form in _ENTRIES:
            entry = _decoded(value, {1: ("key", "text"), 2: ("value", _ENTRIES[form])})
            found.setdefault(name, {})[entry.get("key", "")] = entry.get("value", "")
        elif form == "texts":
            found.setdefault(name, []).append(value.decode())
        elif (single := _single(form, value)) is not None:
            found[name] = single
    return found


_ENTRIES: Final = {"map": "text", "quantities": "quantity", "base64": "encoded"}
_TEXT: Final[Message] = {1: ("text", "text")}
_EITHER: Final[Message] = {1: ("kind", "number"), 2: ("number", "number"), 3: ("text", "text")}


def _single(form: str, value: Any) -> Any:
    """Return a value of one of the simple forms; None for one that JSON would leave out."""
    match form:
        case "text":
            value = value.decode() or None
        case "encoded":
            value = base64.b64encode(value).decode()
        case "quantity":
            value = _decoded(value, _TEXT).get("text", "0")
        case "either":
            found = _decoded(value, _EITHER)
            value = found.get("text", "") if found.get("kind") else found.get("number", 0)
        case "flag":
            value = bool(value)
        case "if so":
            value = True if value else None
        case "unless zero":
            value = value or None
        case "number" if value >= _WRAPS // 2:
            value -= _WRAPS
    return value


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
