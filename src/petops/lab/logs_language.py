"""The Logs Insights query language, read into commands."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from petops.lab.logs_tokens import bad, pattern, plain, tokens

_LONGEST: Final = 10_000
_DEEPEST: Final = 60
_MOST_COMMANDS: Final = 40
_SECONDS: Final = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_COMPARED: Final = frozenset({"=", "!=", "<", "<=", ">", ">=", "=~", "LIKE", "IN"})


@dataclass(frozen=True, slots=True)
class Constant:
    """A number, a text, or a duration in seconds."""

    value: float | str


@dataclass(frozen=True, slots=True)
class Field:
    """The value of a field."""

    name: str


@dataclass(frozen=True, slots=True)
class Pattern:
    """A regular expression."""

    regex: re.Pattern[str]


@dataclass(frozen=True, slots=True)
class Apply:
    """A function or an operator of some arguments."""

    function: str
    arguments: tuple[Expression, ...]


Expression = Constant | Field | Pattern | Apply


@dataclass(frozen=True, slots=True)
class Item:
    """An expression with the name that it is shown by. `rises` is for sorting."""

    expression: Expression
    name: str
    rises: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One step of a query: what each means is known to those who run it."""

    kind: str
    items: tuple[Item, ...] = ()
    groups: tuple[Item, ...] = ()
    count: int = 0


def commands(text: str) -> tuple[Command, ...]:
    """Return a query's commands; raise AwsRefusalError if it is none."""
    if len(text) > _LONGEST:
        raise bad("the query is too long")
    reader = _Reader(list(tokens(text)))
    found = [reader.command()]
    while reader.takes("|"):
        found.append(reader.command())
    reader.at_end()
    if len(found) > _MOST_COMMANDS:
        raise bad("the query has too many commands")
    return tuple(found)


