"""Whether alarms can come: what a rule's pattern and a queue's policy let through. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any, Final

from petops.sources.aws_pieces import DETAIL_TYPES

Json = Any

_SERVICE: Final = "events.amazonaws.com"
_SEND: Final = "sqs:SendMessage"
_ABOUT_SOURCE: Final = {
    "ArnEquals": True,
    "ArnLike": True,
    "StringEquals": False,
    "StringLike": True,
}
"""Conditions on where a message comes from, and whether they know patterns."""


def lets_in(policy: Json, queue_arn: str, rule_arn: str) -> bool:
    """Say whether a queue's policy lets EventBridge send for this rule."""
    account = rule_arn.split(":")[4] if rule_arn.count(":") > 4 else ""
    found = [
        one
        for one in _list(policy.get("Statement") if isinstance(policy, Mapping) else None)
        if isinstance(one, Mapping) and _is_about(one, queue_arn)
    ]
    applies = [one for one in found if _holds(one.get("Condition"), rule_arn, account)]
    denied = any(one.get("Effect") == "Deny" for one in applies)
    return not denied and any(one.get("Effect") == "Allow" for one in applies)


def _is_about(statement: Json, queue_arn: str) -> bool:
    principal = statement.get("Principal")
    services = principal.get("Service") if isinstance(principal, Mapping) else principal
    if not {"*", _SERVICE} & {str(one) for one in _list(services)}:
        return False
    matching = any(_like(_SEND.lower(), str(one).lower()) for one in _list(statement.get("Action")))
    return matching and any(_like(queue_arn, str(one)) for one in _list(statement.get("Resource")))


def _holds(condition: Json, rule_arn: str, account: str) -> bool:
    """Say whether a statement's conditions hold for the rule; one that is not known does not."""
    for operator, wanted in (condition or {}).items():
        for key, values in wanted.items():
            given = {"aws:sourcearn": rule_arn, "aws:sourceaccount": account}.get(key.lower())
            knows_patterns = _ABOUT_SOURCE.get(operator)
            if given is None or knows_patterns is None:
                return False
            if not any(
                _like(given, str(one)) if knows_patterns else given == str(one)
                for one in _list(values)
            ):
                return False
    return True


def lacks(pattern: Json) -> tuple[str, ...]:
    """Return the detail types of alarms that a rule's pattern does not let through."""
    if not isinstance(pattern, Mapping):
        return DETAIL_TYPES
    source, types = pattern.get("source"), pattern.get("detail-type")
    if source is not None and "aws.cloudwatch" not in _list(source):
        return DETAIL_TYPES
    if types is None:
        return ()
    listed = [*_plain(types)]
    return tuple(one for one in DETAIL_TYPES if one not in listed)


def alarm_prefixes(pattern: Json) -> tuple[str, ...]:
    """Return what the names of alarms must begin with for a rule; empty where any will do."""
    detail = pattern.get("detail") if isinstance(pattern, Mapping) else None
    names = detail.get("alarmName") if isinstance(detail, Mapping) else None
    return tuple(
        str(one["prefix"])
        for one in _list(names)
        if isinstance(one, Mapping) and isinstance(one.get("prefix"), str)
    )


def _plain(types: Json) -> Iterator[str]:
    """Yield the alarms' detail types that a list of names and prefixes lets through."""
    for one in _list(types):
        if isinstance(one, str):
            yield one
        elif isinstance(one, Mapping) and isinstance(one.get("prefix"), str):
            yield from (each for each in DETAIL_TYPES if each.startswith(one["prefix"]))


def _like(given: str, pattern: str) -> bool:
    return fnmatchcase(given, pattern.replace("[", "[[]"))


def _list(value: Json) -> list[Json]:
    if value is None:
        return []
    return [*value] if isinstance(value, list | tuple) else [value]
