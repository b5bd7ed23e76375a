"""Questions about users: who am I, may I, may they, whose token is this."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from petops.lab.kubernetes_status import Wish, bad_request
from petops.lab.kubernetes_users import READ_VERBS, USERS, User, by_name
from petops.lab.quantities import stamp
from petops.lab.resources import SERVED, Resource
from petops.lab.store import Json

_HEALTH: Final = ["/api", "/api/*", "/apis", "/apis/*", "/healthz", "/livez", "/readyz", "/version"]


def review(resource: Resource, asked: Json, user: User, now: datetime) -> Json:
    """Return the answered form of a review that was posted."""
    spec = asked.get("spec") or {}
    if not isinstance(spec, dict):
        raise bad_request(f'{resource.kind} in version "v1" cannot be handled as a {resource.kind}')
    answer: Json = {
        "kind": resource.kind,
        "apiVersion": resource.api_version,
        "metadata": {"creationTimestamp": None},
    }
    match resource.kind:
        case "SelfSubjectReview":
            answer["metadata"]["creationTimestamp"] = stamp(now)
            answer["status"] = {"userInfo": {"username": user.name, "groups": list(user.groups)}}
        case "SelfSubjectAccessReview":
            answer |= {"spec": spec, "status": {"allowed": _allowed(user, spec)}}
        case "SubjectAccessReview":
            who = by_name(str(spec.get("user", "")))
            answer |= {"spec": spec, "status": {"allowed": _allowed(who, spec)}}
        case "SelfSubjectRulesReview":
            answer |= {"spec": {}, "status": _rules(user, str(spec.get("namespace", "")))}
        case _:
            answer |= {"spec": spec, "status": _token(str(spec.get("token", "")))}
    return answer


def _allowed(user: User, spec: Json) -> bool:
    attributes: Any = spec.get("resourceAttributes")
    if not isinstance(attributes, dict):
        return (
            user.may(Wish(verb="get", group="", resource=""))
            if "nonResourceAttributes" in spec
            else False
        )
    sub = attributes.get("subresource")
    plural = str(attributes.get("resource", ""))
    return user.may(
        Wish(
            verb=str(attributes.get("verb", "")),
            group=str(attributes.get("group", "")),
            resource=f"{plural}/{sub}" if sub else plural,
            namespace=str(attributes.get("namespace", "")),
            name=str(attributes.get("name", "")),
        )
    )


def _token(token: str) -> Json:
    user = USERS.get(token)
    if user is None:
        return {"user": {}, "error": "invalid bearer token"}
    return {"authenticated": True, "user": {"username": user.name, "groups": list(user.groups)}}


def _rules(user: User, namespace: str) -> Json:
    rules = []
    for one in SERVED:
        for name in (one.plural, *(f"{one.plural}/{sub}" for sub in one.subresources)):
            verbs = [
                verb
                for verb in sorted({*one.verbs, *READ_VERBS})
                if user.may(Wish(verb=verb, group=one.group, resource=name, namespace=namespace))
            ]
            if verbs:
                rules.append({"verbs": verbs, "apiGroups": [one.group], "resources": [name]})
    return {
        "resourceRules": rules,
        "nonResourceRules": [{"verbs": ["get"], "nonResourceURLs": list(_HEALTH)}],
        "incomplete": False,
    }
