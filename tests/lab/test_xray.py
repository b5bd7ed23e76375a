"""X-Ray over the lab's traces: filters, documents, summaries, graphs and refusals."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from petops.lab.aws_requests import AwsRefusalError, Given
from petops.lab.spans import Trace
from petops.lab.xray_api import XRay
from petops.lab.xray_documents import documents
from petops.lab.xray_filters import parsed
from petops.lab.xray_graph import service_graph
from petops.lab.xray_parts import Part, Surroundings, parts
from tests.lab.hand_clock import BEGAN
from tests.lab.test_request_model import FRONT, HISTORY, PAY, SEARCH, Shop, own_seconds

pytestmark = pytest.mark.slow

NOW = BEGAN.timestamp()


@pytest.fixture(scope="module")
def shop() -> Shop:
    return Shop(history=timedelta(minutes=12))


@pytest.fixture(scope="module")
def around(shop: Shop) -> Surroundings:
    return Surroundings(shop.world.cluster, shop.world.store.objects("nodes"))


@pytest.fixture(scope="module")
def traces(shop: Shop) -> list[Trace]:
    return shop.last(600)


@pytest.fixture(scope="module")
def every(traces: list[Trace], around: Surroundings) -> list[list[Part]]:
    return [parts(trace, around) for trace in traces]


def chosen(every: list[list[Part]], text: str) -> list[list[Part]]:
    wanted = parsed(text)
    return [one for one in every if wanted(one)]


def part(found: list[Part], name: str) -> Part:
    return next(one for one in found if one.name == name)


def test_a_service_is_chosen_by_its_name(every: list[list[Part]]) -> None:
    found = chosen(every, f'service("{PAY}")')
    assert 0 < len(found) < len(every)
    assert all(any(one.name == PAY for one in trace) for trace in found)
    assert len(chosen(every, f'!service("{PAY}")')) == len(every) - len(found)
    assert chosen(every, f'service(id(name: "{PAY}", type: "AWS::EKS::Container"))') == found
    assert chosen(every, f'service(id(name: "{PAY}", type: "AWS::EC2::Instance"))') == []
    assert chosen(every, "service()") == every


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("responsetime > 0.2", lambda root: root.seconds > 0.2),
        ("duration <= 0.1", lambda root: root.seconds <= 0.1),
        ("responsetime >= 0.1 AND responsetime < 0.2", lambda root: 0.1 <= root.seconds < 0.2),
        ("responsetime < 0.1 OR responsetime > 0.3", lambda root: not 0.1 <= root.seconds <= 0.3),
        ("!(responsetime < 0.1 or fault)", lambda root: root.seconds >= 0.1 and not root.failed),
        ("fault", lambda root: root.failed),
        ("fault = false", lambda root: not root.failed),
        ("ok", lambda root: not root.failed),
        ("error", lambda root: False),
        ("throttle", lambda root: False),
        ("http.status = 500", lambda root: root.failed),
        ("http.status != 500", lambda root: not root.failed),
        ('http.url CONTAINS "PetHistory"', lambda root: root.url.endswith("PetHistory")),
        ('http.url ENDSWITH "/"', lambda root: root.url.endswith("/")),
        ('http.method = "POST"', lambda root: root.method == "POST"),
        ('http.useragent BEGINSWITH "traffic"', lambda root: True),
    ],
)
def test_keywords_are_about_the_root(every: list[list[Part]], text: str, holds: Any) -> None:
    assert chosen(every, text) == [one for one in every if holds(one[0])]


def test_braces_are_about_the_service(every: list[list[Part]]) -> None:
    found = chosen(every, f'service("{PAY}") {{ responsetime > 0.1 }}')
    assert 0 < len(found) < len(chosen(every, f'service("{PAY}")'))
    assert all(part(one, PAY).seconds > 0.1 for one in found)
    assert chosen(every, f'service("{PAY}") {{ !ok AND ok }}') == []


def test_an_edge_is_a_call_from_one_to_the_other(every: list[list[Part]]) -> None:
    assert chosen(every, f'edge("{SEARCH}", "{PAY}")') == chosen(every, f'service("{PAY}")')
    assert chosen(every, f'edge("{PAY}", "{SEARCH}")') == []
    assert chosen(every, f'edge("{PAY}", "{HISTORY}") {{ responsetime > 5 }}') == []
    assert chosen(every, f'edge("{PAY}", "DynamoDB")')


def test_annotations(every: list[list[Part]]) -> None:
    assert chosen(every, 'annotation.cluster = "petops-lab"') == every
    assert chosen(every, 'annotation[namespace] = "default" AND annotation.version') == every
    assert chosen(every, 'annotation.cluster != "petops-lab"') == []
    pod = every[0][0].annotations["pod"]
    found = chosen(every, f'annotation.pod = "{pod}"')
    assert 0 < len(found) < len(every)


@pytest.mark.parametrize(
    "text",
    [
        "responsetime >",
        "responsetime > many",
        "service(",
        'service("x"',
        'edge("x")',
        "nonsense = 3",
        "fault AND",
        "((((",
        "(" * 400 + "fault" + ")" * 400,
        "fault fault",
        "annotation.",
        'service("x") { service("y") }',
        "x" * 3000,
        "fault = maybe",
    ],
)
def test_a_bad_expression_is_refused(text: str) -> None:
    with pytest.raises(AwsRefusalError) as refused:
        parsed(text)
    assert refused.value.code == "InvalidRequestException"


WORDS = ["service", "edge", "(", ")", "{", "}", "AND", "OR", "!", "fault", "=", "3", '"x"', ","]


@given(st.text(max_size=60) | st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join))
def test_any_text_is_a_filter_or_is_refused(text: str) -> None:
    try:
        wanted = parsed(text)
    except AwsRefusalError:
        return
    root = Part(
        name="x",
        type="t",
        caller="c",
        start=0,
        seconds=1,
        failed=False,
        called_seconds=1,
        called_failed=False,
    )
    assert wanted([root]) in {True, False}


def test_documents_are_whole(traces: list[Trace], around: Surroundings) -> None:
    trace = next(one for one in traces if any(s.operation.service == PAY for s in one.root.walk()))
    found = list(documents(trace, around))
    by_id = {one["id"]: one for one in found}
    subsegments = {sub["id"]: (one, sub) for one in found for sub in one.get("subsegments", ())}
    (root,) = [one for one in found if "parent_id" not in one]
    assert root["name"] == FRONT
    for one in found:
        assert one["trace_id"] == trace.id
        assert one["start_time"] <= one["end_time"]
        if one is not root:
            caller, sub = subsegments[one["parent_id"]]
            assert by_id[caller["id"]] is caller
            assert sub["start_time"] <= one["start_time"] <= one["end_time"] <= sub["end_time"]
        if one.get("inferred"):
            assert one["origin"] in {"AWS::DynamoDB::Table", "AWS::SQS::Queue", "Database::SQL"}
        else:
            assert one["origin"] == "AWS::EKS::Container"
            assert set(one["aws"]["eks"]) == {"cluster_name", "pod", "container_id"}
    names = {sub["name"]: sub for _, sub in subsegments.values()}
    assert names["DynamoDB"]["namespace"] == "aws"
    assert names["DynamoDB"]["aws"]["table_name"] == "petadoptions"
    assert names["SQS"]["aws"]["queue_url"].endswith("/111122223333/petadoptions-queue")
    assert names[PAY]["namespace"] == "remote"
    assert names[PAY]["http"]["response"]["status"] == 200


def test_a_graph_adds_up(every: list[list[Part]], traces: list[Trace]) -> None:
    nodes = {one["Name"]: one for one in service_graph(every, "111122223333")}
    names = {one["ReferenceId"]: one["Name"] for one in nodes.values()}
    assert nodes["traffic-generator"]["Type"] == "client"
    assert nodes[FRONT]["Root"] is True
    called = {names[edge["ReferenceId"]] for edge in nodes[PAY]["Edges"]}
    assert called == {"DynamoDB", "SQS", HISTORY}
    front = nodes[FRONT]["SummaryStatistics"]
    assert front["TotalCount"] == len(traces)
    assert front["OkCount"] + front["FaultStatistics"]["TotalCount"] == len(traces)
    assert sum(one["Count"] for one in nodes[FRONT]["ResponseTimeHistogram"]) == len(traces)
    waited = sum(edge["SummaryStatistics"]["TotalResponseTime"] for edge in nodes[FRONT]["Edges"])
    own = sum(own_seconds(trace.root) for trace in traces)
    assert front["TotalResponseTime"] - waited == pytest.approx(own, rel=1e-4)


@pytest.mark.slow
async def test_summaries_come_in_pages_without_gaps_or_twice(shop: Shop) -> None:
    api = XRay(shop.world)
    given: dict[str, Any] = {"StartTime": NOW - 400, "EndTime": NOW}
    ids: list[str] = []
    pages = 0
    while True:
        answer = await api.summaries(Given(given, "InvalidRequestException"))
        ids += [one["Id"] for one in answer["TraceSummaries"]]
        pages += 1
        if "NextToken" not in answer:
            break
        given["NextToken"] = answer["NextToken"]
    assert pages > 2
    assert ids == [one.id for one in shop.last(400)]


async def test_a_summary_names_where_the_time_went(shop: Shop) -> None:
    shop = Shop()
    shop.label(PAY, "burning")
    shop.pass_seconds(240)
    text = f'service("{PAY}") AND responsetime > 1'
    now = shop.world.now.timestamp()
    answer = await XRay(shop.world).summaries(
        Given({"StartTime": now - 100, "EndTime": now, "FilterExpression": text}, "x")
    )
    paths = [
        [service["Name"] for service in cause["Services"]]
        for one in answer["TraceSummaries"]
        for cause in one["ResponseTimeRootCauses"]
    ]
    assert paths
    assert all(path == [FRONT, SEARCH, PAY] for path in paths)


async def test_whole_traces_by_their_ids(shop: Shop, traces: list[Trace]) -> None:
    api = XRay(shop.world)
    ids = [traces[0].id, "1-6553f100-000000000000000000000000", "nonsense"]
    answer = await api.traces(Given({"TraceIds": ids}, "x"))
    assert [one["Id"] for one in answer["Traces"]] == ids[:1]
    assert answer["UnprocessedTraceIds"] == ids[1:]
    for segment in answer["Traces"][0]["Segments"]:
        assert json.loads(segment["Document"])["id"] == segment["Id"]


@pytest.mark.parametrize(
    "given_",
    [
        {},
        {"StartTime": NOW},
        {"StartTime": NOW, "EndTime": NOW - 1},
        {"StartTime": NOW - 30000, "EndTime": NOW},
        {"StartTime": "x", "EndTime": NOW},
        {"StartTime": NOW - 1, "EndTime": NOW, "TimeRangeType": "Never"},
        {"StartTime": NOW - 1, "EndTime": NOW, "NextToken": "x"},
        {"StartTime": NOW - 1, "EndTime": NOW, "FilterExpression": "("},
        {"StartTime": 10**400, "EndTime": NOW},
    ],
)
async def test_bad_requests_are_refused(shop: Shop, given_: dict[str, Any]) -> None:
    with pytest.raises(AwsRefusalError) as refused:
        await XRay(shop.world).summaries(Given(given_, "InvalidRequestException"))
    assert refused.value.code == "InvalidRequestException"


async def test_too_many_ids_are_refused(shop: Shop) -> None:
    with pytest.raises(AwsRefusalError):
        await XRay(shop.world).traces(Given({"TraceIds": ["x"] * 6}, "InvalidRequestException"))


def test_a_node_without_a_machine_has_no_names(shop: Shop) -> None:
    bare = [{"metadata": {"name": "bare"}}, {"metadata": {"name": "odd"}, "spec": {}}]
    around = Surroundings(shop.world.cluster, bare)
    assert around.machine("bare") == around.machine("nobody")
