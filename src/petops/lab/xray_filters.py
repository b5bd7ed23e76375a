"""X-Ray's filter expressions: which traces are wanted.

`service("x")`, `edge("x", "y")`, each with a filter of its own in braces, `annotation.key`, the
usual keywords with their comparisons, `AND`, `OR`, `!` and parentheses.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from petops.lab.aws_requests import AwsRefusalError
from petops.lab.xray_parts import USER_AGENT, Part

Wanted = Callable[[Sequence[Part]], bool]
OfPart = Callable[[Part], bool]
Test = Callable[[object], bool]

_TOKEN: Final = re.compile(
    r"""\s*(?:(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<number>-?\d+(?:\.\d+)?)"""
    r"""|(?P<sign>!=|<=|>=|[=<>!(){}\[\],:])|(?P<word>[A-Za-z_][\w.]*))"""
)
_LONGEST: Final = 2000
_DEEPEST: Final = 50
_NUMBERS: Final[Mapping[str, Callable[[Part], float]]] = {
    "responsetime": lambda part: part.seconds,
    "duration": lambda part: part.seconds,
    "http.status": lambda part: part.status,
}
_TEXTS: Final[Mapping[str, Callable[[Part], str]]] = {
    "http.url": lambda part: part.url,
    "http.method": lambda part: part.method,
    "http.useragent": lambda part: USER_AGENT if part.root else "",
    "name": lambda part: part.name,
    "type": lambda part: part.type,
    "instance.id": lambda part: part.instance,
    "availabilityzone": lambda part: part.zone,
    "user": lambda _: "",
}
_FLAGS: Final[Mapping[str, OfPart]] = {
    "ok": lambda part: not part.failed,
    "fault": lambda part: part.failed,
    "error": lambda _: False,
    "throttle": lambda _: False,
    "partial": lambda _: False,
    "inferred": lambda part: part.inferred,
    "remote": lambda part: part.inferred,
    "root": lambda part: part.root,
}
_ORDER: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_OF_TEXT: Final[Mapping[str, Callable[[str, str], bool]]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "CONTAINS": lambda value, part: part in value,
    "BEGINSWITH": str.startswith,
    "ENDSWITH": str.endswith,
}


def parsed(text: str) -> Wanted:
    """Return the test that an expression stands for; raise AwsRefusalError if it is none."""
    if len(text) > _LONGEST:
        raise _bad("it is too long")
    reader = _Reader(list(_tokens(text)))
    wanted = reader.trace_level()
    reader.at_end()
    return wanted


def _bad(why: str) -> AwsRefusalError:
    return AwsRefusalError("InvalidRequestException", f"Invalid filter expression: {why}")


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    at = 0
    text = text.rstrip()
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None or not found.lastgroup:
            raise _bad(f"{text[at : at + 20]!r} is not understood")
        at = found.end()
        value = found[found.lastgroup]
        if found.lastgroup == "text":
            value = re.sub(r"\\(.)", r"\1", value[1:-1])
        yield found.lastgroup, value


class _Reader:
    """Reads an expression from left to right."""

    def __init__(self, tokens: Sequence[tuple[str, str]]) -> None:
        self._tokens, self._at, self._depth = tokens, 0, 0

    def at_end(self) -> None:
        """Refuse what is left over."""
        if self._at < len(self._tokens):
            raise _bad(f"{self._peek()[1][:40]!r} was not expected")

    def trace_level(self) -> Wanted:
        """Read a test of a whole trace: keywords are about its root."""
        return self._either(self._of_trace)

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("end", "its end")

    def _next(self) -> tuple[str, str]:
        token = self._peek()
        self._at += 1
        return token

    def _takes(self, *words: str) -> bool:
        kind, value = self._peek()
        if kind in {"sign", "word"} and value.upper() in words:
            self._at += 1
            return True
        return False

    def _needs(self, sign: str) -> None:
        if not self._takes(sign):
            raise _bad(f"{sign!r} was expected instead of {self._peek()[1][:40]!r}")

    def _text(self) -> str:
        kind, value = self._next()
        if kind != "text":
            raise _bad(f"a quoted text was expected instead of {value[:40]!r}")
        return value

    def _either(self, one: Callable[[], Callable[..., bool]]) -> Callable[..., bool]:
        parts = [self._all(one)]
        while self._takes("OR"):
            parts.append(self._all(one))
        return parts[0] if len(parts) == 1 else lambda *on: any(part(*on) for part in parts)

    def _all(self, one: Callable[[], Callable[..., bool]]) -> Callable[..., bool]:
        parts = [self._perhaps_not(one)]
        while self._takes("AND"):
            parts.append(self._perhaps_not(one))
        return parts[0] if len(parts) == 1 else lambda *on: all(part(*on) for part in parts)

    def _perhaps_not(self, one: Callable[[], Callable[..., bool]]) -> Callable[..., bool]:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise _bad("it is nested too deeply")
        try:
            if self._takes("!", "NOT"):
                inner = self._perhaps_not(one)
                return lambda *on: not inner(*on)
            if self._takes("("):
                inner = self._either(one)
                self._needs(")")
                return inner
            return one()
        finally:
            self._depth -= 1

    def _of_trace(self) -> Wanted:
        if self._takes("SERVICE"):
            return self._service()
        if self._takes("EDGE"):
            return self._edge()
        kind, value = self._peek()
        if kind == "word" and value.partition(".")[0] == "annotation":
            annotated = self._of_part()
            return lambda parts: any(map(annotated, parts))
        keyword = self._of_part()
        return lambda parts: keyword(parts[0])

    def _service(self) -> Wanted:
        self._needs("(")
        is_it = (lambda _: True) if self._peek() == ("sign", ")") else self._identified()
        self._needs(")")
        such = self._braces()
        return lambda parts: any(is_it(part) and such(part) for part in parts)

    def _edge(self) -> Wanted:
        self._needs("(")
        caller = self._identified()
        self._needs(",")
        callee = self._identified()
        self._needs(")")
        such = self._braces()

        def holds(parts: Sequence[Part]) -> bool:
            named = {part.name: part for part in parts}
            return any(
                callee(part) and such(part) and part.caller in named and caller(named[part.caller])
                for part in parts
            )

        return holds

    def _identified(self) -> OfPart:
        """Read `"name"` or `id(name: "...", type: "...", account.id: "...")`."""
        if not self._takes("ID"):
            name = self._text()
            return lambda part: part.name == name
        self._needs("(")
        wanted: dict[str, str] = {}
        while not self._takes(")"):
            _, key = self._next()
            if key not in {"name", "type", "account.id"}:
                raise _bad(f"id() knows no {key[:40]!r}")
            self._needs(":")
            wanted[key] = self._text()
            self._takes(",")
        named, typed = wanted.get("name"), wanted.get("type")
        return lambda part: named in {None, part.name} and typed in {None, part.type}

    def _braces(self) -> OfPart:
        if not self._takes("{"):
            return lambda _: True
        if self._takes("}"):
            return lambda _: True
        such = self._either(self._of_part)
        self._needs("}")
        return such

    def _of_part(self) -> OfPart:
        kind, value = self._next()
        if kind != "word":
            raise _bad(f"{value[:40]!r} was not expected")
        key = value.lower()
        if key.partition(".")[0] == "annotation":
            return self._annotation(value)
        if key in _FLAGS:
            return self._flag(_FLAGS[key])
        if key in _NUMBERS:
            return self._number(_NUMBERS[key])
        if key in _TEXTS:
            return self._of_text(_TEXTS[key])
        raise _bad(f"{value[:40]!r} is no keyword")

    def _annotation(self, word: str) -> OfPart:
        key = word.partition(".")[2]
        if not key:
            self._needs("[")
            kind, key = self._next()
            if kind not in {"word", "text"}:
                raise _bad("annotation[] needs a key")
            self._needs("]")
        if self._peek()[1] not in _OF_TEXT and self._peek()[1].upper() not in _OF_TEXT:
            return lambda part: key in part.annotations
        return self._of_text(lambda part: part.annotations.get(key))

    def _flag(self, of: OfPart) -> OfPart:
        if self._peek()[1] not in {"=", "!="}:
            return of
        same = self._next()[1] == "="
        value = self._next()[1].lower()
        if value not in {"true", "false"}:
            raise _bad(f"{value[:40]!r} is neither true nor false")
        wanted = (value == "true") is same
        return lambda part: of(part) is wanted

    def _number(self, of: Callable[[Part], float]) -> OfPart:
        compare = _ORDER.get(self._next()[1])
        kind, value = self._next()
        if compare is None or kind != "number":
            raise _bad("a comparison with a number was expected")
        bound = float(value)
        return lambda part: compare(of(part), bound)

    def _of_text(self, of: Callable[[Part], str | None]) -> OfPart:
        compare = _OF_TEXT.get(self._next()[1].upper())
        kind, bound = self._next()
        if compare is None or kind not in {"text", "number", "word"}:
            raise _bad("a comparison with a text was expected")
        return lambda part: (value := of(part)) is not None and compare(value, bound)