class _Reader:
    """Reads tokens from left to right."""

    def __init__(self, tokens: Sequence[tuple[str, str]]) -> None:
        self._tokens, self._at, self._depth = tokens, 0, 0

    def at_end(self) -> None:
        """Refuse what is left over."""
        if self._at < len(self._tokens):
            raise bad(f"{self._tokens[self._at][1]!r}")

    def takes(self, *words: str) -> str:
        """Read one of these words or signs if it comes next; say which."""
        if self._at < len(self._tokens):
            kind, value = self._tokens[self._at]
            if kind in {"word", "sign"} and value.upper() in words:
                self._at += 1
                return value.upper()
        return ""

    def command(self) -> Command:
        """Read one command."""
        kind = self._word().lower()
        match kind:
            case "fields" | "display" | "dedup":
                return Command(kind=kind, items=self._items())
            case "filter":
                return Command(kind=kind, items=(Item(self._expression(), "filter"),))
            case "stats":
                items = self._items()
                groups = self._items() if self.takes("BY") else ()
                return Command(kind=kind, items=items, groups=groups)
            case "sort":
                return Command(kind=kind, items=self._items())
            case "limit" | "head":
                return Command(kind="limit", count=self._count())
            case "parse":
                return self._parse()
        raise bad(f"{kind!r} is no command")

    def _next(self) -> tuple[str, str]:
        if self._at >= len(self._tokens):
            raise bad("the query ends too early")
        self._at += 1
        return self._tokens[self._at - 1]

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("end", "")

    def _word(self) -> str:
        kind, value = self._next()
        if kind not in {"word", "tick"}:
            raise bad(f"{value!r}")
        return value.strip("`")

    def _count(self) -> int:
        kind, value = self._next()
        if kind != "number" or not value.isdigit() or len(value) > 6:
            raise bad(f"{value!r} is no count")
        return int(value)

    def _items(self) -> tuple[Item, ...]:
        found = [self._item()]
        while self.takes(","):
            found.append(self._item())
        return tuple(found)

    def _item(self) -> Item:
        start = self._at
        expression = self._expression()
        shown = "".join(value for _, value in self._tokens[start : self._at]).strip("`")
        name = self._word() if self.takes("AS") else shown
        return Item(expression, name, rises=self.takes("ASC", "DESC") == "ASC")

    def _parse(self) -> Command:
        """Read `parse [field] "a * b" as x, y` or `parse [field] /(?<x>...)/`."""
        field: Expression = Field("@message")
        if self._peek()[0] in {"word", "tick"}:
            field = Field(self._word())
        kind, value = self._next()
        if kind == "regex":
            return Command(kind="parse", items=(Item(field, ""), Item(Pattern(pattern(value)), "")))
        if kind != "text":
            raise bad(f"{value!r}")
        pieces = plain(value).split("*")
        regex = "(.*?)".join(map(re.escape, pieces)) + ("$" if pieces[-1] == "" else "")
        names = []
        if self.takes("AS"):
            names.append(self._word())
            while self.takes(","):
                names.append(self._word())
        if len(names) != len(pieces) - 1:
            raise bad(f"{len(pieces) - 1} wildcards need as many names")
        glob = Pattern(re.compile(regex, re.DOTALL))
        named = tuple(Item(Constant(name), name) for name in names)
        return Command(kind="parse", items=(Item(field, ""), Item(glob, ""), *named))

    def _expression(self) -> Expression:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise bad("it is nested too deeply")
        found = self._all()
        while self.takes("OR"):
            found = Apply("or", (found, self._all()))
        self._depth -= 1
        return found

    def _all(self) -> Expression:
        found = self._negated()
        while self.takes("AND"):
            found = Apply("and", (found, self._negated()))
        return found

    def _negated(self) -> Expression:
        negations = 0
        while self.takes("NOT"):
            negations += 1
        found = self._compared()
        return Apply("not", (found,)) if negations % 2 else found

    def _compared(self) -> Expression:
        found = self._sum()
        negated = bool(self.takes("NOT"))
        sign = self.takes(*_COMPARED)
        if not sign:
            if negated:
                raise bad("like or in was expected after not")
            return found
        if sign == "IN":
            if not self.takes("["):
                raise bad("a list was expected after in")
            found = Apply("in", (found, *(item.expression for item in self._items())))
            if not self.takes("]"):
                raise bad("the list after in is not closed")
        else:
            name = "like" if sign == "=~" else sign.lower()
            found = Apply(name, (found, self._sum()))
        return Apply("not", (found,)) if negated else found

    def _sum(self) -> Expression:
        found = self._product()
        while sign := self.takes("+", "-"):
            found = Apply(sign, (found, self._product()))
        return found

    def _product(self) -> Expression:
        found = self._atom()
        while sign := self.takes("*", "/", "%", "^"):
            found = Apply(sign, (found, self._atom()))
        return found

    def _atom(self) -> Expression:
        kind, value = self._next()
        if kind in _ATOMS:
            return _ATOMS[kind](value)
        if kind == "word":
            return self._call(value) if self.takes("(") else Field(value)
        if value == "(":
            found = self._expression()
            if not self.takes(")"):
                raise bad("a parenthesis is not closed")
            return found
        if value == "-":
            return Apply("-", (Constant(0.0), self._atom()))
        raise bad(f"{value!r}")

    def _call(self, name: str) -> Expression:
        arguments: list[Expression] = []
        if self.takes("*"):
            arguments.append(Constant("*"))
        elif self._peek() != ("sign", ")"):
            arguments += [item.expression for item in self._items()]
        if not self.takes(")"):
            raise bad(f"{name}( is not closed")
        return Apply(name.lower(), tuple(arguments))


def _duration(text: str) -> Constant:
    count = text.rstrip("mshdw")
    return Constant(float(count) * _SECONDS[text[len(count) :]])


_ATOMS: Final[Mapping[str, Callable[[str], Expression]]] = {
    "number": lambda text: Constant(float(text)),
    "duration": _duration,
    "text": lambda text: Constant(plain(text)),
    "tick": lambda text: Field(text.strip("`")),
    "regex": lambda text: Pattern(pattern(text)),
}
