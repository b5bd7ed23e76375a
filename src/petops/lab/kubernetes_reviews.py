"""Questions about users: who am I, may I, may they, whose token is this."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from petops.lab.kubernetes_rbac import Authorizer
from petops.lab.kubernetes_status import Wish, bad_request
from petops.lab.kubernetes_users import User, Users, by_name
from petops.lab.quantities import stamp
from petops.lab.resource_rows import Resource
from petops.lab.store import Json

_ASKING: Final = (
    ("authentication.k8s.io", "selfsubjectreviews"),
    ("authorization.k8s.io", "selfsubjectaccessreviews"),
    ("authorization.k8s.io", "selfsubjectrulesreviews"),
)


class Reviews:
    """Answers reviews."""

    def __init__(self, users: Users, authorizer: Authorizer) -> None:
        self._users, self._authorizer = users, authorizer

    def answer(self, resource: Resource, asked: Json, user: User, now: datetime) -> Json:
        """Return the answered form of a review that was posted."""
        spec = asked.get("spec") or {}
        if not isinstance(spec, dict):
            raise bad_request(
                f'{resource.kind} in version "v1" cannot be handled as a {resource.kind}'
            )
        answer: Json = {
            "kind": resource.kind,
            "apiVersion": resource.api_version,
            "metadata": {"creationTimestamp": None},
        }
        match resource.kind:
            case "SelfSubjectReview":
                answer["metadata"]["creationTimestamp"] = stamp(now)
                answer["status"] = {"userInfo": user.info}
            case "SelfSubjectAccessReview":
                answer |= {"spec": spec, "status": self._allowed(user, spec)}
            case "SubjectAccessReview":
                groups = spec.get("groups") or ()
                who = by_name(str(spec.get("user", "")), tuple(map(str, groups)))
                answer |= {"spec": spec, "status": self._allowed(who, spec)}
            case "SelfSubjectRulesReview":
                namespace = str(spec.get("namespace", ""))
                answer |= {"spec": {}, "status": self._rules(user, namespace)}
            case _:
                answer |= {"spec": spec, "status": self._token(str(spec.get("token", "")))}
        return answer

    def _allowed(self, user: User, spec: Json) -> Json:
        wish = _wish(spec)
        why = None if wish is None else self._authorizer.why(user, wish)
        status: Json = {"allowed": why is not None}
        return {**status, "reason": why} if why else status

    def _token(self, token: str) -> Json:
        user = self._users.of_token(token)
        if user is None:
            return {"user": {}, "error": "invalid bearer token"}
        return {"authenticated": True, "user": user.info}

    def _rules(self, user: User, namespace: str) -> Json:
        asking = [
            {"verbs": ["create"], "apiGroups": [group], "resources": [name]}
            for group, name in _ASKING
        ]
        return {
            "resourceRules": [*asking, *self._authorizer.rules(user, namespace)],
            "nonResourceRules": [
                {"verbs": ["get"], "nonResourceURLs": self._authorizer.open_paths}
            ],
            "incomplete": False,
        }


def _wish(spec: Json) -> Wish | None:
    """Return what a review asks about; None if it says nothing of it."""
    attributes: Any = spec.get("resourceAttributes")
    if not isinstance(attributes, dict):
        path: Any = spec.get("nonResourceAttributes")
        if not isinstance(path, dict):
            return None
        verb = str(path.get("verb", ""))
        return Wish(verb=verb, group="", resource="", path=str(path.get("path", "")))
    sub = attributes.get("subresource")
    plural = str(attributes.get("resource", ""))
    return Wish(
        verb=str(attributes.get("verb", "")),
        group=str(attributes.get("group", "")),
        resource=f"{plural}/{sub}" if sub else plural,
        namespace=str(attributes.get("namespace", "")),
        name=str(attributes.get("name", "")),
    )
