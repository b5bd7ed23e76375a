"""Numbers from CloudWatch: queries, pages and failures."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from petops.domain.evidence import Window
from petops.errors import SourceError
from petops.sources.cloudwatch_metrics import CloudWatchMetrics, CloudWatchQuery, parse_results
from tests.adapters.test_xray import FakeClient

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
WINDOW = Window.before(NOON, timedelta(minutes=10))
MEMORY = CloudWatchQuery(
    id="m1",
    namespace="ContainerInsights",
    metric="pod_memory_utilization",
    dimensions={"Namespace": "default"},
    statistic="p99",
)
TWICE = CloudWatchQuery(id="e1", expression="m1 * 2")


def result(own_id: str, minutes: list[int], **more: Any) -> dict[str, Any]:
    times = [NOON - timedelta(minutes=one) for one in minutes]
    values = [float(one) for one in minutes]
    made = {"Id": own_id, "Label": own_id, "Timestamps": times, "Values": values}
    return {**made, "StatusCode": "Complete", **more}


async def test_pages_of_one_series_are_joined_oldest_first() -> None:
    client = FakeClient(
        {"MetricDataResults": [result("m1", [1, 2], StatusCode="PartialData")], "NextToken": "t"},
        {"MetricDataResults": [result("m1", [5, 3]), result("e1", [4])]},
    )
    async with CloudWatchMetrics(client=client) as metrics:
        found = await metrics.read([MEMORY, TWICE], WINDOW)
    first, second = found.series
    assert [sample.value for sample in first.samples] == [5, 3, 2, 1]
    assert first.label("id") == "m1"
    assert len(second.samples) == 1
    (_, arguments), (_, next_arguments) = client.asked
    assert next_arguments["NextToken"] == "t"
    assert arguments["MetricDataQueries"] == [
        {
            "Id": "m1",
            "ReturnData": True,
            "MetricStat": {
                "Metric": {
                    "Namespace": "ContainerInsights",
                    "MetricName": "pod_memory_utilization",
                    "Dimensions": [{"Name": "Namespace", "Value": "default"}],
                },
                "Period": 60,
                "Stat": "p99",
            },
        },
        {"Id": "e1", "ReturnData": True, "Expression": "m1 * 2", "Period": 60},
    ]
    assert found.asked.query == (
        "m1 = p99(ContainerInsights pod_memory_utilization{Namespace=default}, 60 s); e1 = m1 * 2"
    )


def test_what_is_no_number_is_left_out() -> None:
    odd = result("m1", [1, 2])
    odd["Values"] = [float("nan"), 3]
    (series,) = parse_results([odd])
    assert [sample.value for sample in series.samples] == [3]


def test_a_result_that_failed_is_an_error() -> None:
    bad = result("m1", [], StatusCode="Forbidden", Messages=[{"Code": "x", "Value": "no access"}])
    with pytest.raises(SourceError, match="Forbidden for m1: no access"):
        parse_results([bad])


async def test_no_query_is_no_question() -> None:
    async with CloudWatchMetrics(client=FakeClient()) as metrics:
        with pytest.raises(SourceError):
            await metrics.read([], WINDOW)
