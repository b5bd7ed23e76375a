"""Every operation that the lab serves, through boto3: botocore's own models read the answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from threading import Event as Signal
from threading import Thread
from typing import Any

import boto3
import botocore.session
import httpx2
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.model import Shape
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from petops.domain.evidence import PodScope, Window
from petops.domain.traces import Wanted
from petops.lab.alarm_book import AlarmBook
from petops.lab.alarm_events import Event
from petops.lab.alarm_watch import AlarmWatch
from petops.lab.aws_app import aws_app
from petops.lab.children import beside, listening_socket
from petops.lab.metric_book import MetricBook
from petops.lab.serving import LoopbackServer
from petops.lab.world import World
from petops.sources.cloudwatch_metrics import CloudWatchMetrics, CloudWatchQuery
from petops.sources.logs_insights import LogsInsights
from petops.sources.xray import XRayTraces
from tests.lab.wall_clock import WallClock

pytestmark = pytest.mark.slow

SCALARS: dict[str, tuple[type, ...]] = {"boolean": (bool,), "integer": (int,), "long": (int,)}
GROUP = "/aws/containerinsights/petops-lab/application"
RECORDS = "/aws/containerinsights/petops-lab/performance"
CLUSTER = [{"Name": "ClusterName", "Value": "petops-lab"}]
MODELS = botocore.session.Session()


class Served:
    """A world's CloudWatch, Logs and X-Ray in a thread of their own, and clients for them."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.url = ""
        self._ready = Signal()
        self._loop, self._over = asyncio.new_event_loop(), asyncio.Event()
        self._thread = Thread(target=self._run)

    def __enter__(self) -> Served:
        self._thread.start()
        assert self._ready.wait(20)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(10)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        clock = WallClock()
        world = World(clock, history=timedelta(minutes=15))
        metrics = MetricBook(world)
        watch = AlarmWatch(world, world.cluster, clock.now())
        book = AlarmBook(watch, metrics, world.cluster, clock.now(), self.events.append)
        server = LoopbackServer(aws_app(world, metrics, book, clock), listening_socket())
        async with beside(server.run_until_cancelled(), world.run(), book.run(clock)):
            await server.ready.wait()
            self.url = server.url
            self._ready.set()
            await self._over.wait()

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            region_name="us-east-1",
            endpoint_url=self.url,
            aws_access_key_id="lab",
            aws_secret_access_key="lab",  # noqa: S106 - it is none
            config=Config(retries={"total_max_attempts": 1}),
        )


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with Served() as one:
        yield one


def window(minutes: int = 10) -> dict[str, datetime]:
    now = datetime.now(UTC)
    return {"StartTime": now - timedelta(minutes=minutes), "EndTime": now}


def raw(served: Served, path: str, target: str, body: object) -> Any:
    headers = {"content-type": "application/x-amz-json-1.0", "x-amz-target": target}
    answer = httpx2.post(served.url + path, headers=headers, content=json.dumps(body))
    assert answer.status_code == 200, answer.text
    return answer.json()


def fits(shape: Shape, value: Any, path: str = "") -> None:
    """Check a raw answer against botocore's model, member by member; unknown ones are errors."""
    match shape.type_name:
        case "structure":
            assert isinstance(value, dict), path
            assert value.keys() <= shape.members.keys(), (path, value.keys())
            for name in shape.required_members:
                assert value.get(name) is not None, f"{path}.{name}"
            for name, one in value.items():
                fits(shape.members[name], one, f"{path}.{name}")
        case "list":
            assert isinstance(value, list), path
            for one in value[:20]:
                fits(shape.member, one, path + "[]")
        case "map":
            assert isinstance(value, dict), path
            for one in value.values():
                fits(shape.value, one, path + "{}")
        case "string":
            assert isinstance(value, str), path
            assert not shape.enum or value in shape.enum, (path, value)
        case kind:
            assert type(value) in SCALARS.get(kind, (int, float)), (path, value)


def now_seconds() -> float:
    return datetime.now(UTC).timestamp()


