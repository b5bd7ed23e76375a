"""Reads metric math into a tree: numbers, ids, lists, calls and operators."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from petops.lab.aws_requests import AwsRefusalError

_TOKEN: Final = re.compile(
    r"""\s*(?:(?P<number>\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+)|(?P<text>"[^"]*"|'[^']*')"""
    r"""|(?P<sign>&&|\|\||==|!=|<=|>=|[-+*/^<>(),\[\]])|(?P<word>[A-Za-z_][A-Za-z0-9_]*))""",
    re.ASCII,
)
_LONGEST: Final = 2048
_DEEPEST: Final = 60
_BINDING: Final = (
    ("||", "OR"),
    ("&&", "AND"),
    ("==", "!=", "<", "<=", ">", ">="),
    ("+", "-"),
    ("*", "/"),
    ("^",),
)
"""From the loosest to the tightest."""


@dataclass(frozen=True, slots=True)
class Number:
    """A constant."""

    value: float


@dataclass(frozen=True, slots=True)
class Text:
    """A quoted text, which only some functions take."""

    value: str


@dataclass(frozen=True, slots=True)
class Name:
    """The id of another query, or a bare word such as REPEAT."""

    value: str


@dataclass(frozen=True, slots=True)
class Listed:
    """Several series in brackets."""

    items: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class Applied:
    """A function of some arguments; operators are functions of two."""

    function: str
    arguments: tuple[Tree, ...]


Tree = Number | Text | Name | Listed | Applied


def tree(text: str) -> Tree:
    """Return what an expression says; raise AwsRefusalError if it is none."""
    if len(text) > _LONGEST:
        raise bad("it is too long")
    reader = _Reader(list(_tokens(text)))
    found = reader.expression()
    reader.at_end()
    return found


def names(found: Tree) -> Iterator[str]:
    """Yield every id that a tree may mean."""
    match found:
        case Name(value):
            yield value
        case Listed(items) | Applied(_, items):
            for one in items:
                yield from names(one)


def bad(why: str) -> AwsRefusalError:
    """Return the refusal of an expression."""
    return AwsRefusalError("ValidationError", f"Error in expression: {why}")


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    text, at = text.strip(), 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None or not found.lastgroup:
            raise bad(f"Invalid syntax at {text[at : at + 20]!r}")
        at = found.end()
        yield found.lastgroup, found[found.lastgroup]


class _Reader:
    """Reads tokens from left to right."""

    def __init__(self, tokens: Sequence[tuple[str, str]]) -> None:
        self._tokens, self._at, self._depth = tokens, 0, 0

    def at_end(self) -> None:
        """Refuse what is left over."""
        if self._at < len(self._tokens):
            raise bad(f"{self._tokens[self._at][1]!r} was not expected")

    def expression(self, level: int = 0) -> Tree:
        """Read operators of one binding, and what binds tighter."""
        if level == len(_BINDING):
            return self._signed()
        if not level:
            self._depth += 1
            if self._depth > _DEEPEST:
                raise bad("it is nested too deeply")
        found = self.expression(level + 1)
        while (sign := self._peek().upper()) in _BINDING[level]:
            self._at += 1
            same = {"OR": "||", "AND": "&&"}.get(sign, sign)
            found = Applied(same, (found, self.expression(level + 1)))
        if not level:
            self._depth -= 1
        return found

    def _peek(self) -> str:
        return self._tokens[self._at][1] if self._at < len(self._tokens) else ""

    def _takes(self, sign: str) -> bool:
        if self._peek() == sign:
            self._at += 1
            return True
        return False

    def _needs(self, sign: str) -> None:
        if not self._takes(sign):
            raise bad(f"{sign!r} was expected instead of {self._peek()[:40]!r}")

    def _signed(self) -> Tree:
        signs = 0
        while self._peek() in {"-", "+"}:
            signs += self._peek() == "-"
            self._at += 1
        found = self._atom()
        return Applied("-", (Number(0.0), found)) if signs % 2 else found

    def _atom(self) -> Tree:
        if self._at >= len(self._tokens):
            raise bad("it ends too early")
        kind, value = self._tokens[self._at]
        self._at += 1
        match kind:
            case "number":
                return Number(float(value))
            case "text":
                return Text(value[1:-1])
            case "word":
                if self._takes("("):
                    return Applied(value.upper(), self._several(")"))
                return Name(value)
        if value == "(":
            found = self.expression()
            self._needs(")")
            return found
        if value == "[":
            return Listed(self._several("]"))
        raise bad(f"{value!r} was not expected")

    def _several(self, end: str) -> tuple[Tree, ...]:
        found: list[Tree] = []
        while not self._takes(end):
            if found:
                self._needs(",")
            found.append(self.expression())
        return tuple(found)
