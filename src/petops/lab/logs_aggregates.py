"""What `stats` brings records down to, and the times that `bin` gathers them by."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from petops.lab.logs_language import Apply, Constant, Expression
from petops.lab.logs_tokens import bad
from petops.lab.logs_values import Record, Value, evaluate, moment, number, shown
from petops.lab.metric_points import Point, percentile


def value_of(expression: Expression, record: Record) -> Value:
    """Evaluate, with `bin` as the time that it stands for."""
    if isinstance(expression, Apply) and expression.function == "bin":
        return _bin(expression, record)
    return evaluate(expression, record)


def _bin(expression: Apply, record: Record) -> Value:
    spans = [one.value for one in expression.arguments if isinstance(one, Constant)]
    at = record.value("@timestamp")
    if not spans or not isinstance(spans[-1], float) or spans[-1] <= 0:
        raise bad("bin() needs a length of time")
    if not isinstance(at, float):
        return None
    width = spans[-1] * 1000
    return moment(math.floor(at / width) * width)


def aggregated(expression: Expression, members: Sequence[Record]) -> Value:
    """Return an aggregate, or arithmetic over aggregates."""
    if not isinstance(expression, Apply):
        if isinstance(expression, Constant):
            return expression.value
        raise bad("stats needs functions such as count(*) or avg(field)")
    name, arguments = expression.function, expression.arguments
    percent = _percent(name, arguments)
    if percent is not None:
        points = [Point(0, value) for value in _numbers(arguments[0], members)]
        return percentile(percent, points) if points else None
    if name == "count" and (not arguments or arguments == (Constant("*"),)):
        return float(len(members))
    if name in _AGGREGATES and len(arguments) == 1:
        return _AGGREGATES[name](arguments[0], members)
    inner = tuple(Constant(_known(aggregated(one, members))) for one in arguments)
    return evaluate(Apply(name, inner), Record(None))


def _known(value: Value) -> float | str:
    return value if isinstance(value, float | str) else 0.0


def _percent(name: str, arguments: Sequence[Expression]) -> float | None:
    """Return which percentile is meant by `pct(field, 95)` or `p95(field)`; None by others."""
    second = arguments[1] if len(arguments) == 2 else None
    if name in {"pct", "percentile"} and isinstance(second, Constant):
        found = number(second.value)
    elif name == "median" and len(arguments) == 1:
        found = 50.0
    else:
        found = number(name[1:]) if name.startswith("p") and len(arguments) == 1 else None
    return found if found is not None and 0 <= found <= 100 else None


def _values(expression: Expression, members: Iterable[Record]) -> list[Value]:
    found = (value_of(expression, one) for one in members)
    return [value for value in found if value is not None]


def _numbers(expression: Expression, members: Iterable[Record]) -> list[float]:
    found = (number(value) for value in _values(expression, members))
    return [value for value in found if value is not None]


def _of_numbers(apply: Callable[[list[float]], float]) -> Callable[..., Value]:
    def aggregate(expression: Expression, members: Iterable[Record]) -> Value:
        found = _numbers(expression, members)
        return apply(found) if found else None

    return aggregate


def _extreme(pick: Callable[..., Any]) -> Callable[..., Value]:
    """Return the least or greatest, of numbers or else of texts."""

    def aggregate(expression: Expression, members: Sequence[Record]) -> Value:
        numbers, values = _numbers(expression, members), _values(expression, members)
        if numbers:
            found: Value = pick(numbers)
            return found
        return pick(map(shown, values)) if values else None

    return aggregate


def _at_end(position: int) -> Callable[..., Value]:
    def aggregate(expression: Expression, members: Sequence[Record]) -> Value:
        by_time = sorted(members, key=lambda one: number(one.value("@timestamp")) or 0.0)
        found = _values(expression, by_time)
        return found[position] if found else None

    return aggregate


_AGGREGATES: Final[Mapping[str, Callable[..., Value]]] = {
    "count": lambda expression, members: float(len(_values(expression, members))),
    "count_distinct": lambda expression, members: float(
        len(set(map(shown, _values(expression, members))))
    ),
    "avg": _of_numbers(statistics.fmean),
    "sum": _of_numbers(math.fsum),
    "stddev": _of_numbers(statistics.pstdev),
    "min": _extreme(min),
    "max": _extreme(max),
    "earliest": _at_end(0),
    "latest": _at_end(-1),
}
