"""The rule of a composite alarm: `ALARM(x) AND (OK("y") OR NOT INSUFFICIENT_DATA(z))`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from petops.lab.alarms import State
from petops.lab.aws_requests import AwsRefusalError

Holds = Callable[[Mapping[str, State]], bool]

_TOKEN: Final = re.compile(
    r"""\s*(?:(?P<state>ALARM|OK|INSUFFICIENT_DATA)\s*\(\s*(?:"(?P<quoted>[^"]*)"|"""
    r"""'(?P<single>[^']*)'|(?P<plain>[^\s()"']+))\s*\)|(?P<word>AND|OR|NOT|TRUE|FALSE)\b"""
    r"""|(?P<sign>[()]))""",
    re.IGNORECASE,
)
_LONGEST: Final = 10_240
_MOST_ALARMS: Final = 100
_DEEPEST: Final = 50


class CompositeRule:
    """A rule that was read. `names` are the alarms that it asks about."""

    def __init__(self, text: str) -> None:
        if len(text) > _LONGEST:
            raise _bad("AlarmRule must not be longer than 10240 characters")
        self.text = text
        reader = _Reader(list(_tokens(text)))
        self._holds = reader.either()
        reader.at_end()
        self.names = tuple(dict.fromkeys(reader.names))
        if len(self.names) > _MOST_ALARMS:
            raise _bad(f"AlarmRule must not refer to more than {_MOST_ALARMS} alarms")

    def holds(self, states: Mapping[str, State]) -> bool:
        """Say whether the rule holds; an alarm that is not there has insufficient data."""
        return self._holds(states)


def _bad(why: str) -> AwsRefusalError:
    return AwsRefusalError("ValidationError", why)


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    text, at = text.strip(), 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise _bad(f"AlarmRule contains an invalid expression at {text[at : at + 30]!r}")
        at = found.end()
        if found["state"]:
            name = found["quoted"] or found["single"] or found["plain"] or ""
            yield found["state"].upper(), name.rpartition(":alarm:")[2]
        else:
            yield (found["word"] or found["sign"]).upper(), ""


class _Reader:
    """Reads a rule from left to right."""

    def __init__(self, tokens: Sequence[tuple[str, str]]) -> None:
        self._tokens, self._at, self._depth = tokens, 0, 0
        self.names: list[str] = []

    def at_end(self) -> None:
        """Refuse what is left over."""
        if self._at < len(self._tokens):
            raise _bad(f"AlarmRule has an unexpected {self._tokens[self._at][0]}")

    def either(self) -> Holds:
        """Read what is joined by OR."""
        parts = [self._all()]
        while self._takes("OR"):
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else lambda states: any(one(states) for one in parts)

    def _all(self) -> Holds:
        parts = [self._one()]
        while self._takes("AND"):
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else lambda states: all(one(states) for one in parts)

    def _takes(self, word: str) -> bool:
        if self._at < len(self._tokens) and self._tokens[self._at][0] == word:
            self._at += 1
            return True
        return False

    def _one(self) -> Holds:
        self._depth += 1
        if self._at >= len(self._tokens) or self._depth > _DEEPEST:
            raise _bad("AlarmRule ends too early, or is nested too deeply")
        try:
            return self._atom()
        finally:
            self._depth -= 1

    def _atom(self) -> Holds:
        if self._takes("NOT"):
            inner = self._one()
            return lambda states: not inner(states)
        if self._takes("("):
            inner = self.either()
            if not self._takes(")"):
                raise _bad("AlarmRule lacks a closing parenthesis")
            return inner
        word, name = self._tokens[self._at]
        self._at += 1
        if word in {"TRUE", "FALSE"}:
            return lambda _: word == "TRUE"
        if not name:
            raise _bad(f"AlarmRule has an unexpected {word}")
        self.names.append(name)
        wanted = State(word)
        return lambda states: states.get(name, State.INSUFFICIENT_DATA) is wanted
