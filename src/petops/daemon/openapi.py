"""The API's own description, OpenAPI 3.1: made of the requests' types, so that it cannot differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import datetime
from enum import EnumType
from functools import cache
from types import UnionType
from typing import Any, Final, Union, cast, get_args, get_origin, get_type_hints

from petops import __version__, wire
from petops.domain.requests import AnyRequest, RecordMirrored

Json = dict[str, Any]
PATH: Final = "/api/v1/openapi.json"
_PLAIN: Final[Mapping[Any, Json]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    datetime: {"type": "string", "format": "date-time"},
    type(None): {"type": "null"},
}


@cache
def document() -> Json:
    """Return the description."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "petops",
            "version": __version__,
            "description": "Incidents of one cluster: what is known, and what is decided.",
        },
        "security": [{"token": []}],
        "paths": _paths(),
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": _schemas(),
        },
    }


def _paths() -> Json:
    after = {"name": "after", "in": "query", "schema": {"type": "integer", "minimum": 0}}
    resume = {"name": "Last-Event-ID", "in": "header", "schema": {"type": "string"}}
    known = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
    source = {
        "name": "source",
        "in": "path",
        "required": True,
        "schema": {"type": "string", "enum": ["eventbridge", "alertmanager"]},
    }
    return {
        "/healthz": {"get": _open("Whether the process lives.")},
        "/readyz": {"get": _open("Whether journal and engine can do their work.", 503)},
        "/metrics": {"get": _open("Prometheus metrics of petops itself.")},
        "/api/v1/engine": {"get": _read("Which engine this is.", "Anything")},
        "/api/v1/board": {"get": _read("Every incident, as entries to fold.", "Board")},
        "/api/v1/incidents": {"get": _read("Every incident in brief.", "Incidents")},
        "/api/v1/incidents/{id}": {
            "get": {**_read("One incident whole.", "Incident", 404), "parameters": [known]}
        },
        "/api/v1/entries": {
            "get": {
                "summary": "The journal as server-sent events; id is the entry's seq.",
                "parameters": [after, resume],
                "responses": {
                    "200": {
                        "description": "A stream without end.",
                        "content": {"text/event-stream": {"schema": {"type": "string"}}},
                    },
                    **_errors(400, 401, 403, 429, 503),
                },
            }
        },
        "/api/v1/requests": {
            "post": {
                "summary": "A request: responders report and answer, approvers decide.",
                "requestBody": _body("Request"),
                "responses": {
                    "202": _answer("Accepted: the entry that answers it.", "Entry"),
                    "409": _answer("Refused: the entry says why.", "Entry"),
                    **_errors(400, 401, 403, 408, 413, 415, 429, 503),
                },
            }
        },
        "/api/v1/alarms/{source}": {
            "post": {
                "summary": "An EventBridge event or an Alertmanager payload.",
                "parameters": [source],
                "requestBody": _body("Webhook"),
                "responses": {
                    "202": _answer("An entry for each alarm.", "Entries"),
                    **_errors(400, 401, 403, 404, 408, 413, 415, 429, 503),
                },
            }
        },
        "/api/v1/doctor": {"get": _read("What is set up, and what is not.", "Checks", 501)},
        PATH: {"get": _read("This document.", "Anything")},
    }


def _open(summary: str, *statuses: int) -> Json:
    return {
        "summary": summary,
        "security": [],
        "responses": {"200": {"description": "Yes."}, **_errors(*statuses)},
    }


def _read(summary: str, schema: str, *statuses: int) -> Json:
    responses = {"200": _answer(summary, schema), **_errors(401, 403, 429, 503, *statuses)}
    return {"summary": summary, "responses": responses}


def _answer(description: str, schema: str) -> Json:
    return {"description": description, "content": _content(schema)}


def _body(schema: str) -> Json:
    return {"required": True, "content": _content(schema)}


def _content(schema: str) -> Json:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}


def _errors(*statuses: int) -> Json:
    return {str(one): _answer("One sentence, and a hint.", "Error") for one in sorted(statuses)}


def _schemas() -> Json:
    text = {"type": "string"}
    anything: Json = {"type": "object"}
    entry = {
        "type": "object",
        "required": ["seq", "incident", "number", "event"],
        "properties": {
            "seq": {"type": "integer"},
            "incident": text,
            "number": {"type": "integer"},
            "event": {"type": "object", "required": ["kind", "at"]},
        },
    }
    made: Json = {
        "Anything": anything,
        "Webhook": anything,
        "Incident": anything,
        "Board": {"type": "object", "required": ["seq", "entries"]},
        "Incidents": {"type": "object", "required": ["incidents"]},
        "Checks": {"type": "object", "required": ["checks"]},
        "Entry": entry,
        "Entries": {"type": "object", "required": ["entries"]},
        "Error": {
            "type": "object",
            "required": ["error", "hint"],
            "properties": {"error": text, "hint": {"type": ["string", "null"]}},
        },
    }
    kinds = [one for one in get_args(AnyRequest) if one is not RecordMirrored]
    for one in kinds:
        made[one.__name__] = _of(one, wire.kind_of(one))
    made["Request"] = {
        "oneOf": [{"$ref": f"#/components/schemas/{one.__name__}"} for one in kinds],
        "discriminator": {
            "propertyName": "kind",
            "mapping": {wire.kind_of(one): f"#/components/schemas/{one.__name__}" for one in kinds},
        },
    }
    return made


def _of(cls: type, kind: str = "") -> Json:
    """Return the schema of a dataclass; a request's texts are bounded, and none is empty."""
    hints = get_type_hints(cls)
    properties: Json = {"kind": {"const": kind}} if kind else {}
    for one in fields(cls):
        properties[one.name] = _type(hints[one.name])
        if kind and hints[one.name] is str:
            longest = wire.MAX_TEXT if one.name == "because" else wire.MAX_NAME
            properties[one.name] = {"type": "string", "minLength": 1, "maxLength": longest}
    required = [one.name for one in fields(cls) if _is_required(one)]
    return {
        "type": "object",
        "required": ["kind", *required] if kind else required,
        "properties": properties,
        **({"additionalProperties": False} if kind else {}),
    }


def _is_required(one: Field[Any]) -> bool:
    return one.default is MISSING and one.default_factory is MISSING


def _type(hint: Any) -> Json:  # noqa: PLR0911 (one case after the other)
    if hint in _PLAIN:
        return dict(_PLAIN[hint])
    if isinstance(hint, EnumType):
        values: list[Any] = list(hint)
        return {"type": "string", "enum": [str(one) for one in values]}
    if is_dataclass(hint):
        return _of(cast("type", hint))
    origin = get_origin(hint)
    arguments: tuple[Any, ...] = get_args(hint)
    if origin in {Union, UnionType}:
        return {
            "anyOf": [{"type": "null"} if one is type(None) else _type(one) for one in arguments]
        }
    if origin is tuple and len(arguments) == 2 and arguments[1] is ...:
        return {"type": "array", "items": _type(arguments[0])}
    if origin is tuple:
        return {
            "type": "array",
            "prefixItems": [_type(one) for one in arguments],
            "minItems": len(arguments),
            "maxItems": len(arguments),
        }
    return {}
