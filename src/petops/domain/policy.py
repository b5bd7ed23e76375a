"""Who decides, and what an organisation has ruled. Pure: who may approve what, where, and when."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from fnmatch import fnmatchcase

from petops.domain.freezes import Freeze


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A person or program, as the channel vouches for it; never as a request claims."""

    user: str
    channel: str
    groups: tuple[str, ...] = ()

    @property
    def is_known(self) -> bool:
        return bool(self.user) and self.user != "system:anonymous"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why something may not be done now, and what would lift it."""

    why: str
    lift: str = ""

    def __str__(self) -> str:
        return f"{self.why} ({self.lift})" if self.lift else self.why


@dataclass(frozen=True, slots=True, kw_only=True)
class Unclear:
    """A guard could not find out whether what it asks for holds, and why not."""

    why: str


class Mode(StrEnum):
    """ACT makes approved changes; OBSERVE makes none and records what it would have offered."""

    ACT = "act"
    OBSERVE = "observe"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Who somebody of a channel is in Kubernetes, and which groups of ours they are in.

    `user` and `channel` are patterns. An empty `kubernetes_user` is petops' own account: who holds
    the engine's socket or its own token acts as it does.
    """

    user: str
    channel: str = "*"
    kubernetes_user: str = ""
    kubernetes_groups: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()

    def is_(self, by: Identity) -> bool:
        """Say whether this is about the one who decides."""
        return fnmatchcase(by.user, self.user) and fnmatchcase(by.channel, self.channel)


OURSELVES = (
    Person(user="*", channel="socket"),
    Person(user="*", channel="terminal"),
    Person(user="api", channel="token"),
)
"""Channels that only petops' own account can use: its socket, its terminal, its own token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A user of Kubernetes, for questions about permissions."""

    user: str
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRule:
    """Who may approve what, where. Patterns as in a shell; an empty list of people is everybody."""

    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ("*",)
    remedies: tuple[str, ...] = ("*",)
    risks: tuple[str, ...] = ("green", "yellow", "red")

    def covers(self, *, remedy: str, risk: str, namespace: str) -> bool:
        """Say whether the rule speaks of such a change; a node's namespace is empty."""
        return (
            risk in self.risks
            and _matches(remedy, self.remedies)
            and _matches(namespace, self.namespaces)
        )

    def names(self, by: Identity, groups: Iterable[str]) -> bool:
        """Say whether the rule names this person."""
        everybody = not self.users and not self.groups
        in_group = any(_matches(one, self.groups) for one in groups)
        return everybody or _matches(by.user, self.users) or in_group


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What an organisation sets for the engine."""

    window: timedelta = timedelta(hours=3)
    approval_expires: timedelta = timedelta(minutes=30)
    recovery_deadline: timedelta = timedelta(minutes=10)
    lapses_at_most: int = 12
    ask_again_after: tuple[timedelta, ...] = tuple(
        timedelta(seconds=one) for one in (5, 10, 15, 30, 60, 300)
    )
    protected_namespaces: frozenset[str] = frozenset({"kube-system", "kube-public"})
    mode: Mode = Mode.ACT
    approvals: tuple[ApprovalRule, ...] = ()
    people: tuple[Person, ...] = OURSELVES
    auto_namespaces: tuple[str, ...] = ()
    take_back_namespaces: tuple[str, ...] = ()
    break_glass: bool = True
    freezes: tuple[Freeze, ...] = ()
    acts_an_hour_on_workload: int = 3
    acts_an_hour: int = 6
    gitops_allowed: tuple[str, ...] = ()
    drain_empty_dir: bool = False
    drain_deadline: timedelta = timedelta(minutes=15)
    settle_deadline: timedelta = timedelta(minutes=5)
    approval_rests: timedelta = timedelta(seconds=10)
    inverse_expires: timedelta = timedelta(hours=4)

    def person(self, by: Identity) -> Person | None:
        """Return what is set about somebody."""
        return next((one for one in self.people if one.is_(by)), None)

    def groups_of(self, by: Identity) -> tuple[str, ...]:
        """Return the groups that the channel vouches for, and those that are set."""
        known = self.person(by)
        return (*by.groups, *(known.groups if known else ()))

    def account_of(self, by: Identity) -> Account | None:
        """Return whose permissions count; None is petops' own account.

        Who is not mapped counts as the Kubernetes user of the same name.
        """
        known = self.person(by)
        if known is None:
            return Account(user=by.user, groups=by.groups)
        if not known.kubernetes_user:
            return None
        return Account(user=known.kubernetes_user, groups=known.kubernetes_groups)

    def is_auto(self, namespace: str) -> bool:
        """Say whether green changes are approved by policy there."""
        return bool(namespace) and _matches(namespace, self.auto_namespaces)

    def takes_back(self, namespace: str) -> bool:
        """Say whether what did not help is taken back by policy there."""
        return bool(namespace) and _matches(namespace, self.take_back_namespaces)

    def may_change(self, managed_by: str) -> bool:
        """Say whether an object with this owner may be changed in the cluster all the same."""
        return not managed_by or any(
            managed_by.casefold().startswith(one.casefold()) for one in self.gitops_allowed
        )


def may_approve(
    by: Identity, rules: Rules, *, remedy: str, risk: str, namespace: str
) -> Refusal | None:
    """Say why somebody may not approve such a change; without rules everybody known may."""
    covering = [
        one for one in rules.approvals if one.covers(remedy=remedy, risk=risk, namespace=namespace)
    ]
    if not rules.approvals or any(one.names(by, rules.groups_of(by)) for one in covering):
        return None
    place = f"in {namespace}" if namespace else "to nodes"
    may = sorted({who for one in covering for who in (*one.users, *one.groups)})
    lift = f"ask {', '.join(may)}" if may else "settings: [[approval]] names nobody for it"
    return Refusal(why=f"{by.user} may not approve {risk} changes {place}", lift=lift)


def approvers_needed(risk: str) -> int:
    """Return how many different people have to approve."""
    return 2 if risk == "red" else 1


def _matches(text: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(text, one) for one in patterns)
