"""The cluster's roles: what comes with every cluster, and those of the lab's own users."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from petops.lab.application_petops import ACCOUNT, LEASES, READS, REPAIRS
from petops.lab.resources import SERVED
from petops.lab.store import Json

_RBAC: Final = "rbac.authorization.k8s.io"
_READ: Final = ("get", "list", "watch")
_WRITE: Final = ("create", "delete", "deletecollection", "patch", "update")
_GUARDED: Final = frozenset({"secrets"})
_ENTERING: Final = frozenset({"attach", "exec", "portforward"})
"""Whoever may only read may not enter a pod, even where a GET does it."""
_OF_ADMINS: Final = frozenset({"rolebindings", "roles"})


def access() -> Iterator[Json]:
    """Yield ClusterRoles and ClusterRoleBindings."""
    everything = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
    reading = tuple(_rules(_READ, namespaced_only=False))
    in_namespaces = tuple(_rules(_READ, namespaced_only=True))
    writing = tuple(_rules((*_READ, *_WRITE), namespaced_only=True))
    secrets = {"apiGroups": [""], "resources": ["secrets"], "verbs": [*_READ, *_WRITE]}
    roles = {"apiGroups": [_RBAC], "resources": sorted(_OF_ADMINS), "verbs": [*_READ, *_WRITE]}
    yield _role("cluster-admin", [everything])
    yield _role("admin", [*writing, secrets, roles])
    yield _role("edit", [*writing, secrets])
    yield _role("view", in_namespaces)
    yield _role("lab-reader", reading)
    yield _binding("cluster-admin", "cluster-admin", "Group", "system:masters")
    yield _binding("lab-readers", "lab-reader", "Group", "lab:readers")
    for person, role in (("ana", "lab-reader"), ("ana", "petops-repair"), ("ben", "lab-reader")):
        yield _binding(f"{person}-{role}", role, "User", person)  # people of the lab's Slack
    for name, rules in (("petops-read", READS), ("petops-repair", REPAIRS)):
        yield _role(name, rules)
        yield {**_binding(name, name, "", ""), "subjects": [ACCOUNT]}
    yield {**_role("petops-lease", LEASES), "kind": "Role", **_own("petops-lease")}
    bound = {**_binding("petops-lease", "petops-lease", "", ""), "subjects": [ACCOUNT]}
    reference = {"apiGroup": _RBAC, "kind": "Role", "name": "petops-lease"}
    yield {**bound, "kind": "RoleBinding", "roleRef": reference, **_own("petops-lease")}


def _own(name: str) -> Json:
    return {"metadata": {"name": name, "namespace": ACCOUNT["namespace"]}}


def _rules(verbs: Sequence[str], *, namespaced_only: bool) -> Iterator[Json]:
    for group in dict.fromkeys(one.group for one in SERVED):
        names = [
            name
            for one in SERVED
            if one.group == group
            and one.plural not in _GUARDED | (_OF_ADMINS if namespaced_only else frozenset())
            and (one.namespaced or not namespaced_only)
            and "get" in one.verbs
            for sub in ("", *one.subresources)
            for name in (f"{one.plural}/{sub}" if sub else one.plural,)
            if sub not in _ENTERING or "create" in verbs
        ]
        if names:
            yield {"apiGroups": [group], "resources": names, "verbs": list(verbs)}


def _role(name: str, rules: Sequence[Json]) -> Json:
    return {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "ClusterRole",
        "metadata": {"name": name},
        "rules": list(rules),
    }


def _binding(name: str, role: str, kind: str, subject: str) -> Json:
    return {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": _RBAC, "kind": kind, "name": subject}],
    }