def test_raw_answers_fit_botocores_models(served: Served) -> None:
    now = now_seconds()
    span = {"StartTime": now - 300, "EndTime": now}
    xray = MODELS.get_service_model("xray")
    summaries = raw(served, "/TraceSummaries", "", span)
    fits(xray.operation_model("GetTraceSummaries").output_shape, summaries)
    ids = {"TraceIds": [one["Id"] for one in summaries["TraceSummaries"][:5]]}
    fits(xray.operation_model("BatchGetTraces").output_shape, raw(served, "/Traces", "", ids))
    fits(xray.operation_model("GetTraceGraph").output_shape, raw(served, "/TraceGraph", "", ids))
    graph = raw(served, "/ServiceGraph", "", span)
    fits(xray.operation_model("GetServiceGraph").output_shape, graph)
    cloudwatch = MODELS.get_service_model("cloudwatch")
    stat = {
        "Metric": {
            "Namespace": "ContainerInsights",
            "MetricName": "pod_cpu_utilization",
            "Dimensions": CLUSTER,
        },
        "Period": 60,
        "Stat": "p90",
    }
    asked: dict[str, dict[str, Any]] = {
        "ListMetrics": {},
        "GetMetricData": {**span, "MetricDataQueries": [{"Id": "m", "MetricStat": stat}]},
        "GetMetricStatistics": {
            **span,
            **stat["Metric"],  # type: ignore[dict-item]
            "Period": 60,
            "Statistics": ["Average"],
            "ExtendedStatistics": ["p99"],
        },
        "DescribeAlarms": {"AlarmTypes": ["MetricAlarm", "CompositeAlarm"]},
        "DescribeAlarmHistory": {},
    }
    for name, body in asked.items():
        answer = raw(served, "/", f"GraniteServiceVersion20100801.{name}", body)
        fits(cloudwatch.operation_model(name).output_shape, answer)
    logs = MODELS.get_service_model("logs")
    asked = {
        "DescribeLogGroups": {},
        "DescribeLogStreams": {"logGroupName": GROUP},
        "FilterLogEvents": {"logGroupName": GROUP, "limit": 10},
    }
    for name, body in asked.items():
        answer = raw(served, "/", f"Logs_20140328.{name}", body)
        fits(logs.operation_model(name).output_shape, answer)


def test_x_ray_through_boto3(served: Served) -> None:
    xray = served.client("xray")
    pages = xray.get_paginator("get_trace_summaries").paginate(
        **window(), FilterExpression='service("payforadoption-go") AND responsetime > 0.1'
    )
    found = [one for page in pages for one in page["TraceSummaries"]]
    assert len(found) > 20
    assert {one["EntryPoint"]["Name"] for one in found} == {"petsite"}
    traces = xray.batch_get_traces(TraceIds=[one["Id"] for one in found[:5]])["Traces"]
    assert len(traces) == 5
    services = {one["Name"]: one for one in xray.get_service_graph(**window())["Services"]}
    assert services["petsite"]["Root"] is True
    assert services["payforadoption-go"]["SummaryStatistics"]["TotalResponseTime"] > 0
    assert xray.get_trace_graph(TraceIds=[found[0]["Id"]])["Services"]


def test_metrics_through_boto3(served: Served) -> None:
    cloudwatch = served.client("cloudwatch")
    pages = cloudwatch.get_paginator("list_metrics").paginate(Namespace="ContainerInsights")
    names = {one["MetricName"] for page in pages for one in page["Metrics"]}
    assert {
        "pod_cpu_utilization",
        "pod_cpu_utilization_over_pod_limit",
        "pod_memory_utilization_over_pod_limit",
        "pod_network_rx_bytes",
        "node_cpu_utilization",
        "node_memory_utilization",
        "cluster_failed_node_count",
        "cluster_node_count",
        "service_number_of_running_pods",
        "namespace_number_of_running_pods",
        "pod_number_of_container_restarts",
    } <= names
    cloudwatch.put_metric_data(
        Namespace="Own", MetricData=[{"MetricName": "depth", "Value": 3, "Unit": "Count"}]
    )
    answer = cloudwatch.get_metric_statistics(
        Namespace="Own",
        MetricName="depth",
        Period=60,
        Statistics=["Maximum"],
        StartTime=window()["StartTime"],
        EndTime=window()["EndTime"] + timedelta(minutes=1),
    )
    assert [one["Maximum"] for one in answer["Datapoints"]] == [3.0]


