"""What the API says of itself: version, groups, resources, how it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from petops.lab import kubernetes_openapi
from petops.lab.kubernetes_request import ApiAnswer, ApiRequest
from petops.lab.kubernetes_status import method_not_allowed, no_such_path
from petops.lab.resource_rows import Resource
from petops.lab.resources import SUBRESOURCE_KINDS, groups, of_group
from petops.lab.store import Json

VERSION: Final[Json] = {
    "major": "1",
    "minor": "32",
    "gitVersion": "v1.32.13-eks-lab",
    "gitCommit": "63adf010aa20e104c0b7043b47f42f50c9f72b17",
    "gitTreeState": "clean",
    "buildDate": "2026-02-01T00:00:00Z",
    "goVersion": "go1.24.11",
    "compiler": "gc",
    "platform": "linux/amd64",
}
_HEALTHY: Final = (
    "ping",
    "log",
    "etcd",
    "informer-sync",
    "poststarthook/rbac/bootstrap-roles",
    "shutdown",
)
_AGGREGATED: Final = "apidiscovery.k8s.io"


def discover(request: ApiRequest) -> ApiAnswer | None:
    """Answer a path that is about the API itself; None for every other path."""
    path = request.path.rstrip("/") or "/"
    answer = _answer(request, path)
    if answer is not None and request.method not in {"GET", "HEAD"}:
        raise method_not_allowed()
    return answer


def _answer(request: ApiRequest, path: str) -> ApiAnswer | None:
    if path in _PLAIN:
        return _PLAIN[path](request)
    if path.startswith("/openapi"):
        return kubernetes_openapi.answer(request, path)
    steps = path.strip("/").split("/")
    if steps[0] not in {"api", "apis"}:
        raise no_such_path()
    group, rest = ("", steps[1:]) if steps[0] == "api" else (steps[1], steps[2:])
    if len(rest) > 1:
        return None
    if not rest:
        return ApiAnswer.of({"kind": "APIGroup", "apiVersion": "v1", **_group(group)})
    if (group, rest[0]) not in groups():
        raise no_such_path()
    return ApiAnswer.of(_resources(group, rest[0]))


def _version(_: ApiRequest) -> ApiAnswer:
    return ApiAnswer.of(VERSION)


def _root(_: ApiRequest) -> ApiAnswer:
    return ApiAnswer.of({"paths": [*_PLAIN, "/api/v1", kubernetes_openapi.ROOT]})


def _health(request: ApiRequest) -> ApiAnswer:
    if "verbose" not in request.query:
        return ApiAnswer.plain("ok")
    lines = [f"[+]{name} ok" for name in _HEALTHY]
    return ApiAnswer.plain("\n".join([*lines, f"{request.path.strip('/')} check passed", ""]))


def _groups(request: ApiRequest) -> ApiAnswer:
    core = request.path.rstrip("/") == "/api"
    accept = request.headers.get("accept", "")
    if _AGGREGATED in accept:
        version = "v2" if "v=v2;" in accept or accept.endswith("v=v2") else "v2beta1"
        names = [
            name for name in dict.fromkeys(group for group, _ in groups()) if (not name) is core
        ]
        document = {
            "kind": "APIGroupDiscoveryList",
            "apiVersion": f"{_AGGREGATED}/{version}",
            "metadata": {},
            "items": [_discovered(name) for name in names],
        }
        kind = f"application/json;g={_AGGREGATED};v={version};as=APIGroupDiscoveryList"
        return ApiAnswer.of(document, content_type=kind)
    if core:
        return ApiAnswer.of({"kind": "APIVersions", "apiVersion": "v1", "versions": ["v1"]})
    listed = [_group(name) for name in dict.fromkeys(group for group, _ in groups()) if name]
    return ApiAnswer.of({"kind": "APIGroupList", "apiVersion": "v1", "groups": listed})


def _group(name: str) -> Json:
    versions = [
        {"groupVersion": f"{group}/{version}", "version": version}
        for group, version in groups()
        if group == name
    ]
    if not versions or not name:
        raise no_such_path()
    return {"name": name, "versions": versions, "preferredVersion": versions[0]}


def _resources(group: str, version: str) -> Json:
    listed: list[Json] = []
    for one in of_group(group, version):
        row: Json = {
            "name": one.plural,
            "singularName": one.singular,
            "namespaced": one.namespaced,
            "kind": one.kind,
            "verbs": list(one.verbs),
        }
        if one.short:
            row["shortNames"] = list(one.short)
        if one.categories:
            row["categories"] = list(one.categories)
        listed.append(row)
        for sub in one.subresources:
            below: Json = {
                "name": f"{one.plural}/{sub}",
                "singularName": "",
                "namespaced": one.namespaced,
                "kind": one.kind,
                "verbs": list(_sub_verbs(sub)),
            }
            if sub in SUBRESOURCE_KINDS:
                group, version, below["kind"], _ = SUBRESOURCE_KINDS[sub]
                below |= {"group": group, "version": version} if group else {}
            listed.append(below)
    name = f"{group}/{version}" if group else version
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": name,
        "resources": listed,
    }


def _sub_verbs(sub: str) -> tuple[str, ...]:
    if sub in SUBRESOURCE_KINDS:
        return SUBRESOURCE_KINDS[sub][3]
    return ("get",) if sub == "log" else ("get", "patch", "update")


def _discovered(name: str) -> Json:
    versions = []
    for group, version in groups():
        if group == name:
            resources = [_discovered_resource(one) for one in of_group(group, version)]
            versions.append({"version": version, "resources": resources, "freshness": "Current"})
    metadata: Json = {"name": name} if name else {}
    return {"metadata": {**metadata, "creationTimestamp": None}, "versions": versions}


def _discovered_resource(one: Resource) -> Json:
    row: Json = {
        "resource": one.plural,
        "responseKind": {"group": one.group, "version": one.version, "kind": one.kind},
        "scope": "Namespaced" if one.namespaced else "Cluster",
        "singularResource": one.singular,
        "verbs": list(one.verbs),
    }
    if one.short:
        row["shortNames"] = list(one.short)
    if one.categories:
        row["categories"] = list(one.categories)
    if one.subresources:
        row["subresources"] = [
            {
                "subresource": sub,
                "responseKind": _sub_kind(one, sub),
                "verbs": list(_sub_verbs(sub)),
            }
            for sub in one.subresources
        ]
    return row


def _sub_kind(one: Resource, sub: str) -> Json:
    group, version, kind, _ = SUBRESOURCE_KINDS.get(sub, (one.group, one.version, one.kind, ()))
    return {"group": group, "version": version, "kind": kind}


_PLAIN: Final[Mapping[str, Callable[[ApiRequest], ApiAnswer]]] = {
    "/": _root,
    "/api": _groups,
    "/apis": _groups,
    "/healthz": _health,
    "/livez": _health,
    "/readyz": _health,
    "/version": _version,
}
