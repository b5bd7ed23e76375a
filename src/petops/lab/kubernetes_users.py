"""Who calls the lab's Kubernetes API, and what they may do: a small table instead of RBAC objects.

Without a token everybody is `lab-admin`, who may do everything: the lab is a toy on one's own
machine. The token `lab-read-only` is a user who may read everything but secrets, `petops` a service
account that may also do what repairs need, `lab-nobody` one who may only ask who they are. Other
tokens are turned down with 401. An admin may impersonate (`kubectl --as lab-read-only`, which
unlike `--token` kubectl sends over plain HTTP too); a user who is not in the table may nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from petops.lab.kubernetes_status import Wish, unauthorized

READ_VERBS: Final = frozenset({"get", "list", "watch"})
_AUTHENTICATED: Final = "system:authenticated"
_ASKING: Final = frozenset({"authentication.k8s.io", "authorization.k8s.io"})


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Somebody, with the rule that says what they may do."""

    name: str
    groups: tuple[str, ...]
    allows: Callable[[Wish], bool]

    def may(self, wish: Wish) -> bool:
        """Say whether they may; asking about oneself is open to all who are known."""
        if wish.group in _ASKING and wish.resource.startswith("self"):
            return True
        return self.allows(wish)


def _nothing(wish: Wish) -> bool:
    return False


def _everything(wish: Wish) -> bool:
    return True


def _reading(wish: Wish) -> bool:
    return wish.verb in READ_VERBS and wish.resource != "secrets"


_WRITES: Final = frozenset(
    {
        ("patch", "apps", "deployments"),
        ("patch", "apps", "statefulsets"),
        ("patch", "apps", "deployments/scale"),
        ("create", "", "pods/eviction"),
        ("create", "", "events"),
        ("patch", "", "events"),
        ("create", "coordination.k8s.io", "leases"),
        ("update", "coordination.k8s.io", "leases"),
    }
)


def _repairing(wish: Wish) -> bool:
    return _reading(wish) or (wish.verb, wish.group, wish.resource) in _WRITES


ADMIN: Final = User(name="lab-admin", groups=("system:masters", _AUTHENTICATED), allows=_everything)

USERS: Final[Mapping[str, User]] = {
    "lab-admin": ADMIN,
    "lab-read-only": User(
        name="lab-read-only", groups=("lab:readers", _AUTHENTICATED), allows=_reading
    ),
    "lab-nobody": User(name="lab-nobody", groups=(_AUTHENTICATED,), allows=_nothing),
    "petops": User(
        name="system:serviceaccount:petops:petops",
        groups=("system:serviceaccounts", "system:serviceaccounts:petops", _AUTHENTICATED),
        allows=_repairing,
    ),
}
"""Users by bearer token."""


def caller(headers: Mapping[str, str]) -> User:
    """Return who sends these headers; raise ApiError for a token that nobody issued."""
    kind, _, token = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        user = USERS.get(token.strip())
        if user is None:
            raise unauthorized()
    else:
        user = ADMIN
    wanted = headers.get("impersonate-user")
    if wanted and user is ADMIN:
        return by_name(wanted)
    return user


def by_name(name: str) -> User:
    """Return the user of this name; one who is not in the table may nothing."""
    found = next((user for user in USERS.values() if user.name == name), None)
    return found or User(name=name, groups=(_AUTHENTICATED,), allows=_nothing)
