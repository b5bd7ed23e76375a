"""CloudWatch's operations on metrics: ListMetrics, GetMetricData and what belongs to them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from petops.lab.aws_requests import AwsRefusalError, Given, page
from petops.lab.metric_book import MetricBook
from petops.lab.metric_points import STATISTICS, Metric, Point, by_period, is_statistic, statistic
from petops.lab.metric_queries import (
    WRONG,
    Result,
    Worked,
    query,
    read_dimensions,
    read_metric,
    read_period,
)

Json = dict[str, Any]

BAD_VALUE: Final = "InvalidParameterValue"
MISSING: Final = "MissingParameter"
_TOGETHER: Final = "InvalidParameterCombination"
_BAD_TOKEN: Final = "InvalidNextToken"  # noqa: S105 - a code
_MOST_QUERIES: Final = 500
_MOST_DATAPOINTS: Final = 100_800
_MOST_STATISTICS: Final = 1440
_METRICS_A_PAGE: Final = 500
_MOST_PUT: Final = 1000
_MOST_VALUES: Final = 150
_LONGEST_WINDOW_SECONDS: Final = 14 * 86400.0


class MetricOperations:
    """Answers over one book of metrics. `now` is in seconds since 1970."""

    def __init__(self, book: MetricBook, now: Callable[[], float]) -> None:
        self._book, self._now = book, now

    def served(self) -> Mapping[str, Callable[[Mapping[str, Any]], Json]]:
        """Return the operations by their names."""
        return {
            "ListMetrics": lambda body: self.listed(Given(body, BAD_VALUE, MISSING)),
            "GetMetricData": lambda body: self.data(Given(body, WRONG)),
            "GetMetricStatistics": lambda body: self.statistics(Given(body, BAD_VALUE, MISSING)),
            "PutMetricData": lambda body: self.put(Given(body, BAD_VALUE, MISSING)),
        }

    def listed(self, given: Given) -> Json:
        """Answer ListMetrics."""
        namespace, name = given.text("Namespace", ""), given.text("MetricName", "")
        wanted = [
            (one.text("Name"), one.text("Value", "")) for one in given.parts("Dimensions", 10)
        ]
        found = [
            metric
            for metric in self._book.metrics(name)
            if namespace in {"", metric.namespace} and all(_has(metric, *pair) for pair in wanted)
        ]
        shown, token = page(found, given, _METRICS_A_PAGE, _BAD_TOKEN)
        made: Json = {
            "Metrics": [
                {
                    "Namespace": one.namespace,
                    "MetricName": one.name,
                    "Dimensions": [{"Name": key, "Value": of} for key, of in one.dimensions],
                }
                for one in shown
            ]
        }
        return made | ({"NextToken": token} if token else {})

    def data(self, given: Given) -> Json:
        """Answer GetMetricData; a page ends after `MaxDatapoints` values."""
        start, end = _window(given)
        order = ("TimestampDescending", "TimestampAscending")
        is_rising = given.choice("ScanBy", order, order[0]) == order[1]
        most = given.integer("MaxDatapoints", 1, _MOST_DATAPOINTS, _MOST_DATAPOINTS)
        queries = [
            query(one) for one in given.parts("MetricDataQueries", _MOST_QUERIES, required=True)
        ]
        results = Worked(queries, self._book, start, min(end, self._now() + 1)).results()
        rows = [
            (number, at, value)
            for number, result in enumerate(results)
            for at, value in sorted(result.values.items(), reverse=not is_rising)
            if at < end
        ]
        shown, token = page(rows, given, most, _BAD_TOKEN)
        made: Json = {"MetricDataResults": list(_results(results, rows, shown)), "Messages": []}
        return made | ({"NextToken": token} if token else {})

    def statistics(self, given: Given) -> Json:
        """Answer GetMetricStatistics."""
        metric, period = read_metric(given), read_period(given)
        start, end = _window(given)
        plain, extended = given.texts("Statistics", 5), given.texts("ExtendedStatistics", 10)
        if not plain and not extended:
            raise AwsRefusalError(MISSING, "Must specify either Statistics or ExtendedStatistics")
        for name in (*plain, *extended):
            if not is_statistic(name) or (name in STATISTICS) is not (name in plain):
                raise given.refuse(f"The value {name[:100]} is not a supported statistic.")
        if (end - start) / period > _MOST_STATISTICS:
            raise AwsRefusalError(
                _TOGETHER,
                f"You have requested up to {math.ceil((end - start) / period)} "
                f"datapoints, which exceeds the limit of {_MOST_STATISTICS}.",
            )
        low = math.floor(start / period) * period
        buckets = by_period(self._book.points(metric, low, end), period)
        points = []
        for at, found in sorted(buckets.items()):
            point: Json = {"Timestamp": at, "Unit": unit(metric.name)}
            point |= {name: statistic(name, found) for name in plain}
            if extended:
                point["ExtendedStatistics"] = {name: statistic(name, found) for name in extended}
            points.append(point)
        return {"Label": metric.name, "Datapoints": points}

    def put(self, given: Given) -> Json:
        """Answer PutMetricData."""
        namespace = given.text("Namespace")
        if namespace.startswith("AWS/"):
            raise given.refuse("The value AWS/ for parameter Namespace is invalid.")
        for one in given.parts("MetricData", _MOST_PUT, required=True):
            metric = Metric.of(namespace, one.text("MetricName"), read_dimensions(one))
            at = one.moment("Timestamp", self._now())
            for value, count in _put_values(one):
                if not self._book.put(metric, Point(at, value, count)):
                    raise AwsRefusalError("LimitExceeded", "The lab keeps no more metrics.")
        return {}


def _window(given: Given) -> tuple[float, float]:
    start, end = given.moment("StartTime"), given.moment("EndTime")
    if start >= end:
        raise given.refuse("The parameter StartTime must be less than the parameter EndTime.")
    if end - start > _LONGEST_WINDOW_SECONDS:
        raise given.refuse("The lab remembers some hours only: ask for two weeks at most.")
    return start, end


def _results(
    results: Sequence[Result],
    rows: Sequence[tuple[int, int, float]],
    shown: Sequence[tuple[int, int, float]],
) -> Iterator[Json]:
    """Yield the results that a page has values of; the first page also has those without any."""
    is_first = shown[:1] == rows[:1]
    is_last = shown[-1:] == rows[-1:]
    for number, result in enumerate(results):
        own = [(at, value) for which, at, value in shown if which == number]
        if not own and not (is_first and not result.values):
            continue
        cut = not is_last and number == shown[-1][0]
        yield {
            "Id": result.id,
            "Label": result.label,
            "Timestamps": [at for at, _ in own],
            "Values": [value for _, value in own],
            "StatusCode": "PartialData" if cut else "Complete",
        }


def _has(metric: Metric, name: str, value: str) -> bool:
    return any(key == name and value in {"", of} for key, of in metric.dimensions)


def _put_values(given: Given) -> Iterator[tuple[float, float]]:
    if "Values" in given:
        values = given.numbers("Values", _MOST_VALUES)
        counts = given.numbers("Counts", _MOST_VALUES) if "Counts" in given else [1.0] * len(values)
        if len(values) != len(counts):
            raise given.refuse("The parameters Values and Counts must be of one length.")
        yield from zip(values, counts, strict=True)
        return
    if "StatisticValues" in given:
        found = given.part("StatisticValues")
        count, total = found.number("SampleCount"), found.number("Sum")
        if count > 0:
            yield found.number("Minimum"), 1.0
            yield found.number("Maximum"), 1.0
            rest = max(count - 2, 0.0)
            if rest:
                left = total - found.number("Minimum") - found.number("Maximum")
                yield left / rest, rest
        return
    yield given.number("Value"), 1.0


def unit(name: str) -> str:
    """Return the unit that a metric has."""
    if "utilization" in name or "reserved_capacity" in name:
        return "Percent"
    if name.endswith("ResponseTime"):
        return "Seconds"
    if "network" in name:
        return "Bytes/Second"
    if "memory" in name:
        return "Bytes"
    return "Count" if "count" in name.lower() or "number" in name else "None"