def test_alarms_through_boto3_reach_eventbridge(served: Served) -> None:
    cloudwatch = served.client("cloudwatch")
    name = "default-petsite-memory"
    cloudwatch.put_composite_alarm(AlarmName="whole", AlarmRule=f'ALARM("{name}")')
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="a drill")
    changed = [
        (one["detail"]["alarmName"], one["detail"]["state"]["value"]) for one in served.events
    ]
    assert (name, "ALARM") in changed
    assert ("whole", "ALARM") in changed
    both = cloudwatch.describe_alarms(AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    assert {one["AlarmName"] for one in both["CompositeAlarms"]} == {"whole"}
    assert any(one["StateValue"] == "ALARM" for one in both["MetricAlarms"])
    history = cloudwatch.describe_alarm_history(AlarmName=name)["AlarmHistoryItems"]
    assert history[0]["HistorySummary"] == "Alarm updated from OK to ALARM"
    cloudwatch.delete_alarms(AlarmNames=["whole"])


def test_logs_through_boto3(served: Served) -> None:
    logs = served.client("logs")
    groups = logs.describe_log_groups(logGroupNamePrefix="/aws/containerinsights")["logGroups"]
    assert [one["logGroupName"].rpartition("/")[2] for one in groups][:2] == [
        "application",
        "performance",
    ]
    stream = logs.describe_log_streams(logGroupName=GROUP)["logStreams"][0]["logStreamName"]
    events = logs.get_log_events(
        logGroupName=GROUP, logStreamName=stream, limit=3, startFromHead=True
    )
    assert len(events["events"]) == 3
    more = logs.get_log_events(
        logGroupName=GROUP, logStreamName=stream, limit=3, nextToken=events["nextForwardToken"]
    )
    assert more["events"][0]["timestamp"] >= events["events"][-1]["timestamp"]
    start = int((now_seconds() - 600) * 1000)
    pages = logs.get_paginator("filter_log_events").paginate(
        logGroupName=GROUP,
        startTime=start,
        filterPattern='"requests answered"',
        PaginationConfig={"PageSize": 200},
    )
    assert sum(len(page["events"]) for page in pages) > 100
    text = "filter Type='Pod' | stats p95(pod_cpu_utilization) as cpu by bin(5m), Service"
    query_id = logs.start_query(
        logGroupName=RECORDS, startTime=start // 1000, endTime=int(now_seconds()), queryString=text
    )["queryId"]
    found = logs.get_query_results(queryId=query_id)
    assert found["status"] == "Complete"
    assert {"field": "Service", "value": "petsite"} in [
        one for row in found["results"] for one in row
    ]
    other = logs.start_query(
        logGroupName=GROUP, startTime=0, endTime=int(now_seconds()), queryString="fields @message"
    )
    assert logs.stop_query(queryId=other["queryId"])["success"] is True


Bad = tuple[str, str, dict[str, Any], str]
BAD: list[Bad] = [
    ("xray", "get_trace_summaries", {"FilterExpression": "("}, "InvalidRequestException"),
    ("xray", "batch_get_traces", {"TraceIds": ["x"] * 9}, "InvalidRequestException"),
    ("cloudwatch", "get_metric_data", {"MetricDataQueries": []}, "ValidationError"),
    ("cloudwatch", "list_metrics", {"NextToken": "x"}, "InvalidNextToken"),
    (
        "cloudwatch",
        "set_alarm_state",
        {"AlarmName": "no", "StateValue": "OK", "StateReason": "x"},
        "ResourceNotFound",
    ),
    ("cloudwatch", "list_dashboards", {}, "UnknownOperationException"),
    ("logs", "describe_log_streams", {"logGroupName": "no"}, "ResourceNotFoundException"),
    ("logs", "get_query_results", {"queryId": "no"}, "ResourceNotFoundException"),
    (
        "logs",
        "start_query",
        {"logGroupName": GROUP, "startTime": 0, "endTime": 1, "queryString": "nonsense"},
        "MalformedQueryException",
    ),
]


@pytest.mark.parametrize(("service", "operation", "arguments", "code"), BAD)
def test_bad_requests_get_the_services_own_errors(
    served: Served, service: str, operation: str, arguments: dict[str, Any], code: str
) -> None:
    times = window() if operation in {"get_trace_summaries", "get_metric_data"} else {}
    with pytest.raises(ClientError) as refused:
        getattr(served.client(service), operation)(**times, **arguments)
    assert refused.value.response["Error"]["Code"] == code
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] < 500


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["Name", "Value", "Id", "Metric", "Stat"]), inner, max_size=3
        )
    ),
    max_leaves=6,
)
TARGETS = [
    *(
        f"GraniteServiceVersion20100801.{name}"
        for name in (
            "GetMetricData",
            "GetMetricStatistics",
            "PutMetricAlarm",
            "PutCompositeAlarm",
            "DescribeAlarms",
            "DescribeAlarmHistory",
            "SetAlarmState",
            "ListMetrics",
            "PutMetricData",
        )
    ),
    *(
        f"Logs_20140328.{name}"
        for name in (
            "FilterLogEvents",
            "GetLogEvents",
            "StartQuery",
            "GetQueryResults",
            "DescribeLogGroups",
        )
    ),
    "Nobody.Knows",
    "",
]
NAMES = [
    "MetricDataQueries", "StartTime", "EndTime", "NextToken", "AlarmName", "Threshold", "Period",
    "EvaluationPeriods", "MetricName", "Namespace", "Dimensions", "Statistics", "MetricData",
    "logGroupName", "queryString", "startTime", "endTime", "limit", "queryId", "filterPattern",
    "TraceIds", "FilterExpression", "AlarmRule", "StateValue", "StateReason",
]  # fmt: skip


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    path=st.sampled_from(["/", "/TraceSummaries", "/Traces", "/ServiceGraph", "/TraceGraph", "/x"]),
    target=st.sampled_from(TARGETS),
    body=st.dictionaries(st.sampled_from(NAMES), JSON, max_size=6).map(json.dumps)
    | st.text(max_size=20)
    | st.sampled_from(["[]", "[" * 5000, "null", '{"a":' * 2000]),
)
def test_nonsense_is_never_a_500(served: Served, path: str, target: str, body: str) -> None:
    with httpx2.Client() as client:
        answer = client.post(
            served.url + path, headers={"x-amz-target": target}, content=body.encode()
        )
    assert answer.status_code < 500, answer.text


