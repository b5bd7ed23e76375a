"""An organisation's rules from the tables of its settings. Pure; raise UsageError for nonsense."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time
from fnmatch import fnmatchcase
from glob import escape
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo

from petops.domain.assessment import HoursRule
from petops.domain.freezes import DAYS, Freeze
from petops.domain.policy import ApprovalRule, Person
from petops.errors import UsageError

T = TypeVar("T")
Table = Mapping[str, Any]

_RISKS: Final = ("green", "yellow", "red")


def approval_rules(tables: Iterable[Table]) -> tuple[ApprovalRule, ...]:
    """Return the `[[approval]]` rules: who may approve what, where."""
    example = 'groups = ["sre"], namespaces = ["shop-*"], risks = ["green", "yellow"]'
    return each("approval", tables, _approval, example)


def people(tables: Iterable[Table]) -> tuple[Person, ...]:
    """Return the `[[person]]` rules: who somebody of a channel is in Kubernetes."""
    example = 'user = "U024BE7LH", channel = "slack", kubernetes_user = "ana@example.com"'
    return each("person", tables, _person, example)


def as_accounts(known: Iterable[Person], channel: str) -> tuple[Person, ...]:
    """Return the people of a channel by their Kubernetes users.

    A surface that maps who somebody is there names them so in the journal.
    """
    return tuple(
        replace(one, user=escape(one.kubernetes_user), channel=channel)
        for one in known
        if one.kubernetes_user and fnmatchcase(channel, one.channel)
    )


def freezes(tables: Iterable[Table]) -> tuple[Freeze, ...]:
    """Return the `[[freeze]]` rules: when nothing is changed."""
    example = 'name = "weekend", days = ["sat", "sun"], opens = 00:00:00, closes = 00:00:00'
    return each("freeze", tables, _freeze, example)


def hours(tables: Iterable[Table]) -> tuple[HoursRule, ...]:
    """Return the `[[hours]]` rules: when an alarm is less urgent."""
    example = 'namespaces = ["batch-*"], days = ["mon", "fri"], opens = 08:00:00, closes = 18:00:00'
    return each("hours", tables, _hours, example)


def each(
    name: str, tables: Iterable[Table], made: Callable[[Table], T], example: str
) -> tuple[T, ...]:
    """Return what each table of this name makes; raise UsageError with an example."""
    rules = []
    for table in tables:
        try:
            rules.append(made(table))
        except (KeyError, ValueError, TypeError) as exc:
            what = f"{exc.args[0]} is missing" if isinstance(exc, KeyError) else str(exc)
            raise UsageError(
                f"a [[{name}]] rule in the settings makes no sense: {what}",
                hint=f"for example: {example}",
            ) from exc
    return tuple(rules)


def _approval(table: Table) -> ApprovalRule:
    known(table, "users", "groups", "namespaces", "remedies", "risks")
    risks = texts(table, "risks", _RISKS)
    unknown = [one for one in risks if one not in _RISKS]
    if unknown:
        raise ValueError(f"{unknown[0]} is no risk: green, yellow or red")
    return ApprovalRule(
        users=texts(table, "users"),
        groups=texts(table, "groups"),
        namespaces=texts(table, "namespaces", ("*",)),
        remedies=texts(table, "remedies", ("*",)),
        risks=risks,
    )


def _person(table: Table) -> Person:
    known(table, "user", "channel", "kubernetes_user", "kubernetes_groups", "groups")
    return Person(
        user=str(table["user"]),
        channel=str(table.get("channel", "*")),
        kubernetes_user=str(table["kubernetes_user"]),
        kubernetes_groups=texts(table, "kubernetes_groups"),
        groups=texts(table, "groups"),
    )


def _freeze(table: Table) -> Freeze:
    known(table, "name", "namespaces", "start", "end", "days", "opens", "closes")
    days = texts(table, "days")
    unknown = [one for one in days if one not in DAYS]
    if unknown:
        raise ValueError(f"{unknown[0]} is no day: {', '.join(DAYS)}")
    found = Freeze(
        name=str(table["name"]),
        namespaces=texts(table, "namespaces", ("*",)),
        start=_moment(table, "start"),
        end=_moment(table, "end"),
        days=days,
        opens=_clock(table, "opens"),
        closes=_clock(table, "closes"),
    )
    dated = found.start is not None or found.end is not None
    if not dated and not days and found.opens is None and found.closes is None:
        raise ValueError("it says no time: start and end, or days, opens and closes")
    return found


def _hours(table: Table) -> HoursRule:
    known(table, "namespaces", "days", "opens", "closes", "zone")
    days = texts(table, "days")
    unknown = [one for one in days if one not in DAYS]
    if unknown:
        raise ValueError(f"{unknown[0]} is no day: {', '.join(DAYS)}")
    zone = str(table.get("zone", "UTC"))
    try:
        ZoneInfo(zone)
    except (OSError, ValueError) as exc:
        raise ValueError(f"{zone[:40]!r} is no time zone") from exc
    opens, closes = _clock(table, "opens"), _clock(table, "closes")
    if opens is None or closes is None or opens >= closes:
        raise ValueError("opens and closes must be times of one day, in this order")
    return HoursRule(
        namespaces=texts(table, "namespaces", ("*",)),
        days=days,
        opens=opens,
        closes=closes,
        zone=zone,
    )


def known(table: Table, *names: str) -> None:
    """Raise ValueError for a name that no such table has."""
    unknown = [one for one in table if one not in names]
    if unknown:
        raise ValueError(f"{unknown[0]} is none of {', '.join(names)}")


def texts(table: Table, name: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return a list of texts."""
    found = table.get(name, default)
    if isinstance(found, str) or not all(isinstance(one, str) for one in found):
        raise ValueError(f"{name} must be a list of texts")
    return tuple(found)


def _moment(table: Table, name: str) -> datetime | None:
    """Return a date and time in UTC; one without a zone is in UTC."""
    found = table.get(name)
    if found is None:
        return None
    if not isinstance(found, datetime):
        if not isinstance(found, date):
            raise TypeError(f"{name} must be a date, with or without a time")
        found = datetime.combine(found, time(0))
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _clock(table: Table, name: str) -> time | None:
    found = table.get(name)
    if found is not None and not isinstance(found, time):
        raise TypeError(f"{name} must be a time of day, such as 18:00:00")
    return found
