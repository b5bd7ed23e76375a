"""Works out metric math over the series that other queries gave."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from petops.lab.metric_functions import (
    Series,
    Value,
    applied,
    as_list,
    each_series,
    exactly,
    value_at,
)
from petops.lab.metric_math_parser import Applied, Listed, Name, Number, Text, Tree, bad


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """What an expression may refer to: values by id, which of them are metrics, and the times."""

    values: Mapping[str, Value]
    metrics: Sequence[str]
    period: int
    times: Sequence[int]


def evaluate(tree: Tree, sheet: Sheet) -> Value:
    """Return an expression's value; what is no number at a time is left out."""
    match tree:
        case Number(value):
            return value
        case Name(name):
            if name not in sheet.values:
                raise bad(f"Undefined variable {name}")
            return sheet.values[name]
        case Listed(items):
            return [one for item in items for one in as_list(evaluate(item, sheet))]
        case Applied(function, arguments):
            if function in _OF_TREES:
                return _OF_TREES[function](arguments, sheet)
            return applied(function, [evaluate(one, sheet) for one in arguments], sheet.times)
    raise bad("a text is no value")


def _metrics(arguments: Sequence[Tree], sheet: Sheet) -> list[Series]:
    prefix = ""
    if arguments:
        (one,) = exactly(1, "METRICS", arguments)
        if not isinstance(one, Text):
            raise bad("METRICS takes a quoted text")
        prefix = one.value
    chosen = [sheet.values[name] for name in sheet.metrics if prefix in name]
    if not chosen:
        raise bad("METRICS() finds no metric")
    return [one for value in chosen for one in as_list(value)]


def _period(arguments: Sequence[Tree], sheet: Sheet) -> float:
    exactly(1, "PERIOD", arguments)
    return float(sheet.period)


def _fill(arguments: Sequence[Tree], sheet: Sheet) -> Value:
    one, how = exactly(2, "FILL", arguments)
    return each_series(evaluate(one, sheet), lambda series: _filled(series, how, sheet))


def _filled(series: Series, how: Tree, sheet: Sheet) -> Series:
    """Fill the times that have no value: with a number, the last value, or in between."""
    word = how.value.upper() if isinstance(how, Name) else ""
    if word == "REPEAT":
        made: dict[int, float] = {}
        last: float | None = None
        for at in sheet.times:
            last = series.get(at, last)
            if last is not None:
                made[at] = last
        return made
    if word == "LINEAR":
        return _linear(series, sheet.times)
    value = evaluate(how, sheet)
    if isinstance(value, list):
        raise bad("FILL takes a number, a series, REPEAT or LINEAR")
    found = ((at, series[at] if at in series else value_at(value, at)) for at in sheet.times)
    return {at: one for at, one in found if one is not None}


def _linear(series: Series, times: Sequence[int]) -> Series:
    known = sorted(series)
    made = dict(series)
    for at in times:
        before = max((one for one in known if one < at), default=None)
        after = min((one for one in known if one > at), default=None)
        if at not in series and before is not None and after is not None:
            share = (at - before) / (after - before)
            made[at] = series[before] + share * (series[after] - series[before])
    return made


_OF_TREES: Final[Mapping[str, Callable[[Sequence[Tree], Sheet], Value]]] = {
    "METRICS": _metrics,
    "PERIOD": _period,
    "FILL": _fill,
}
