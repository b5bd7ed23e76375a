"""Numbers from CloudWatch, by GetMetricData."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Self

from petops.domain.evidence import Asked, Readings, Sample, Series, Window
from petops.errors import SourceError
from petops.sources.aws_calls import AwsCalls

Json = Any

SOURCE: Final = "cloudwatch"
_MOST_QUERIES: Final = 100
_MOST_PAGES: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudWatchQuery:
    """One metric with its statistic (`Average`, `p99`, ...), or an expression over others' ids."""

    id: str
    namespace: str = ""
    metric: str = ""
    dimensions: Mapping[str, str] = field(default_factory=dict)
    statistic: str = "Average"
    period_seconds: int = 60
    expression: str = ""
    shown: bool = True

    @property
    def text(self) -> str:
        """How it is written down."""
        if self.expression:
            return f"{self.id} = {self.expression}"
        named = ", ".join(f"{name}={value}" for name, value in sorted(self.dimensions.items()))
        what = f"{self.namespace} {self.metric}{{{named}}}"
        return f"{self.id} = {self.statistic}({what}, {self.period_seconds} s)"

    def request(self) -> dict[str, Any]:
        """Return it as GetMetricData takes it."""
        common = {"Id": self.id, "ReturnData": self.shown}
        if self.expression:
            return {**common, "Expression": self.expression, "Period": self.period_seconds}
        pairs = [{"Name": name, "Value": value} for name, value in self.dimensions.items()]
        metric = {"Namespace": self.namespace, "MetricName": self.metric, "Dimensions": pairs}
        stat = {"Metric": metric, "Period": self.period_seconds, "Stat": self.statistic}
        return {**common, "MetricStat": stat}


class CloudWatchMetrics:
    """Metrics of one account and region; used as a context manager."""

    def __init__(self, *, region: str = "", client: Any = None) -> None:
        self._calls = AwsCalls("cloudwatch", "CloudWatch", region=region, client=client)

    async def __aenter__(self) -> Self:
        return self

    def warm(self) -> None:
        """Get ready meanwhile."""
        self._calls.warm()

    async def __aexit__(self, *_: object) -> None:
        self._calls.close()

    async def read(self, queries: Sequence[CloudWatchQuery], window: Window) -> Readings:
        """Return one series a result, labelled with its query's `id` and CloudWatch's `label`."""
        if not 0 < len(queries) <= _MOST_QUERIES:
            raise SourceError(f"CloudWatch takes 1 to {_MOST_QUERIES} queries, not {len(queries)}")
        arguments: dict[str, Any] = {
            "MetricDataQueries": [one.request() for one in queries],
            "StartTime": window.start,
            "EndTime": window.end,
            "ScanBy": "TimestampAscending",
        }
        results: list[Json] = []
        for _ in range(_MOST_PAGES):
            answer = await self._calls.call("get_metric_data", **arguments)
            results += answer.get("MetricDataResults", ())
            if not answer.get("NextToken"):
                break
            arguments["NextToken"] = answer["NextToken"]
        query = "; ".join(one.text for one in queries)
        asked = Asked(source=SOURCE, query=query, window=window)
        return Readings(asked=asked, series=parse_results(results))


def parse_results(results: Iterable[Json]) -> tuple[Series, ...]:
    """Return GetMetricData's results, the parts of one on several pages joined, oldest first.

    Raise SourceError where CloudWatch says that it could not work one out.
    """
    found: dict[tuple[str, str], list[Sample]] = {}
    for one in results:
        status = one.get("StatusCode")
        if status in {"InternalError", "Forbidden"}:
            why = "; ".join(str(each.get("Value", "")) for each in one.get("Messages", ()))
            raise SourceError(
                f"CloudWatch answered {status} for {one.get('Id')}: {why}".rstrip(": ")
            )
        samples = found.setdefault((str(one.get("Id", "")), str(one.get("Label", ""))), [])
        for at, value in zip(one.get("Timestamps", ()), one.get("Values", ()), strict=False):
            if isinstance(at, datetime) and isinstance(value, int | float) and math.isfinite(value):
                moment = at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
                samples.append(Sample(at=moment, value=float(value)))
    return tuple(
        Series(
            labels=(("id", own_id), ("label", label)),
            samples=tuple(sorted(samples, key=lambda sample: sample.at)),
        )
        for (own_id, label), samples in found.items()
    )
