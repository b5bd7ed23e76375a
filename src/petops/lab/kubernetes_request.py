"""A request to the Kubernetes API and its answer, without any transport; and how a path is read."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

import yaml

from petops.lab import kubernetes_protobuf
from petops.lab.kubernetes_bodies import MOST_BYTES, read_json, read_yaml
from petops.lab.kubernetes_status import (
    bad_request,
    no_such_path,
    no_such_resource,
    too_large,
    unsupported_media,
)
from petops.lab.resource_rows import Resource
from petops.lab.resources import groups, served
from petops.lab.shapes import wrong_shape
from petops.lab.store import Json

JSON_TYPE: Final = "application/json"
_SHORTEST_IN_NAMESPACE: Final = 2
_LONGEST: Final = 3
"""Steps of a path: more than `namespaces/NAME` is in a namespace; at most resource/name/sub."""

_YES: Final = frozenset({"1", "true", "True", "t", "T", "TRUE"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiRequest:
    """One request. Names of headers are in lower case."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @classmethod
    def of(
        cls,
        method: str,
        url: str,
        document: object = None,
        *,
        content_type: str = JSON_TYPE,
        headers: Mapping[str, str] | None = None,
    ) -> ApiRequest:
        """Return the request for a URL with its query, and a document as its JSON body."""
        parts = urlsplit(url)
        sent = {name.lower(): value for name, value in (headers or {}).items()}
        if document is not None:
            sent.setdefault("content-type", content_type)
        return cls(
            method=method,
            path=unquote(parts.path),
            query=dict(parse_qsl(parts.query, keep_blank_values=True)),
            headers=sent,
            body=b"" if document is None else json.dumps(document).encode(),
        )

    def flag(self, name: str) -> bool:
        """Say whether a query parameter is set to true."""
        return self.query.get(name, "") in _YES

    def number(self, name: str) -> int | None:
        """Return a query parameter as a whole number; None where it is not given."""
        text = self.query.get(name, "")
        if not text:
            return None
        try:
            return int(text)
        except ValueError:
            raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax') from None

    @property
    def is_dry_run(self) -> bool:
        asked = self.query.get("dryRun")
        if asked not in {None, "", "All"}:
            raise bad_request(f'Invalid value: "{asked}": supported values: "All"')
        return asked == "All"

    @property
    def content_type(self) -> str:
        return self.headers.get("content-type", JSON_TYPE).partition(";")[0].strip().lower()

    @property
    def manager(self) -> str:
        """Who changes fields: the `fieldManager`, else the program's name before the slash."""
        agent = self.headers.get("user-agent", "").partition("/")[0]
        return self.query.get("fieldManager") or agent or "unknown"

    def document(self) -> Any:
        """Return the body, read as JSON, YAML or protobuf; raise ApiError where it is neither."""
        if len(self.body) > MOST_BYTES:
            raise too_large(MOST_BYTES)
        try:
            if self.content_type == kubernetes_protobuf.MEDIA_TYPE:
                found = kubernetes_protobuf.read(self.body)
                if found is None:
                    raise unsupported_media()
                return found
            if "yaml" in self.content_type:
                return read_yaml(self.body)
            return read_json(self.body)
        except (ValueError, RecursionError, yaml.YAMLError) as exc:
            raise bad_request(f"the object provided is unrecognized: {exc}") from exc

    def optional(self) -> Json:
        """Return the body as an object, an empty one where there is none."""
        if not self.body.strip():
            return {}
        found = self.document()
        if not isinstance(found, dict):
            raise bad_request("the object provided is unrecognized (must be of type object)")
        if why := wrong_shape(found, ""):
            raise bad_request(f"the object provided is unrecognized: {why}")
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiAnswer:
    """What is answered: a whole body, or a stream for a watch or a log that is followed."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | AsyncIterator[bytes] = b""

    @classmethod
    def of(
        cls,
        document: object,
        status: int = 200,
        *,
        content_type: str = JSON_TYPE,
        warnings: tuple[str, ...] = (),
    ) -> ApiAnswer:
        """Return a JSON answer."""
        headers = {"content-type": content_type, "cache-control": "no-cache, private"}
        if warnings:
            headers["warning"] = ", ".join(f"299 - {json.dumps(text)}" for text in warnings)
        return cls(status=status, headers=headers, body=json.dumps(document).encode())

    @classmethod
    def raw(cls, body: bytes) -> ApiAnswer:
        """Return a JSON answer that is written already."""
        headers = {"content-type": JSON_TYPE, "cache-control": "no-cache, private"}
        return cls(headers=headers, body=body)

    @classmethod
    def plain(cls, text: str, status: int = 200) -> ApiAnswer:
        """Return a plain text answer."""
        return cls(status=status, headers={"content-type": "text/plain"}, body=text.encode())

    def json(self) -> Any:
        """Return the body as JSON."""
        if not isinstance(self.body, bytes):
            raise TypeError("a stream has no whole body")
        return json.loads(self.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a path leads to: a resource, and in it a namespace, an object, a subresource."""

    resource: Resource
    namespace: str = ""
    name: str = ""
    sub: str = ""


_VERBS: Final = {"POST": "create", "PUT": "update", "PATCH": "patch"}


def verb_of(request: ApiRequest, target: Target) -> str:
    """Return the verb that authorization goes by; empty for a method that no resource has."""
    if request.method in {"GET", "HEAD"}:
        if target.name:
            return "get"
        return "watch" if request.flag("watch") else "list"
    if request.method == "DELETE":
        return "delete" if target.name else "deletecollection"
    return _VERBS.get(request.method, "")


def target_of(path: str) -> Target:
    """Read `/api/v1/...` or `/apis/GROUP/VERSION/...`; raise ApiError where it leads nowhere."""
    steps = path.strip("/").split("/")
    prefix = 2 if steps[0] == "api" else 3
    group = "" if steps[0] == "api" else steps[1]
    version, rest = steps[prefix - 1], steps[prefix:]
    if (group, version) not in groups() or not rest:
        raise no_such_path()
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > _SHORTEST_IN_NAMESPACE:
        in_namespace = served(group, version, rest[2]) is not None
        if in_namespace or group:
            namespace, rest = rest[1], rest[2:]
    resource = served(group, version, rest[0])
    if resource is None or len(rest) > _LONGEST or (namespace and not resource.namespaced):
        raise no_such_resource()
    name, sub = (*rest[1:], "", "")[:2]
    if (sub and sub not in resource.subresources) or (
        name and resource.namespaced and not namespace
    ):
        raise no_such_resource()
    return Target(resource=resource, namespace=namespace, name=name, sub=sub)
