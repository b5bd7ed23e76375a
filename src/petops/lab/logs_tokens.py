"""The words of the Logs Insights query language."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from petops.lab.aws_requests import AwsRefusalError

_TOKEN: Final = re.compile(
    r"""\s*(?:\#[^\n]*|(?P<duration>\d+(?:ms|s|m|h|d|w)\b)|(?P<number>\d+(?:\.\d+)?)"""
    r"""|(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<tick>`[^`]+`)"""
    r"""|(?P<regex>/(?:[^/\\\n]|\\.)+/i?)"""
    r"""|(?P<word>[@A-Za-z_][\w.@]*)|(?P<sign>=~|!=|<=|>=|[-+*/%^=<>(),|\[\]]))""",
    re.ASCII,
)
_EXPLODING: Final = re.compile(r"[*+}][^()]*\)\s*[*+{]")
"""A repeated group with a repetition in it, which can take for ever."""
# After these a slash opens a regular expression; after any other word it divides.
_OPENING: Final = frozenset({"like", "parse", "and", "or", "not", "in", "filter", "by"})


def tokens(text: str) -> Iterator[tuple[str, str]]:
    """Yield each word with its kind; raise AwsRefusalError where there is none."""
    text, at = text.rstrip(), 0
    before: list[tuple[str, str]] = []
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise bad(f"{text[at : at + 20]!r}")
        kind = found.lastgroup
        at = found.end()
        if kind is None:  # a comment
            continue
        value = found[kind]
        if kind == "regex" and _divides(before):
            kind, value, at = "sign", "/", found.start("regex") + 1
        before = [*before[-1:], (kind, value)]
        yield kind, value


def bad(why: str) -> AwsRefusalError:
    """Return the refusal of a query."""
    return AwsRefusalError("MalformedQueryException", f"unexpected symbol found: {why}")


def plain(text: str) -> str:
    """Return what stands between quotes."""
    return re.sub(r"\\(.)", r"\1", text[1:-1])


def pattern(text: str) -> re.Pattern[str]:
    """Return the regular expression between slashes; groups may be named as in Java."""
    body, _, flags = text[1:].rpartition("/")
    if _EXPLODING.search(body):
        raise bad(f"{text[:40]!r} repeats a repetition, which the lab does not search for")
    named = re.sub(r"\(\?<(?=[A-Za-z_])", "(?P<", body)
    try:
        return re.compile(named, re.IGNORECASE if "i" in flags else 0)
    except (re.error, RecursionError, OverflowError):
        raise bad(f"{text[:40]!r} is no regular expression") from None


def _divides(before: Sequence[tuple[str, str]]) -> bool:
    """Say whether a slash divides: it does after a value, but not after `parse field`."""
    if not before or before[0][1].lower() == "parse":
        return False
    kind, value = before[-1]
    if kind == "word":
        return value.lower() not in _OPENING
    return kind != "sign" or value in {")", "]"}
