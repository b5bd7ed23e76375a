"""The functions of metric math that take values: numbers, series by time, and lists of series."""

from __future__ import annotations

import math
import operator
import statistics
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate, pairwise
from typing import Final, TypeVar

from petops.lab.metric_math_parser import bad

T = TypeVar("T")
Series = Mapping[int, float]
Value = float | Series | list[Series]

OPERATORS: Final[Mapping[str, Callable[[float, float], float]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "^": math.pow,
    "/": lambda low, high: low / high if high else math.nan,
    "==": lambda low, high: float(low == high),
    "!=": lambda low, high: float(low != high),
    "<": lambda low, high: float(low < high),
    "<=": lambda low, high: float(low <= high),
    ">": lambda low, high: float(low > high),
    ">=": lambda low, high: float(low >= high),
    "&&": lambda low, high: float(bool(low) and bool(high)),
    "||": lambda low, high: float(bool(low) or bool(high)),
}
_TOGETHER: Final[Mapping[str, Callable[[Sequence[float]], float]]] = {
    "SUM": math.fsum,
    "AVG": statistics.fmean,
    "MAX": max,
    "MIN": min,
    "STDDEV": statistics.pstdev,
}
_EACH: Final[Mapping[str, Callable[[float], float]]] = {
    "ABS": abs,
    "CEIL": lambda value: float(math.ceil(value)),
    "FLOOR": lambda value: float(math.floor(value)),
    "LOG": lambda value: math.log(value) if value > 0 else math.nan,
    "LOG10": lambda value: math.log10(value) if value > 0 else math.nan,
}


def applied(function: str, values: Sequence[Value], times: Sequence[int]) -> Value:
    """Apply a function by its name; `times` are those that are asked about."""
    if function in OPERATORS:
        return _both(OPERATORS[function], *exactly(2, function, values))
    if function == "IF":
        return _if(values)
    (value,) = exactly(1, function, values)
    if function in _TOGETHER:
        return _together(_TOGETHER[function], value)
    if function in _EACH:
        return _each(_EACH[function], value)
    if function in _OF_VALUE:
        return _OF_VALUE[function](value, times)
    if function in _OF_SERIES:
        return each_series(value, _OF_SERIES[function])
    raise bad(f"Unsupported function {function}")


def _each(one: Callable[[float], float], value: Value) -> Value:
    if isinstance(value, float):
        return one(value)
    return each_series(value, lambda series: {at: one(each) for at, each in series.items()})


def exactly(count: int, function: str, arguments: Sequence[T]) -> Sequence[T]:
    """Return the arguments if they are as many as the function takes."""
    if len(arguments) != count:
        raise bad(f"{function} takes {count} argument(s), {len(arguments)} were given")
    return arguments


def as_list(value: Value) -> list[Series]:
    """Return the series that a value has; a number has none."""
    if isinstance(value, float):
        raise bad("a series was expected instead of a number")
    return value if isinstance(value, list) else [value]


def each_series(value: Value, change: Callable[[Series], Series]) -> Value:
    """Change one series, or each of a list."""
    if isinstance(value, list):
        return [change(one) for one in value]
    return change(as_list(value)[0])


def _both(combine: Callable[[float, float], float], low: Value, high: Value) -> Value:
    """Combine two values; of two series, where both have one."""
    if isinstance(low, list) and isinstance(high, list):
        raise bad("two lists of series cannot be combined")
    if isinstance(low, list):
        return [_series(_both(combine, one, high)) for one in low]
    if isinstance(high, list):
        return [_series(_both(combine, low, one)) for one in high]
    if isinstance(low, float) and isinstance(high, float):
        return _safe(combine, low, high)
    times = high if isinstance(low, float) else low
    made: dict[int, float] = {}
    for at in _series(times):
        pair = (value_at(low, at), value_at(high, at))
        if pair[0] is not None and pair[1] is not None:
            value = _safe(combine, pair[0], pair[1])
            if math.isfinite(value):
                made[at] = value
    return made


def _safe(combine: Callable[[float, float], float], low: float, high: float) -> float:
    try:
        return combine(low, high)
    except (ValueError, OverflowError, ZeroDivisionError):
        return math.nan


def _series(value: Value) -> Series:
    return as_list(value)[0] if not isinstance(value, list) else value[0]


def value_at(value: float | Series, at: int) -> float | None:
    """Return a value at a time; a number has the same at all times."""
    return value if isinstance(value, float) else value.get(at)


def _together(combine: Callable[[Sequence[float]], float], value: Value) -> Value:
    """Bring a list of series down to one, time by time; a single series to one number."""
    if isinstance(value, float):
        return value
    if not isinstance(value, list):
        return combine(list(value.values())) if value else math.nan
    times = sorted({at for one in value for at in one})
    return {at: combine([one[at] for one in value if at in one]) for at in times}


def _if(values: Sequence[Value]) -> Value:
    """Choose by a condition; without a third value nothing stands where it does not hold."""
    if len(values) not in {2, 3}:
        raise bad("IF takes 2 or 3 arguments")
    condition, yes, no = (*values, {})[:3]
    if isinstance(condition, list) or isinstance(yes, list) or isinstance(no, list):
        raise bad("IF takes no lists")
    if isinstance(condition, float):
        return yes if condition else no
    chosen = ((at, value_at(yes if holds else no, at)) for at, holds in condition.items())
    return {at: value for at, value in chosen if value is not None}


def _steps(series: Series, *, per_second: bool) -> Series:
    times = sorted(series)
    return {
        later: (series[later] - series[at]) / ((later - at) if per_second else 1)
        for at, later in pairwise(times)
    }


def _running(series: Series) -> Series:
    return dict(zip(sorted(series), accumulate(series[at] for at in sorted(series)), strict=True))


_OF_SERIES: Final[Mapping[str, Callable[[Series], Series]]] = {
    "RATE": lambda series: _steps(series, per_second=True),
    "DIFF": lambda series: _steps(series, per_second=False),
    "RUNNING_SUM": _running,
}
_OF_VALUE: Final[Mapping[str, Callable[[Value, Sequence[int]], Value]]] = {
    "TIME_SERIES": lambda value, times: (
        dict.fromkeys(times, value) if isinstance(value, float) else value
    ),
    "FIRST": lambda value, _: (as_list(value) or [{}])[0],
    "LAST": lambda value, _: (as_list(value) or [{}])[-1],
    "DATAPOINT_COUNT": lambda value, times: each_series(
        value, lambda series: dict.fromkeys(times, float(len(series)))
    ),
}
