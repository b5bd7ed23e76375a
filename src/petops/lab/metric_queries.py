"""Several metric queries at once: metrics, math over them, and SELECT; each worked out once."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from petops.lab.aws_requests import AwsRefusalError, Given
from petops.lab.metric_functions import Series, Value
from petops.lab.metric_math import Sheet, evaluate
from petops.lab.metric_math_parser import names, tree
from petops.lab.metric_points import Metric, Source, is_statistic, series
from petops.lab.metric_select import is_select, selected

WRONG: Final = "ValidationError"
_ID: Final = re.compile(r"[a-z][a-zA-Z0-9_]{0,254}", re.ASCII)
_MOST_DIMENSIONS: Final = 30
_SHORT_PERIODS: Final = (1, 5, 10, 20, 30)
_LONGEST_PERIOD: Final = 86400
_MOST_TIMES: Final = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One of the queries: a metric with a statistic, or an expression."""

    id: str
    label: str
    shown: bool
    period: int | None = None
    metric: Metric | None = None
    statistic: str = ""
    expression: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One series that is shown. `attributes` tell the groups of a SELECT apart."""

    id: str
    label: str
    values: Series
    attributes: Mapping[str, str]


def query(given: Given) -> Query:
    """Read one query; raise AwsRefusalError if it makes no sense."""
    own_id = given.text("Id")
    if not _ID.fullmatch(own_id):
        raise given.refuse(f"The value {own_id[:100]} for parameter Id is not valid.")
    common: dict[str, Any] = {
        "id": own_id,
        "label": given.text("Label", ""),
        "shown": given.flag("ReturnData", True),
    }
    period = read_period(given) if "Period" in given else None
    if ("MetricStat" in given) is ("Expression" in given):
        raise given.refuse(f"Query {own_id} must have either MetricStat or Expression.")
    if "Expression" in given:
        return Query(**common, period=period, expression=given.text("Expression"))
    stat = given.part("MetricStat")
    name = stat.text("Stat")
    if not is_statistic(name):
        raise given.refuse(
            f"The value {name[:100]} for parameter MetricStat.Stat is not supported."
        )
    return Query(
        **common, period=read_period(stat), metric=read_metric(stat.part("Metric")), statistic=name
    )


def read_metric(given: Given) -> Metric:
    """Read namespace, name and dimensions."""
    return Metric.of(given.text("Namespace"), given.text("MetricName"), read_dimensions(given))


def read_dimensions(given: Given) -> dict[str, str]:
    """Read a list of dimensions."""
    found = given.parts("Dimensions", _MOST_DIMENSIONS)
    return {one.text("Name"): one.text("Value") for one in found}


def read_period(given: Given) -> int:
    """Read a period of a second, some seconds, or minutes."""
    period = given.integer("Period", 1, _LONGEST_PERIOD)
    if period not in _SHORT_PERIODS and period % 60:
        raise given.refuse(f"The value {period} for parameter Period is not a multiple of 60.")
    return period


class Worked:
    """Works queries out over a window; every series but those of hidden queries is a result."""

    def __init__(self, queries: Sequence[Query], source: Source, start: float, end: float) -> None:
        self._queries = {one.id: one for one in queries}
        if len(self._queries) < len(queries):
            raise AwsRefusalError(WRONG, "The values for parameter Id in MetricDataQueries differ.")
        self._source, self._start, self._end = source, start, end
        self._done: dict[str, list[Result]] = {}
        self._under_way: set[str] = set()

    def results(self) -> list[Result]:
        """Return what is shown, in the order of the queries."""
        found = []
        for one in self._queries.values():
            results = self._results(one)
            found += results if one.shown else []
        return found

    def period(self, one: Query) -> int:
        """Return a query's period; an expression has the shortest of what it refers to."""
        if one.period is not None:
            return one.period
        if not one.expression or is_select(one.expression):
            raise AwsRefusalError(WRONG, f"Query {one.id} must have a Period.")
        used = [
            self._queries[name] for name in names(tree(one.expression)) if name in self._queries
        ]
        periods = [each.period for each in used or self._queries.values() if each.period]
        return min(periods, default=60)

    def _results(self, one: Query) -> list[Result]:
        if one.id in self._done:
            return self._done[one.id]
        if one.id in self._under_way:
            raise AwsRefusalError(WRONG, f"Error in expression '{one.id}': it refers to itself")
        self._under_way.add(one.id)
        found = self._of_metric(one) if one.metric else self._of_expression(one)
        self._under_way.discard(one.id)
        self._done[one.id] = found
        return found

    def _of_metric(self, one: Query) -> list[Result]:
        assert one.metric is not None  # noqa: S101 - for the type checker
        period = one.period or 60
        start = math.floor(self._start / period) * period
        points = self._source.points(one.metric, start, self._end)
        values = series(points, period, one.statistic)
        label = one.label or one.metric.name
        return [Result(id=one.id, label=label, values=values, attributes={})]

    def _of_expression(self, one: Query) -> list[Result]:
        period = self.period(one)
        start = math.floor(self._start / period) * period
        if is_select(one.expression):
            return [
                Result(
                    id=one.id,
                    label=" ".join(filter(None, (one.label, each.label))) or one.id,
                    values=each.values,
                    attributes=each.attributes,
                )
                for each in selected(one.expression, self._source, start, self._end, period)
            ]
        parsed = tree(one.expression)
        wanted = set(names(parsed)) & self._queries.keys()
        uses_all = "METRICS" in one.expression.upper()
        metrics = [each.id for each in self._queries.values() if each.metric]
        needed = wanted | set(metrics if uses_all else ())
        values = {name: self._value(self._queries[name]) for name in needed}
        times = range(start, math.ceil(self._end), period)
        if len(times) > _MOST_TIMES:
            raise AwsRefusalError(WRONG, f"Query {one.id} asks for more than {_MOST_TIMES} values.")
        sheet = Sheet(
            values=values, metrics=metrics if uses_all else [], period=period, times=times
        )
        try:
            value = evaluate(parsed, sheet)
        except AwsRefusalError as exc:
            said = exc.message.removeprefix("Error in expression: ")
            raise AwsRefusalError(WRONG, f"Error in expression '{one.id}': {said}") from None
        return self._shown(one, value)

    def _value(self, one: Query) -> Value:
        results = self._results(one)
        if one.expression and (is_select(one.expression) or len(results) != 1):
            return [each.values for each in results]
        return results[0].values

    def _shown(self, one: Query, value: Value) -> list[Result]:
        if isinstance(value, float):
            raise AwsRefusalError(
                WRONG, f"Error in expression '{one.id}': it must be a time series, not a number"
            )
        listed = value if isinstance(value, list) else [value]
        label = one.label or one.id
        return [Result(id=one.id, label=label, values=each, attributes={}) for each in listed]
