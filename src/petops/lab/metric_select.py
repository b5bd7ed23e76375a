"""CloudWatch Metrics Insights: `SELECT AVG(metric) FROM "namespace" GROUP BY dimension`."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from petops.lab.aws_requests import AwsRefusalError
from petops.lab.metric_points import Metric, Point, Source, series

_FUNCTIONS: Final = {
    "AVG": "Average",
    "SUM": "Sum",
    "MIN": "Minimum",
    "MAX": "Maximum",
    "COUNT": "SampleCount",
}
_NAME: Final = r'(?:"(?:[^"]+)"|[\w.]+)'
_SELECT: Final = re.compile(
    rf"""SELECT\s+(?P<function>AVG|SUM|MIN|MAX|COUNT)\s*\(\s*(?P<metric>{_NAME})\s*\)
    \s+FROM\s+(?:SCHEMA\s*\(\s*(?P<schema>{_NAME}(?:\s*,\s*{_NAME})*)\s*\)|(?P<namespace>{_NAME}))
    (?:\s+WHERE\s+(?P<where>.+?))?
    (?:\s+GROUP\s+BY\s+(?P<group>{_NAME}(?:\s*,\s*{_NAME})*))?
    (?:\s+ORDER\s+BY\s+(?P<order>AVG|SUM|MIN|MAX|COUNT)\s*\(\s*\)(?:\s+(?P<way>ASC|DESC))?)?
    (?:\s+LIMIT\s+(?P<limit>\d{{1,3}}))?\s*""",
    re.IGNORECASE | re.VERBOSE,
)
_CONDITION: Final = re.compile(rf"\s*({_NAME})\s*(=|!=)\s*'([^']*)'\s*")
_MOST_SERIES: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Selected:
    """One group's series, by the values that it was grouped by."""

    attributes: Mapping[str, str]
    values: Mapping[int, float]

    @property
    def label(self) -> str:
        return " ".join(self.attributes.values())


def is_select(expression: str) -> bool:
    """Say whether an expression is a query and not metric math."""
    return expression.strip().upper().startswith("SELECT ")


def groups_of(expression: str) -> tuple[str, ...]:
    """Return the dimensions that a query groups by; raise AwsRefusalError if it is none."""
    return _names(_read(expression)["group"])


def selected(
    expression: str, source: Source, start: float, end: float, period: int
) -> list[Selected]:
    """Return the series of a query, in its order."""
    found = _read(expression)
    names = _names(found["schema"] or found["namespace"])
    groups = _names(found["group"])
    statistic = _FUNCTIONS[found["function"].upper()]
    conditions = _conditions(found["where"])
    gathered: dict[tuple[str, ...], list[Point]] = {}
    for metric in source.metrics(_plain(found["metric"])):
        of = dict(metric.dimensions)
        if _fits(metric, names, _plain(found["metric"]), bool(found["schema"])) and all(
            (of.get(name) == value) is same for name, value, same in conditions
        ):
            key = tuple(of.get(name, "Other") for name in groups)
            gathered.setdefault(key, []).extend(source.points(metric, start, end))
    made = [
        Selected(
            attributes=dict(zip(groups, key, strict=True)),
            values=series(points, period, statistic),
        )
        for key, points in gathered.items()
        if points
    ]
    return _ordered(made, found["order"], found["way"])[: int(found["limit"] or _MOST_SERIES)]


def _read(expression: str) -> re.Match[str]:
    found = _SELECT.fullmatch(expression.strip())
    if found is None:
        raise AwsRefusalError("ValidationError", "Error in expression: Invalid query")
    return found


def _fits(metric: Metric, names: tuple[str, ...], wanted: str, has_schema: bool) -> bool:
    """Say whether a metric is meant; a schema wants exactly its dimensions."""
    if (metric.namespace, metric.name) != (names[0], wanted):
        return False
    return not has_schema or {name for name, _ in metric.dimensions} == set(names[1:])


def _conditions(where: str | None) -> list[tuple[str, str, bool]]:
    if not where:
        return []
    made = []
    for one in re.split(r"\s+AND\s+", where, flags=re.IGNORECASE):
        found = _CONDITION.fullmatch(one)
        if found is None:
            raise AwsRefusalError("ValidationError", "Error in expression: Invalid WHERE clause")
        made.append((_plain(found[1]), found[3], found[2] == "="))
    return made


def _ordered(made: list[Selected], order: str | None, way: str | None) -> list[Selected]:
    if not order:
        return made
    weigh = _ORDERS[order.upper()]
    is_falling = (way or "ASC").upper() == "DESC"
    return sorted(made, key=lambda one: weigh(list(one.values.values())), reverse=is_falling)


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return math.fsum(found) / len(found)


def _names(text: str | None) -> tuple[str, ...]:
    return tuple(_plain(one.strip()) for one in re.findall(_NAME, text)) if text else ()


def _plain(name: str) -> str:
    return name.strip('"')


_ORDERS: Final[Mapping[str, Callable[[list[float]], float]]] = {
    "MAX": max,
    "MIN": min,
    "SUM": math.fsum,
    "COUNT": len,
    "AVG": _mean,
}
