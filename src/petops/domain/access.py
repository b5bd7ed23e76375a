"""Who may ask an engine for what: three roles, each with what the one before it has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any, Final

from petops.domain.policy_tables import each, known, texts
from petops.domain.requests import (
    ApproveRemedy,
    BreakGlass,
    RejectRemedy,
    Request,
    StopAct,
)


class Role(StrEnum):
    """VIEWER reads, RESPONDER reports and answers for incidents, APPROVER decides on changes."""

    VIEWER = "viewer"
    RESPONDER = "responder"
    APPROVER = "approver"


OWN_USER: Final = "api"
EVERY_ROLE: Final = tuple(Role)
_DECISIONS: Final = (ApproveRemedy, BreakGlass, RejectRemedy, StopAct)


def holds(roles: Iterable[Role], wanted: Role) -> bool:
    """Say whether one of the roles is the wanted one or above it."""
    return any(EVERY_ROLE.index(one) >= EVERY_ROLE.index(wanted) for one in roles)


def role_for(request: Request) -> Role:
    """Return the role that a request needs."""
    return Role.APPROVER if isinstance(request, _DECISIONS) else Role.RESPONDER


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessToken:
    """A bearer token by its SHA-256: whose it is, and what it may."""

    sha256: str
    user: str
    roles: tuple[Role, ...] = EVERY_ROLE


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessRule:
    """Which roles a user of Kubernetes has here, by name or group. Patterns as in a shell."""

    roles: tuple[Role, ...]
    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


def access_tokens(tables: Iterable[Mapping[str, Any]]) -> tuple[AccessToken, ...]:
    """Return the `[[token]]` rules; raise UsageError for nonsense."""
    example = 'sha256 = "…64 hexadecimal digits…", user = "ci", roles = ["viewer"]'
    return each("token", tables, _token, example)


def access_rules(tables: Iterable[Mapping[str, Any]]) -> tuple[AccessRule, ...]:
    """Return the `[[access]]` rules; raise UsageError for nonsense."""
    example = 'groups = ["sre"], roles = ["approver"]'
    return each("access", tables, _access, example)


def _token(table: Mapping[str, Any]) -> AccessToken:
    known(table, "sha256", "user", "roles")
    digest, user = str(table["sha256"]).lower(), str(table["user"]).strip()
    if len(digest) != 64 or any(one not in "0123456789abcdef" for one in digest):
        raise ValueError("sha256 is no SHA-256: 64 hexadecimal digits, never the token itself")
    if not user or user == OWN_USER:
        raise ValueError(f"user is empty, or {OWN_USER}, which is petops' own token's")
    return AccessToken(sha256=digest, user=user, roles=_roles(table))


def _access(table: Mapping[str, Any]) -> AccessRule:
    known(table, "users", "groups", "roles")
    found = AccessRule(
        roles=_roles(table), users=texts(table, "users"), groups=texts(table, "groups")
    )
    if not found.users and not found.groups:
        raise ValueError("it names neither users nor groups")
    return found


def _roles(table: Mapping[str, Any]) -> tuple[Role, ...]:
    given = texts(table, "roles", ())
    if not given:
        raise ValueError("roles are missing: viewer, responder or approver")
    unknown = [one for one in given if one not in EVERY_ROLE]
    if unknown:
        raise ValueError(f"{unknown[0]} is no role: viewer, responder or approver")
    return tuple(Role(one) for one in given)


def roles_of(user: str, groups: Iterable[str], rules: Iterable[AccessRule]) -> tuple[Role, ...]:
    """Return the roles that a user of Kubernetes has here."""
    groups = tuple(groups)
    return tuple(
        role
        for rule in rules
        if any(fnmatchcase(user, one) for one in rule.users)
        or any(fnmatchcase(group, one) for group in groups for one in rule.groups)
        for role in rule.roles
    )
