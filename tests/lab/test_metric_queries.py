"""CloudWatch's metrics: statistics, math, SELECT, and what the world's figures become."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from petops.lab.aws_requests import AwsRefusalError, Given
from petops.lab.metric_book import MetricBook
from petops.lab.metric_operations import MetricOperations
from petops.lab.metric_points import Metric, Point, percentile, statistic
from petops.lab.metric_queries import Worked, query
from tests.lab.hand_clock import BEGAN
from tests.lab.test_request_model import FRONT, PAY, Shop

pytestmark = pytest.mark.slow

NOW = BEGAN.timestamp()
START = 1_795_420_800
DIMENSIONS = {"ClusterName": "petops-lab", "Namespace": "default", "Service": FRONT}


class Fixed:
    """A source of two metrics: `a` counts up each minute, `b` has every second minute only."""

    def metrics(self, name: str = "") -> Iterator[Metric]:
        for one in ("a", "b") if not name else (name,):
            for zone in ("x", "y"):
                yield Metric.of("Own", one, {"Zone": zone})

    def points(self, metric: Metric, start: float, end: float) -> Iterable[Point]:
        step = 60 if metric.name == "a" else 120
        scale = 10 if dict(metric.dimensions)["Zone"] == "y" else 1
        for minute in range(0, 600, step):
            if start <= START + minute < end:
                yield Point(START + minute, scale * minute / 60)


def metric(own_id: str, name: str, stat: str = "Average", zone: str = "x") -> dict[str, Any]:
    named = {"Namespace": "Own", "MetricName": name}
    dimensions = [{"Name": "Zone", "Value": zone}]
    stat_ = {"Metric": {**named, "Dimensions": dimensions}, "Period": 60, "Stat": stat}
    return {"Id": own_id, "MetricStat": stat_, "ReturnData": False}


def worked(expression: str, *others: dict[str, Any]) -> list[dict[int, float]]:
    given_ = [*others, {"Id": "e", "Expression": expression, "Period": 60}]
    queries = [query(Given(one, "ValidationError")) for one in given_]
    results = Worked(queries, Fixed(), START, START + 300).results()
    return [{(at - START) // 60: value for at, value in one.values.items()} for one in results]


A, B = metric("a", "a"), metric("b", "b")


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("a * 2 + 1", {0: 1, 1: 3, 2: 5, 3: 7, 4: 9}),
        ("-a", {0: 0, 1: -1, 2: -2, 3: -3, 4: -4}),
        ("2 ^ a", {0: 1, 1: 2, 2: 4, 3: 8, 4: 16}),
        ("10 / a", {1: 10, 2: 5, 3: 10 / 3, 4: 2.5}),
        ("a - b", {0: 0, 2: 0, 4: 0}),
        ("SUM([a, b])", {0: 0, 1: 1, 2: 4, 3: 3, 4: 8}),
        ("AVG([a, b, b])", {0: 0, 1: 1, 2: 2, 3: 3, 4: 4}),
        ("MAX(METRICS()) - MIN(METRICS())", {0: 0, 1: 0, 2: 0, 3: 0, 4: 0}),
        ("SUM(METRICS('b'))", {0: 0, 2: 2, 4: 4}),
        ("a / MAX(a)", {0: 0, 1: 0.25, 2: 0.5, 3: 0.75, 4: 1}),
        ("FILL(b, 7)", {0: 0, 1: 7, 2: 2, 3: 7, 4: 4}),
        ("FILL(b, REPEAT)", {0: 0, 1: 0, 2: 2, 3: 2, 4: 4}),
        ("FILL(b, LINEAR)", {0: 0, 1: 1, 2: 2, 3: 3, 4: 4}),
        ("RATE(a) * PERIOD(a)", {1: 1, 2: 1, 3: 1, 4: 1}),
        ("DIFF(b)", {2: 2, 4: 2}),
        ("RUNNING_SUM(a)", {0: 0, 1: 1, 2: 3, 3: 6, 4: 10}),
        ("IF(a > 2, a)", {3: 3, 4: 4}),
        ("IF(a > 2 AND a < 4, 1, 0)", {0: 0, 1: 0, 2: 0, 3: 1, 4: 0}),
        ("IF(a >= 3 || a == 0, a, -1)", {0: 0, 1: -1, 2: -1, 3: 3, 4: 4}),
        ("TIME_SERIES(3)", dict.fromkeys(range(5), 3)),
        ("CEIL(a / 2) + FLOOR(a / 2) + ABS(0 - a)", {0: 0, 1: 2, 2: 4, 3: 6, 4: 8}),
        ("DATAPOINT_COUNT(b)", dict.fromkeys(range(5), 3)),
        ("FIRST([b, a])", {0: 0, 2: 2, 4: 4}),
    ],
)
def test_math(expression: str, expected: dict[int, float]) -> None:
    (found,) = worked(expression, A, B)
    assert found == pytest.approx(expected)


def test_a_list_is_several_results() -> None:
    assert len(worked("METRICS() * 2", A, B)) == 2


def test_expressions_may_use_expressions() -> None:
    half = {"Id": "half", "Expression": "a / 2", "ReturnData": False}
    assert worked("half + half", A, half) == worked("a", A)


@pytest.mark.parametrize(
    "expression",
    [
        "a +",
        "nobody * 2",
        "NOSUCH(a)",
        "SUM(a, b)",
        "3 + 4",
        "AVG(a)",
        "IF(a)",
        "e + 1",
        "'text'",
        "[a, b] + [a, b]",
        "(" * 100 + "a" + ")" * 100,
        "a" * 3000,
        "METRICS('none')",
        "SELECT nothing",
        "FILL(a, [a, b])",
    ],
)
def test_bad_expressions_are_refused(expression: str) -> None:
    with pytest.raises(AwsRefusalError) as refused:
        worked(expression, A, B)
    assert refused.value.code == "ValidationError"


WORDS = ["a", "b", "SUM", "RATE", "FILL", "IF", "METRICS", "(", ")", "[", "]", ",", "+", "/", "^"]


@given(st.lists(st.sampled_from([*WORDS, "9", "-", "<", "AND"]), max_size=10).map(" ".join))
def test_any_expression_is_worked_out_or_refused(expression: str) -> None:
    try:
        found = worked(expression, A, B)
    except AwsRefusalError:
        return
    assert all(isinstance(value, float | int) for one in found for value in one.values())


def selected(text: str) -> list[tuple[str, dict[int, float]]]:
    one = query(Given({"Id": "q", "Expression": text, "Period": 300}, "ValidationError"))
    results = Worked([one], Fixed(), START, START + 300).results()
    return [(each.label, dict(each.values)) for each in results]


def test_select_groups_orders_and_limits() -> None:
    text = 'SELECT MAX(a) FROM SCHEMA("Own", Zone) GROUP BY Zone ORDER BY MAX() DESC'
    assert selected(text) == [("y", {START: 40}), ("x", {START: 4})]
    assert selected(text + " LIMIT 1") == [("y", {START: 40})]
    assert selected("SELECT AVG(a) FROM \"Own\" WHERE Zone = 'x'") == [("q", {START: 2})]
    assert selected("SELECT SUM(a) FROM Own WHERE Zone != 'x'") == [("q", {START: 100})]
    assert selected('SELECT COUNT(a) FROM SCHEMA("Own", Zone, Other)') == []


def test_percentiles_lie_between_neighbours() -> None:
    points = [Point(0, value) for value in (4, 1, 3, 2, 5)]
    assert percentile(50, points) == 3
    assert percentile(0, points) == 1
    assert percentile(100, points) == 5
    assert 4 < percentile(85, points) < 5
    assert percentile(50, [Point(0, 1, 1), Point(0, 9, 99)]) > 8


@given(
    st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(0.1, 100)), min_size=1, max_size=20),
    st.floats(0, 100),
)
def test_a_percentile_is_within_its_values(
    pairs: list[tuple[float, float]], percent: float
) -> None:
    points = [Point(0, value, weight) for value, weight in pairs]
    low, high = statistic("Minimum", points), statistic("Maximum", points)
    assert low - 1e-6 <= percentile(percent, points) <= high + 1e-6
    assert low - 1e-6 <= statistic("Average", points) <= high + 1e-6


@pytest.fixture(scope="module")
def shop() -> Shop:
    return Shop(history=timedelta(minutes=30))


@pytest.fixture(scope="module")
def operations(shop: Shop) -> MetricOperations:
    return MetricOperations(MetricBook(shop.world), lambda: shop.clock.now().timestamp())


def data(operations: MetricOperations, *queries: dict[str, Any], **more: Any) -> Any:
    return operations.data(
        Given(
            {"MetricDataQueries": list(queries), "StartTime": NOW - 1200, "EndTime": NOW, **more},
            "ValidationError",
        )
    )


def asked(namespace: str, name: str, stat: str, **dimensions: str) -> dict[str, Any]:
    pairs = [{"Name": key, "Value": value} for key, value in dimensions.items()]
    metric_ = {"Namespace": namespace, "MetricName": name, "Dimensions": pairs}
    return {"Id": "m", "MetricStat": {"Metric": metric_, "Period": 60, "Stat": stat}}


def test_a_pods_memory_is_what_cadvisor_saw(shop: Shop, operations: MetricOperations) -> None:
    name = "pod_memory_utilization_over_pod_limit"
    answer = data(operations, asked("ContainerInsights", name, "Maximum", **DIMENSIONS))
    (result,) = answer["MetricDataResults"]
    usages = [one for one in shop.world.usage() if one.service_app == FRONT]
    now = [100 * one.memory_working_set_bytes / (one.memory_limit_bytes or 1) for one in usages]
    assert len(result["Values"]) == 20
    assert result["Timestamps"] == sorted(result["Timestamps"], reverse=True)
    assert result["Values"][0] == pytest.approx(max(now), rel=0.05)


def test_every_listed_metric_can_be_read(operations: MetricOperations) -> None:
    listed = operations.listed(Given({"Namespace": "ContainerInsights"}, "InvalidParameterValue"))
    names = {one["MetricName"] for one in listed["Metrics"]}
    assert {"pod_cpu_utilization", "pod_network_rx_bytes"} <= names
    for one in listed["Metrics"][::7]:
        dimensions = {each["Name"]: each["Value"] for each in one["Dimensions"]}
        answer = data(
            operations, asked("ContainerInsights", one["MetricName"], "Average", **dimensions)
        )
        assert answer["MetricDataResults"][0]["Values"], one


def test_the_load_balancer_counts_what_the_front_answered(
    shop: Shop, operations: MetricOperations
) -> None:
    balancer = "app/petsite/50dc6c495c0c9188"
    answer = data(
        operations, asked("AWS/ApplicationELB", "RequestCount", "Sum", LoadBalancer=balancer)
    )
    counted = sum(answer["MetricDataResults"][0]["Values"][1:-1])
    assert counted == pytest.approx(12 * 60 * 18, rel=0.2)
    times = asked("AWS/ApplicationELB", "TargetResponseTime", "Average", LoadBalancer=balancer)
    seconds = data(operations, times)["MetricDataResults"][0]["Values"]
    taken = [trace.root.seconds for trace in shop.last(1200)]
    assert sum(seconds) / len(seconds) == pytest.approx(sum(taken) / len(taken), rel=0.05)
    times["MetricStat"]["Stat"] = "p99"
    slowest = data(operations, times)["MetricDataResults"][0]["Values"]
    sampled = sorted(taken)[int(0.99 * len(taken))]
    assert sum(slowest) / len(slowest) == pytest.approx(sampled, rel=0.25)


def test_dimensions_that_are_not_published_have_no_values(operations: MetricOperations) -> None:
    odd = asked("ContainerInsights", "pod_cpu_utilization", "Average", Service=FRONT)
    assert data(operations, odd)["MetricDataResults"][0]["Values"] == []


def test_pages_of_values(operations: MetricOperations) -> None:
    one = asked("ContainerInsights", "cluster_node_count", "Average", ClusterName="petops-lab")
    two = {**one, "Id": "n"}
    whole = data(operations, one, two)["MetricDataResults"]
    gathered: dict[str, list[float]] = {}
    token: dict[str, Any] = {}
    pages = 0
    while True:
        answer = data(operations, one, two, MaxDatapoints=7, **token)
        pages += 1
        for result in answer["MetricDataResults"]:
            gathered.setdefault(result["Id"], []).extend(result["Timestamps"])
        if "NextToken" not in answer:
            break
        token = {"NextToken": answer["NextToken"]}
    assert pages == math.ceil(2 * len(whole[0]["Values"]) / 7)
    assert gathered == {result["Id"]: result["Timestamps"] for result in whole}


def test_a_throttled_service_is_over_its_limit() -> None:
    shop = Shop()
    shop.label(PAY, "burning")
    shop.pass_seconds(240)
    own = MetricOperations(MetricBook(shop.world), lambda: NOW + 240)
    wanted = asked(
        "ContainerInsights",
        "pod_cpu_utilization_over_pod_limit",
        "Maximum",
        **{**DIMENSIONS, "Service": PAY},
    )
    answer = data(own, wanted, StartTime=NOW, EndTime=NOW + 240)
    assert answer["MetricDataResults"][0]["Values"][0] > 95


BAD: list[dict[str, Any]] = [
    {
        "MetricDataQueries": [{"Id": "e", "Expression": "TIME_SERIES(1)", "Period": 1}],
        "StartTime": NOW - 10**6,
    },
    {},
    {"MetricDataQueries": []},
    {"MetricDataQueries": [{"Id": "m"}]},
    {"MetricDataQueries": [{"Id": "M", "Expression": "1"}]},
    {"MetricDataQueries": [{"Id": "m", "Expression": "a", "Period": 61}]},
    {"MetricDataQueries": [asked("n", "m", "p101")]},
    {"MetricDataQueries": [asked("n", "m", "Median")]},
    {"MetricDataQueries": [asked("n", "m", "Sum"), asked("n", "m", "Sum")]},
    {"MetricDataQueries": [asked("n", "m", "Sum")], "StartTime": NOW, "EndTime": NOW},
    {"MetricDataQueries": "x"},
]


@pytest.mark.parametrize("given_", BAD)
def test_bad_requests_are_refused(operations: MetricOperations, given_: dict[str, Any]) -> None:
    with pytest.raises(AwsRefusalError) as refused:
        operations.data(Given({"StartTime": NOW - 60, "EndTime": NOW, **given_}, "ValidationError"))
    assert refused.value.code == "ValidationError"


@pytest.mark.slow
def test_put_metrics_come_back() -> None:
    shop = Shop()
    own = MetricOperations(MetricBook(shop.world), lambda: NOW)
    datum = {"MetricName": "depth", "Dimensions": [{"Name": "Queue", "Value": "q"}]}
    statistics = {"SampleCount": 4, "Sum": 10, "Minimum": 1, "Maximum": 4}
    put = [
        {**datum, "Value": 3.5, "Timestamp": NOW - 120},
        {**datum, "Values": [1, 2], "Counts": [1, 3], "Timestamp": NOW - 60},
        {**datum, "StatisticValues": statistics, "Timestamp": NOW - 180},
    ]
    own.put(Given({"Namespace": "Own", "MetricData": put}, "InvalidParameterValue"))
    given_ = {
        "Namespace": "Own",
        "MetricName": "depth",
        "Dimensions": datum["Dimensions"],
        "Period": 60,
        "StartTime": NOW - 600,
        "EndTime": NOW,
        "Statistics": ["Sum", "SampleCount", "Maximum"],
        "ExtendedStatistics": ["p50"],
    }
    found = own.statistics(Given(given_, "InvalidParameterValue"))["Datapoints"]
    assert [one["Sum"] for one in found] == [10, 3.5, 7]
    assert [one["SampleCount"] for one in found] == [4, 1, 4]
    assert found[2]["Maximum"] == 2
