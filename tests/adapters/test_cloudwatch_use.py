"""Container Insights and load balancers as ratios and rates; and when AWS is asked at all."""

from __future__ import annotations

from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from petops.domain.evidence import Window
from petops.domain.subject import ClusterName, Kind, Subject
from petops.domain.traces import Wanted
from petops.errors import SourceError, UsageError
from petops.sources.aws_telemetry import AUTO, OFF, ON, opened, why_not
from petops.sources.cloudwatch_metrics import CloudWatchMetrics
from petops.sources.cloudwatch_use import CloudWatchUse

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
WINDOW = Window.before(NOON, timedelta(hours=3))
HERE = ClusterName(name="pets", account="1", region="us-east-1")
WEB = Subject(cluster=HERE, kind=Kind.DEPLOYMENT, namespace="shop", name="web")
KEYS = {"AWS_ACCESS_KEY_ID": "x"}


class Client:
    """Answers GetMetricData with the same values for each minute, by query id."""

    def __init__(self, **values: Any) -> None:
        self.values = values
        self.asked: list[Any] = []

    def get_metric_data(self, **arguments: Any) -> Any:
        self.asked.append(arguments)
        results = []
        for query in arguments["MetricDataQueries"]:
            value = self.values.get(query["Id"])
            minutes = [] if value is None else list(range(0, 60))
            times = [NOON - timedelta(minutes=one) for one in minutes]
            numbers = [value[0] if one <= 5 else value[1] for one in minutes] if value else []
            results.append(
                {"Id": query["Id"], "Label": query["Id"], "Timestamps": times, "Values": numbers}
            )
        return {"MetricDataResults": results}


async def test_percents_of_limits_become_ratios_then_and_now() -> None:
    client = Client(cpu=(96.0, 40.0), memory=(50.0, 50.0))
    async with CloudWatchUse(CloudWatchMetrics(client=client), "pets") as cloud:
        told = await cloud.workload(WEB, WINDOW)
    assert told.value.cpu_of_limit_ratio == pytest.approx(0.96)
    assert told.value.before_cpu_of_limit_ratio == pytest.approx(0.4)
    assert told.value.memory_of_limit_ratio == pytest.approx(0.5)
    assert told.value.restarts is None
    assert told.value.is_measured
    (asked,) = client.asked
    assert asked["EndTime"] - asked["StartTime"] == timedelta(hours=1)
    dimensions = asked["MetricDataQueries"][0]["MetricStat"]["Metric"]["Dimensions"]
    assert {one["Name"]: one["Value"] for one in dimensions} == {
        "ClusterName": "pets",
        "Namespace": "shop",
        "PodName": "web",
    }
    (query,) = told.asked
    assert "pod_cpu_utilization_over_pod_limit" in query.query


async def test_no_data_is_none_and_no_failures_among_requests_are_zero() -> None:
    async with CloudWatchUse(CloudWatchMetrics(client=Client()), "pets") as cloud:
        use = (await cloud.workload(WEB, WINDOW)).value
        nothing = (await cloud.balancer("app/web/1", WINDOW)).value
    assert not use.is_measured
    assert nothing.requests_per_second is None
    assert nothing.target_errors_per_second is None
    client = Client(requests=(600.0, 600.0), seconds=(0.9, 0.3), own=(6.0, 0.0))
    async with CloudWatchUse(CloudWatchMetrics(client=client), "pets") as cloud:
        found = (await cloud.balancer("app/web/1", WINDOW)).value
    assert found.requests_per_second == pytest.approx(10)
    assert found.target_seconds == pytest.approx(0.9)
    assert found.before_target_seconds == pytest.approx(0.3)
    assert found.target_errors_per_second == 0
    assert found.own_errors_per_second == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("mode", "region", "environment", "why"),
    [
        (AUTO, "us-east-1", KEYS, ""),
        (AUTO, "us-east-1", {"AWS_WEB_IDENTITY_TOKEN_FILE": "/x"}, ""),
        (AUTO, "us-east-1", {}, "no AWS credentials"),
        (AUTO, "", KEYS, "no region"),
        (ON, "us-east-1", {}, ""),
        (OFF, "us-east-1", KEYS, "is off"),
    ],
)
def test_aws_is_asked_where_it_is_set(
    mode: str, region: str, environment: dict[str, str], why: str
) -> None:
    found = why_not(ClusterName(name="pets", region=region), mode, environment)
    assert why in found
    assert bool(why) == bool(found)


def test_a_file_of_credentials_counts(tmp_path: Path) -> None:
    file = tmp_path / "credentials"
    named = {"AWS_SHARED_CREDENTIALS_FILE": str(file)}
    assert why_not(HERE, AUTO, named)
    file.write_text("[default]\n")
    assert not why_not(HERE, AUTO, named)
    with pytest.raises(UsageError, match="auto, on or off"):
        why_not(HERE, "perhaps", KEYS)


async def test_what_is_not_set_answers_at_once_with_why() -> None:
    async with AsyncExitStack() as stack:
        found = await opened(stack, HERE, OFF, KEYS)
        with pytest.raises(SourceError, match=r"no X-Ray is set: aws\.telemetry is off"):
            await found.traces.find(Wanted(), WINDOW)
        with pytest.raises(SourceError, match="no CloudWatch metrics are set"):
            await found.cloud.workload(WEB, WINDOW)
        with pytest.raises(SourceError, match="no CloudWatch metrics are set"):
            await found.cloud.balancer("x", WINDOW)
