"""The values of Logs Insights: a record's fields, and expressions over them."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from petops.lab.log_events import LogEvent
from petops.lab.logs_language import Apply, Constant, Expression, Field, Pattern
from petops.lab.logs_tokens import bad

Value = str | float | bool | None

_NUMBER: Final = re.compile(r"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)
_LONGEST_SEARCHED: Final = 20_000
_MOST_PLACES: Final = 4


_OWN: Final[Mapping[str, Callable[[LogEvent], Value]]] = {
    "@timestamp": lambda event: float(math.floor(event.at * 1000)),
    "@ingestionTime": lambda event: float(math.floor(event.at * 1000)),
    "@message": lambda event: event.message,
    "@logStream": lambda event: event.stream,
    "@ptr": lambda event: event.id,
}


class Record:
    """One event's fields: its own, those of its JSON, and those that a command added."""

    __slots__ = ("_document", "added", "event")

    def __init__(self, event: LogEvent | None, added: Mapping[str, Value] | None = None) -> None:
        self.event = event
        self.added: dict[str, Value] = dict(added or {})
        self._document: Any = None

    def value(self, name: str) -> Value:
        """Return a field; None where the record has none of this name."""
        if name in self.added:
            return self.added[name]
        if self.event is None:
            return None
        if name in _OWN:
            return _OWN[name](self.event)
        return _scalar(_found(self._read(), name))

    def _read(self) -> Any:
        if self._document is None and self.event is not None:
            try:
                self._document = json.loads(self.event.message)
            except (ValueError, RecursionError):
                self._document = {}
        return self._document


def _found(document: Any, name: str) -> Any:
    """Follow a dotted name; a key that itself has dots counts too."""
    if isinstance(document, Mapping) and name in document:
        return document[name]
    head, dot, rest = name.partition(".")
    while dot:
        if isinstance(document, Mapping) and head in document:
            return _found(document[head], rest)
        if isinstance(document, list) and head.isdigit() and int(head) < len(document):
            return _found(document[int(head)], rest)
        more, dot, rest = rest.partition(".")
        head = f"{head}.{more}"
    if isinstance(document, list) and name.isdigit() and int(name) < len(document):
        return document[int(name)]
    return None


def _scalar(value: Any) -> Value:
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, int | float):
        try:
            return float(value)
        except OverflowError:
            return None
    return json.dumps(value, separators=(",", ":"))


def number(value: Value) -> float | None:
    """Return a value as a number; None where it is none."""
    if isinstance(value, bool):
        return float(value)
    if isinstance(value, float | int):
        return float(value)
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        found = float(value)
        return found if math.isfinite(found) else None
    return None


def shown(value: Value) -> str:
    """Return a value as results have it."""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, float | int):
        if not math.isfinite(value):
            return ""
        return str(int(value)) if value == int(value) else repr(round(value, _MOST_PLACES))
    return value or ""


def moment(milliseconds: float) -> str:
    """Return a time as results have it."""
    try:
        at = datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return ""
    return at.strftime("%Y-%m-%d %H:%M:%S.") + f"{at.microsecond // 1000:03d}"


def true(value: Value) -> bool:
    """Say whether a value counts as true."""
    return value not in {None, "", False, "0", "false"}


def evaluate(expression: Expression, record: Record) -> Value:
    """Return an expression's value for a record."""
    match expression:
        case Constant(value):
            return value
        case Field(name):
            return record.value(name)
        case Pattern():
            raise bad("a regular expression is no value")
        case Apply(function, arguments):
            return _applied(function, arguments, record)


def _applied(function: str, arguments: Sequence[Expression], record: Record) -> Value:
    if function == "and":
        return all(true(evaluate(one, record)) for one in arguments)
    if function == "or":
        return any(true(evaluate(one, record)) for one in arguments)
    if function == "like":
        return _like(arguments, record)
    values = [evaluate(one, record) for one in arguments]
    if function in _COMPARISONS:
        return _compared(function, *values)
    found = _FUNCTIONS.get(function)
    if found is None:
        raise bad(f"function {function}")
    low, high, apply = found
    if not low <= len(values) <= high:
        raise bad(f"{function} takes {low} to {high} arguments")
    try:
        return apply(*values)
    except (OverflowError, ValueError, ZeroDivisionError):
        return None


