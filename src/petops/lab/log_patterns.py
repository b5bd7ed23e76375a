"""The filter patterns of FilterLogEvents: words, phrases, and selections in JSON."""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Callable
from typing import Any, Final

from petops.lab.aws_requests import AwsRefusalError
from petops.lab.logs_tokens import pattern
from petops.lab.logs_values import number

Matches = Callable[[str], bool]

_TERM: Final = re.compile(r'\s*([?-]?)(?:"((?:[^"\\]|\\.)*)"|%([^%]+)%|([^\s"]+))')
_CONDITION: Final = re.compile(
    r'\s*\(*\s*\$\.([\w.\-\[\]]+)\s*(=|!=|<=|>=|<|>)\s*(?:"([^"]*)"|([^\s()&|]+))\s*\)*\s*'
)
_LONGEST: Final = 1024


def matcher(text: str) -> Matches:
    """Return the test of a pattern; raise AwsRefusalError if it is none."""
    if len(text) > _LONGEST:
        raise _bad("it is longer than 1024 characters")
    stripped = text.strip()
    if not stripped:
        return lambda _: True
    if stripped.startswith("{"):
        return _of_json(stripped)
    return _of_terms(stripped)


def _bad(why: str) -> AwsRefusalError:
    return AwsRefusalError("InvalidParameterException", f"Invalid filter pattern: {why}")


def _of_terms(text: str) -> Matches:
    every: list[Matches] = []
    some: list[Matches] = []
    at = 0
    while at < len(text):
        found = _TERM.match(text, at)
        if found is None:
            raise _bad(f"{text[at : at + 20]!r}")
        at = found.end()
        one = _term(found)
        if found[1] == "?":
            some.append(one)
        elif found[1] == "-":
            every.append(lambda message, one=one: not one(message))  # type: ignore[misc]
        else:
            every.append(one)

    def matches(message: str) -> bool:
        return all(one(message) for one in every) and (
            not some or any(one(message) for one in some)
        )

    return matches


def _term(found: re.Match[str]) -> Matches:
    if found[3] is not None:
        try:
            regex = pattern(f"/{found[3]}/")
        except AwsRefusalError as exc:
            raise _bad(exc.message) from None
        return lambda message: regex.search(message) is not None
    wanted = found[2] if found[2] is not None else found[4]
    return lambda message: wanted in message


def _of_json(text: str) -> Matches:
    """Read `{ $.a.b = "x*" && $.c > 3 }`: conditions joined by && or by ||, not by both."""
    if not text.endswith("}"):
        raise _bad("the closing brace is missing")
    body = text[1:-1]
    is_any = "||" in body
    if is_any and "&&" in body:
        raise _bad("the lab joins conditions either by && or by ||")
    conditions = [_condition(one) for one in body.split("||" if is_any else "&&")]
    combine = any if is_any else all

    def matches(message: str) -> bool:
        try:
            document = json.loads(message)
        except (ValueError, RecursionError):
            return False
        return combine(one(document) for one in conditions)

    return matches


def _condition(text: str) -> Callable[[Any], bool]:
    found = _CONDITION.fullmatch(text)
    if found is None:
        raise _bad(f"{text.strip()[:40]!r}")
    path, sign = found[1].split("."), found[2]
    wanted = found[3] if found[3] is not None else found[4]
    bound = number(wanted)

    def holds(document: Any) -> bool:
        for name in path:
            document = document.get(name) if isinstance(document, dict) else None
        value = number(document) if isinstance(document, str | int | float) else None
        if sign in {"=", "!="}:
            same = document is not None and fnmatch.fnmatchcase(str(document), wanted)
            same = same or (value is not None and value == bound)
            return same is (sign == "=")
        if value is None or bound is None:
            return False
        return {"<": value < bound, "<=": value <= bound, ">": value > bound}.get(
            sign, value >= bound
        )

    return holds