def test_a_body_that_is_too_big_or_badly_packed_is_refused(served: Served) -> None:
    send: Callable[..., Any] = httpx2.post
    headers = {"x-amz-target": "Logs_20140328.DescribeLogGroups"}
    assert send(served.url, headers=headers, content=b" " * 3_000_000).status_code == 413
    packed = {**headers, "content-encoding": "gzip"}
    assert send(served.url, headers=packed, content=b"no gzip").status_code == 400


async def test_petops_reads_traces_metrics_and_logs_of_the_lab(served: Served) -> None:
    now = datetime.now(UTC)
    span = Window(start=now - timedelta(minutes=5), end=now)
    async with XRayTraces(client=served.client("xray")) as traces:
        found = await traces.find(Wanted(service="payforadoption-go", limit=7), span)
        whole = await traces.whole([one.id for one in found.value])
        graph = await traces.graph(span)
    assert len(found.value) == len(whole.value) == 7
    for trace in whole.value:
        own = trace.own_seconds_by_service()
        assert {"petsite", "petsearch-java", "payforadoption-go", "DynamoDB"} <= own.keys()
        network = trace.seconds - sum(own.values())
        assert 0 <= network < 0.02
    pay = graph.value.node("payforadoption-go")
    assert pay is not None
    assert 0.01 < (pay.own_seconds or 0) < 0.1
    assert ("petsearch-java", "payforadoption-go") in graph.value.calls
    query = CloudWatchQuery(
        id="m",
        namespace="ContainerInsights",
        metric="pod_cpu_utilization",
        dimensions={"ClusterName": "petops-lab"},
        statistic="p90",
    )
    async with CloudWatchMetrics(client=served.client("cloudwatch")) as metrics:
        (series,) = (await metrics.read([query], span)).series
    assert len(series.samples) >= 5
    scope = PodScope(namespace="default", pods=(), prefixes=("petsite",))
    async with LogsInsights("petops-lab", client=served.client("logs")) as logs:
        lines = (await logs.lines(scope, span, containing="answered", limit=9)).value
    assert len(lines) == 9
    assert all(one.pod.startswith("petsite-") for one in lines)
    assert [one.at for one in lines] == sorted((one.at for one in lines), reverse=True)