def _like(arguments: Sequence[Expression], record: Record) -> Value:
    value, wanted = evaluate(arguments[0], record), arguments[1]
    if value is None:
        return False
    text = shown(value)[:_LONGEST_SEARCHED]
    if isinstance(wanted, Pattern):
        return wanted.regex.search(text) is not None
    return shown(evaluate(wanted, record)) in text


_COMPARISONS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "=": lambda low, high: bool(low == high),
    "!=": lambda low, high: bool(low != high),
    "<": lambda low, high: bool(low < high),
    "<=": lambda low, high: bool(low <= high),
    ">": lambda low, high: bool(low > high),
    ">=": lambda low, high: bool(low >= high),
}


def _compared(sign: str, low: Value, high: Value) -> bool:
    """Compare as numbers where both are, else as texts; nothing is like what is not there."""
    if low is None or high is None:
        return sign == "!=" and low is not high
    numbers = number(low), number(high)
    if None not in numbers:
        return _COMPARISONS[sign](*numbers)
    return _COMPARISONS[sign](shown(low), shown(high))


def _numeric(apply: Callable[..., float]) -> Callable[..., Value]:
    def applied(*values: Value) -> Value:
        numbers = [number(value) for value in values]
        if None in numbers:
            return None
        found = apply(*numbers)
        return found if math.isfinite(found) else None

    return applied


def _text(apply: Callable[[str], Value]) -> Callable[..., Value]:
    return lambda value: None if value is None else apply(shown(value))


def _coalesce(*values: Value) -> Value:
    return next((value for value in values if value is not None), None)


def _in(value: Value, *listed: Value) -> Value:
    return any(_compared("=", value, one) for one in listed)


_MANY: Final = 50
_FUNCTIONS: Final[Mapping[str, tuple[int, int, Callable[..., Value]]]] = {
    "+": (2, 2, _numeric(lambda low, high: low + high)),
    "-": (2, 2, _numeric(lambda low, high: low - high)),
    "*": (2, 2, _numeric(lambda low, high: low * high)),
    "/": (2, 2, _numeric(lambda low, high: low / high)),
    "%": (2, 2, _numeric(math.fmod)),
    "^": (2, 2, _numeric(math.pow)),
    "not": (1, 1, lambda value: not true(value)),
    "in": (2, _MANY, _in),
    "abs": (1, 1, _numeric(abs)),
    "ceil": (1, 1, _numeric(lambda value: float(math.ceil(value)))),
    "floor": (1, 1, _numeric(lambda value: float(math.floor(value)))),
    "sqrt": (1, 1, _numeric(math.sqrt)),
    "log": (1, 1, _numeric(math.log)),
    "greatest": (1, _MANY, _numeric(max)),
    "least": (1, _MANY, _numeric(min)),
    "ispresent": (1, 1, lambda value: value is not None),
    "isempty": (1, 1, lambda value: value in {None, ""}),
    "isblank": (1, 1, lambda value: value is None or not shown(value).strip()),
    "coalesce": (1, _MANY, _coalesce),
    "strlen": (1, 1, _text(lambda text: float(len(text)))),
    "lower": (1, 1, _text(str.lower)),
    "tolower": (1, 1, _text(str.lower)),
    "upper": (1, 1, _text(str.upper)),
    "toupper": (1, 1, _text(str.upper)),
    "trim": (1, 1, _text(str.strip)),
    "concat": (1, _MANY, lambda *values: "".join(map(shown, values))),
    "strcontains": (2, 2, lambda text, part: shown(part) in shown(text)),
    "tomillis": (1, 1, lambda value: value),
    "frommillis": (1, 1, lambda value: value),
    "datefloor": (2, 2, _numeric(lambda at, span: math.floor(at / span / 1000) * span * 1000)),
}
