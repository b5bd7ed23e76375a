"""The API in OpenAPI's words, as far as kubectl reads them: what writes take, and all fields.

Of version 2 only the frame is served: kubectl asks for it, in protobuf, about kinds that nobody
knows, and then says itself that there is no such kind.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from petops.lab.kubernetes_request import ApiAnswer, ApiRequest
from petops.lab.kubernetes_schemas import schemas_of
from petops.lab.kubernetes_status import ApiError
from petops.lab.resource_rows import Resource
from petops.lab.resources import groups, of_group
from petops.lab.store import Json

ROOT: Final = "/openapi/v3"
_OLD: Final = "/openapi/v2"
_OLD_TYPE: Final = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
_TITLE, _VERSION = "Kubernetes", "v1.32.13"
_FREE: Final[Json] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def answer(request: ApiRequest, path: str) -> ApiAnswer:
    """Answer a path below `/openapi`."""
    if path == _OLD:
        if "proto-openapi" in request.headers.get("accept", ""):
            return ApiAnswer(headers={"content-type": _OLD_TYPE}, body=_old_frame())
        info = {"title": _TITLE, "version": _VERSION}
        return ApiAnswer.of({"swagger": "2.0", "info": info, "paths": {}})
    if path == ROOT:
        listed = {
            prefix(*one).strip("/"): {"serverRelativeURL": f"{ROOT}{prefix(*one)}?hash=LAB"}
            for one in groups()
        }
        return ApiAnswer.of({"paths": listed})
    for group, version in groups():
        if path == ROOT + prefix(group, version):
            return ApiAnswer.of(_group(group, version))
    raise ApiError(404, "NotFound", "404 page not found", text="404 page not found\n")


def prefix(group: str, version: str) -> str:
    """Return the path of a group's version."""
    return f"/apis/{group}/{version}" if group else f"/api/{version}"


@cache
def _group(group: str, version: str) -> Json:
    """A document with the paths that can be written, whose PATCH and PUT take `fieldValidation`."""
    paths: Json = {}
    schemas: Json = {}
    for one in of_group(group, version):
        name, made = _schemas(one)
        for key, schema in made.items():  # a kind may be a part of another one, too
            schemas[key] = {**(schemas.get(key) or {}), **schema}
        place = "namespaces/{namespace}/" if one.namespaced else ""
        paths[f"{prefix(group, version)}/{place}{one.plural}/{{name}}"] = {
            verb: _operation(one, verb, name) for verb in ("get", "patch", "put")
        }
    return {
        "openapi": "3.0.0",
        "info": {"title": _TITLE, "version": _VERSION},
        "paths": paths,
        "components": {"schemas": schemas},
    }


def _schemas(one: Resource) -> tuple[str, Json]:
    """Return the name of a kind's schema, and the schemas that it needs."""
    known = schemas_of(one)
    for name, schema in known.items():
        if "x-kubernetes-group-version-kind" in schema:
            return name, known
    name = f"io.k8s.{one.group or 'core'}.{one.version}.{one.kind}"
    properties: Json = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}}
    properties |= {"metadata": _FREE, "spec": _FREE, "status": _FREE}
    made = {
        "type": "object",
        "properties": properties,
        "x-kubernetes-group-version-kind": [_kind(one)],
    }
    return name, {name: made}


def _kind(one: Resource) -> Json:
    return {"group": one.group, "version": one.version, "kind": one.kind}


def _operation(one: Resource, verb: str, schema: str) -> Json:
    names = ("dryRun", "fieldManager", "fieldValidation") if verb in {"patch", "put"} else ()
    parameters = [
        {"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": True}}
        for name in names
    ]
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    operation: Json = {
        "operationId": f"{verb}{one.kind}",
        "parameters": parameters,
        "responses": {"200": {"description": "OK", "content": content}},
        "x-kubernetes-action": verb,
        "x-kubernetes-group-version-kind": _kind(one),
    }
    if verb in {"patch", "put"}:
        body: dict[str, Any] = content
        operation["requestBody"] = {"content": body}
    return operation


def _old_frame() -> bytes:
    """Return a document of version 2 without any path: swagger (1), info (2), paths (8)."""
    info = _text(1, _TITLE) + _text(2, _VERSION)
    return _text(1, "2.0") + _bytes(2, info) + _bytes(8, b"")


def _text(number: int, text: str) -> bytes:
    return _bytes(number, text.encode())


def _bytes(number: int, data: bytes) -> bytes:
    return bytes((number << 3 | 2, len(data))) + data
