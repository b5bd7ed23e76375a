"""RBAC: Roles and their bindings, evaluated as the API server does. Pure but for the store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from petops.lab.kubernetes_status import Wish
from petops.lab.kubernetes_users import MASTERS, User
from petops.lab.store import Json, ObjectStore, key_of

GROUP: Final = "rbac.authorization.k8s.io"
_ASKING: Final = frozenset({"authentication.k8s.io", "authorization.k8s.io"})
_OPEN_PATHS: Final = (
    "/api",
    "/api/*",
    "/apis",
    "/apis/*",
    "/healthz",
    "/livez",
    "/openapi",
    "/openapi/*",
    "/readyz",
    "/version",
    "/version/",
)


class Authorizer:
    """Says who may do what, and by which binding."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def may(self, user: User, wish: Wish) -> bool:
        """Say whether somebody may do something."""
        return self.why(user, wish) is not None

    def why(self, user: User, wish: Wish) -> str | None:
        """Return by what somebody may do something, "" if that needs no rule; None if not."""
        if MASTERS in user.groups:
            return ""
        if wish.group in _ASKING and wish.resource.startswith("self"):
            return ""
        if wish.path:
            return "" if _path_matches(wish.path, _OPEN_PATHS) and wish.verb == "get" else None
        for told, rules in self._rules(user, wish.namespace):
            if any(_covers(rule, wish) for rule in rules):
                return told
        return None

    def rules(self, user: User, namespace: str) -> list[Json]:
        """Return all rules that somebody has in a namespace."""
        if MASTERS in user.groups:
            return [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]
        return [dict(rule) for _, rules in self._rules(user, namespace) for rule in rules]

    @property
    def open_paths(self) -> list[str]:
        """What everybody may get who is known."""
        return list(_OPEN_PATHS)

    def _rules(self, user: User, namespace: str) -> Iterator[tuple[str, Sequence[Json]]]:
        bindings = [
            *(("ClusterRoleBinding", one) for one in self._sorted("clusterrolebindings", "")),
            *(
                ("RoleBinding", one)
                for one in (self._sorted("rolebindings", namespace) if namespace else ())
            ),
        ]
        for kind, binding in bindings:
            subject = next((s for s in binding.get("subjects") or () if _is(s, user)), None)
            if subject is None:
                continue
            role = binding.get("roleRef") or {}
            place = namespace if role.get("kind") == "Role" else ""
            plural = "roles" if role.get("kind") == "Role" else "clusterroles"
            found = self._store.find(plural, place, str(role.get("name")))
            if found is None:
                continue
            name = binding["metadata"]["name"]
            shown = f"{name}/{namespace}" if kind == "RoleBinding" else name
            told = (
                f'RBAC: allowed by {kind} "{shown}" of {role["kind"]} "{role["name"]}" '
                f'to {subject.get("kind")} "{_subject_name(subject)}"'
            )
            yield told, found.get("rules") or ()

    def _sorted(self, plural: str, namespace: str) -> list[Json]:
        return sorted(self._store.objects(plural, namespace), key=key_of)


def _subject_name(subject: Json) -> str:
    place = subject.get("namespace")
    name = str(subject.get("name"))
    return f"{name}/{place}" if place and subject.get("kind") == "ServiceAccount" else name


def _is(subject: Any, user: User) -> bool:
    name = subject.get("name")
    match subject.get("kind"):
        case "User":
            return bool(name == user.name)
        case "Group":
            return name in user.groups
        case "ServiceAccount":
            return bool(f"system:serviceaccount:{subject.get('namespace')}:{name}" == user.name)
    return False


def _covers(rule: Json, wish: Wish) -> bool:
    names = rule.get("resourceNames")
    if names and wish.name not in names:
        return False
    return (
        _any(rule.get("verbs"), wish.verb)
        and _any(rule.get("apiGroups"), wish.group)
        and _covers_resource(rule.get("resources") or (), wish.resource)
    )


def _any(listed: Any, wanted: str) -> bool:
    return isinstance(listed, list) and ("*" in listed or wanted in listed)


def _covers_resource(listed: Any, wanted: str) -> bool:
    _, _, sub = wanted.partition("/")
    return _any(listed, wanted) or bool(sub and isinstance(listed, list) and f"*/{sub}" in listed)


def _path_matches(path: str, patterns: Sequence[str]) -> bool:
    return any(
        path.startswith(pattern[:-1]) if pattern.endswith("*") else path == pattern
        for pattern in patterns
    )
