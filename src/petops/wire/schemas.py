"""What pydantic needs to know of our dataclasses, made from their own annotations.

Unions of dataclasses are tagged by `kind`, times are RFC 3339 in UTC. Nothing has to be listed here
for a new event, fact or change: a member of its union is all that it needs to be.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from datetime import UTC, datetime
from functools import cache, reduce
from math import isfinite
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from pydantic import (
    AfterValidator,
    AwareDatetime,
    Discriminator,
    GetCoreSchemaHandler,
    PlainSerializer,
    Tag,
    TypeAdapter,
)
from pydantic_core import CoreSchema, core_schema

from petops.domain.events import Unreadable


def kind_of(cls: type) -> str:
    """Return the tag of a union's member: `RemedyApproved` is `remedy-approved`."""
    return _kebab(cls.__name__)


@cache
def _kebab(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).lower()


def dumped(annotation: Any, value: object) -> bytes:
    """Return `value` as JSON; a value that could not be read again is a bug, and raises."""
    return _adapter(annotation).dump_json(value, warnings="error")


def loaded(annotation: Any, text: str | bytes) -> Any:
    """Return the value of this type that `text` is; raise ValidationError or UsageError."""
    return _adapter(annotation).validate_json(text)


@cache
def _adapter(annotation: Any) -> TypeAdapter[Any]:
    return TypeAdapter(_wired(annotation))


def _wired(annotation: Any) -> Any:
    """Return `annotation` as pydantic takes it, with unions tagged and times in UTC."""
    if annotation is datetime:
        return Annotated[AwareDatetime, AfterValidator(_utc), PlainSerializer(_rfc3339)]
    if annotation is float:
        return Annotated[float, PlainSerializer(_number)]
    if is_dataclass(annotation):
        return Annotated[annotation, _AsDataclass()]
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Union or origin is UnionType:
        return _wired_union(arguments)
    if arguments:
        return origin[tuple(one if one is ... else _wired(one) for one in arguments)]
    return annotation


def _wired_union(members: tuple[Any, ...]) -> Any:
    classes = [one for one in members if isinstance(one, type) and is_dataclass(one)]
    others = [_wired(one) for one in members if not is_dataclass(one)]
    if len(classes) > 1:
        tagged = [Annotated[one, _AsDataclass(tagged=True), Tag(kind_of(one))] for one in classes]
        others.append(Annotated[reduce(operator.or_, tagged), Discriminator(_tag)])
    else:
        others.extend(_wired(one) for one in classes)
    return reduce(operator.or_, others)


def _tag(value: object) -> str | None:
    """Return the tag of a value to be read (an object of JSON) or written (an instance)."""
    if isinstance(value, Mapping):
        kind = value.get("kind")
        return kind if isinstance(kind, str) else None
    return kind_of(type(value)) if is_dataclass(value) else None


def _utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("the time is out of range") from None


def _rfc3339(value: datetime) -> str:
    if value.tzinfo is None:
        raise ValueError(f"{value} has no time zone")
    return value.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


def _number(value: float) -> float | str:
    """JSON has no infinities: they are written as text, which reading a float understands."""
    return value if isfinite(value) else str(value)


@dataclass(frozen=True)
class _AsDataclass:
    """Tells pydantic how to read and write a dataclass: with `_wired` fields, tagged or not."""

    tagged: bool = False

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        if source is Unreadable:
            return _unreadable_schema()
        hints = get_type_hints(source)
        wanted = [one for one in fields(source) if one.init]
        made = [_field(one, handler.generate_schema(_wired(hints[one.name]))) for one in wanted]
        return core_schema.dataclass_schema(
            source,
            core_schema.dataclass_args_schema(source.__name__, made),
            [one.name for one in wanted],
            post_init=hasattr(source, "__post_init__"),
            slots=True,
            serialization=_with_kind(kind_of(source)) if self.tagged else None,
        )


def _field(one: Field[Any], schema: CoreSchema) -> core_schema.DataclassField:
    if one.default is not MISSING:
        schema = core_schema.with_default_schema(schema, default=one.default)
    elif one.default_factory is not MISSING:
        schema = core_schema.with_default_schema(schema, default_factory=one.default_factory)
    return core_schema.dataclass_field(one.name, schema, kw_only=True)


def _with_kind(kind: str) -> core_schema.WrapSerializerFunctionSerSchema:
    def serialize(value: object, rest: Callable[[object], dict[str, object]]) -> dict[str, object]:
        return {"kind": kind, **rest(value)}

    return core_schema.wrap_serializer_function_ser_schema(serialize)


def _unreadable_schema() -> CoreSchema:
    """Write what could not be read under its own kind; it is read again by `_entry_of`."""

    def serialize(event: Unreadable) -> dict[str, object]:
        return {"kind": event.kind, "at": _rfc3339(event.at), "unreadable": event.text}

    return core_schema.is_instance_schema(
        Unreadable, serialization=core_schema.plain_serializer_function_ser_schema(serialize)
    )
