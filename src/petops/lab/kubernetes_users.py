"""Who calls the lab's Kubernetes API. What they may do, RBAC objects say (`kubernetes_rbac.py`).

Without a token everybody is `lab-admin`, who may do everything: the lab is a toy on one's own
machine. The token `lab-read-only` is a user who may read everything but secrets, `petops` a service
account with the rights that petops has in a cluster (`application_petops.py`), `lab-nobody` one who
may only ask who they are. A ServiceAccount's tokens come from `kubectl create token`; all others
are turned down with 401. An admin may impersonate (`kubectl --as lab-read-only`, which unlike
`--token` kubectl sends over plain HTTP too).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from petops.lab.chance import Chance
from petops.lab.kubernetes_status import forbidden_impersonation, unauthorized
from petops.lab.store import Json, ObjectStore

READ_VERBS: Final = frozenset({"get", "list", "watch"})
MASTERS: Final = "system:masters"
AUTHENTICATED: Final = "system:authenticated"
_ACCOUNTS: Final = "system:serviceaccounts"
_ACCOUNT: Final = "system:serviceaccount:"


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Somebody, with their groups."""

    name: str
    groups: tuple[str, ...]
    uid: str = ""

    @property
    def info(self) -> Json:
        """What reviews say of them."""
        return {"username": self.name, "groups": list(self.groups)}


ADMIN: Final = User(name="lab-admin", groups=(MASTERS, AUTHENTICATED))

_BY_TOKEN: Final[Mapping[str, User]] = {
    "lab-admin": ADMIN,
    "lab-read-only": User(name="lab-read-only", groups=("lab:readers", AUTHENTICATED)),
    "lab-nobody": User(name="lab-nobody", groups=(AUTHENTICATED,)),
    "petops": User(
        name=f"{_ACCOUNT}petops:petops",
        groups=(_ACCOUNTS, f"{_ACCOUNTS}:petops", AUTHENTICATED),
    ),
}


class Users:
    """Knows users by their tokens and names."""

    def __init__(self, store: ObjectStore, chance: Chance, now: Callable[[], datetime]) -> None:
        self._store, self._chance, self._now = store, chance, now

    def caller(self, headers: Mapping[str, str]) -> User:
        """Return who sends these headers; raise ApiError for a token that nobody issued."""
        kind, _, token = headers.get("authorization", "").partition(" ")
        user: User | None = ADMIN
        if kind.lower() == "bearer":
            user = self.of_token(token.strip())
        if user is None:
            raise unauthorized()
        wanted = headers.get("impersonate-user")
        if not wanted:
            return user
        if MASTERS not in user.groups:
            raise forbidden_impersonation(user.name, wanted)
        groups = tuple(filter(None, headers.get("impersonate-group", "").split(",")))
        return by_name(wanted, groups)

    def of_token(self, token: str) -> User | None:
        """Return whose token this is; None if nobody's, or no longer."""
        if token in _BY_TOKEN:
            return _BY_TOKEN[token]
        try:
            text = base64.urlsafe_b64decode(token.partition(".")[0] + "==").decode()
            namespace, name, uid, until = text.split("/")
            expires = datetime.fromtimestamp(int(until), UTC)
        except (ValueError, binascii.Error, OverflowError, OSError):
            return None
        account = self._store.find("serviceaccounts", namespace, name)
        if token != self._signed(text) or account is None or account["metadata"]["uid"] != uid:
            return None
        return by_name(f"{_ACCOUNT}{namespace}:{name}") if self._now() < expires else None

    def token_for(self, account: Json, until: datetime) -> str:
        """Return a token for a ServiceAccount."""
        metadata = account["metadata"]
        parts = (metadata["namespace"], metadata["name"], metadata["uid"])
        return self._signed("/".join((*parts, str(int(until.timestamp())))))

    def _signed(self, text: str) -> str:
        signature = self._chance.digest("token", text).hex()
        head = base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
        return f"{head}.{signature}"


def by_name(name: str, groups: tuple[str, ...] = ()) -> User:
    """Return the user of this name, with the groups that come with it."""
    found = next((user for user in _BY_TOKEN.values() if user.name == name), None)
    if found is not None and not groups:
        return found
    if name.startswith(_ACCOUNT):
        namespace = name.removeprefix(_ACCOUNT).partition(":")[0]
        groups = (*groups, _ACCOUNTS, f"{_ACCOUNTS}:{namespace}")
    return User(name=name, groups=(*dict.fromkeys((*groups, AUTHENTICATED)),))
