"""X-Ray's answers as domain values, and what becomes of its failures."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError
from hypothesis import given
from hypothesis import strategies as st

from petops.domain.evidence import Window
from petops.domain.traces import Wanted
from petops.errors import ForbiddenError, NotThereError, SourceError
from petops.sources.aws_calls import AwsCalls
from petops.sources.xray import XRayTraces, filter_expression
from petops.sources.xray_documents import parse_graph, parse_summary, parse_trace

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
WINDOW = Window.before(NOON, timedelta(minutes=10))
START = NOON.timestamp()
DOCUMENT = {
    "id": "6b55dcc497934f1a",
    "name": "payforadoption-go",
    "start_time": START,
    "end_time": START + 0.4,
    "parent_id": "70de5b6f19ff9a0a",
    "origin": "AWS::EKS::Container",
    "fault": True,
    "cause": {"exceptions": [{"id": "1", "message": "no connection", "type": "E"}]},
    "http": {"request": {"url": "http://pay/x", "method": "POST"}, "response": {"status": 500}},
    "aws": {"eks": {"cluster_name": "petops-lab", "pod": "pay-1", "container_id": "c1"}},
    "annotations": {"namespace": "default", "try": 2},
    "subsegments": [
        {
            "id": "53995c3f42cd8ad8",
            "name": "DynamoDB",
            "namespace": "aws",
            "start_time": START + 0.1,
            "end_time": START + 0.3,
            "aws": {"operation": "UpdateItem"},
        },
        {"id": "0000000000000001", "name": "work", "start_time": START, "in_progress": True},
    ],
}


def answer(*documents: object) -> dict[str, Any]:
    segments = [{"Id": "x", "Document": json.dumps(one)} for one in documents]
    return {"Id": "1-x-y", "Duration": 1.0, "Segments": segments}


def test_a_document_with_its_subsegments() -> None:
    trace = parse_trace(answer(DOCUMENT))
    pay, database, work = trace.segments
    assert (pay.name, pay.kind, pay.status, pay.pod) == (
        "payforadoption-go",
        "AWS::EKS::Container",
        500,
        "pay-1",
    )
    assert pay.has_fault
    assert pay.message == "no connection"
    assert pay.annotations == (("namespace", "default"), ("try", "2"))
    assert (database.parent_id, database.kind, database.operation) == (pay.id, "aws", "UpdateItem")
    assert database.is_subsegment
    assert work.end is None
    assert work.is_step
    assert trace.own_seconds(pay) == pytest.approx(0.2, abs=1e-5)


def test_what_makes_no_sense_is_left_out() -> None:
    assert parse_trace({}).segments == ()
    assert parse_trace({"Segments": [{"Document": "{"}, None, {"Document": 3}]}).segments == ()
    assert parse_trace(answer({"id": "a"}, {"start_time": 1}, [])).segments == ()
    deep: dict[str, Any] = {"id": "z", "start_time": 1.0}
    for number in range(60):
        deep = {"id": str(number), "start_time": 1.0, "subsegments": [deep]}
    assert len(parse_trace(answer(deep)).segments) == 41


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("id", "name", "start_time", "end_time", "parent_id", "subsegments", "http"),
                    *("aws", "eks", "cause", "exceptions", "annotations", "response", "status"),
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@given(st.lists(JSON, max_size=3))
def test_any_document_is_read_or_left_out(documents: list[Any]) -> None:
    trace = parse_trace(answer(*documents))
    for one in trace.segments:
        assert trace.own_seconds(one) >= 0
    parse_trace(documents)


@given(JSON)
def test_any_summary_or_graph_is_read_or_left_out(found: Any) -> None:
    parse_summary(found)
    parse_summary({"Id": "1-6553f100-x", "Http": found, "ServiceIds": found, "Duration": found})
    parse_graph([found, {"ReferenceId": found, "Edges": [found, {"ReferenceId": found}]}])


def test_a_summary() -> None:
    services = [{"Name": "petsite"}, {"Name": "payforadoption-go"}]
    found = parse_summary(
        {
            "Id": "1-6553f100-x",
            "ResponseTime": 0.7,
            "HasFault": True,
            "Http": {"HttpStatus": 500, "HttpURL": "http://petsite/"},
            "ServiceIds": services,
            "ResponseTimeRootCauses": [{"Services": services}],
        }
    )
    assert found is not None
    assert found.start == datetime.fromtimestamp(0x6553F100, UTC)
    assert (found.seconds, found.has_fault, found.status) == (0.7, True, 500)
    assert found.slow_path == ("petsite", "payforadoption-go")


def test_a_graph() -> None:
    counts = {
        "TotalCount": 10,
        "TotalResponseTime": 4.0,
        "FaultStatistics": {"TotalCount": 2},
        "ErrorStatistics": {"TotalCount": 1, "ThrottleCount": 1},
    }
    edge = {"ReferenceId": 1, "SummaryStatistics": {"TotalCount": 10, "TotalResponseTime": 3.0}}
    graph = parse_graph(
        [
            {
                "ReferenceId": 0,
                "Name": "a",
                "Type": "AWS::EKS::Container",
                "Root": True,
                "SummaryStatistics": counts,
                "Edges": [edge, {"ReferenceId": 9}],
            },
            {"ReferenceId": 1, "Name": "b"},
        ]
    )
    node = graph.node("a")
    assert node is not None
    assert (node.requests, node.faults, node.errors, node.throttles) == (10, 2, 1, 1)
    assert graph.calls == (("a", "b"),)
    assert node.own_seconds == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        (Wanted(), ""),
        (Wanted(service="a"), 'service("a")'),
        (Wanted(service='a"b'), 'service("a\\"b")'),
        (Wanted(service="a", slower_than_seconds=0.5), 'service("a") { responsetime > 0.5 }'),
        (
            Wanted(service="a", slower_than_seconds=10.0, failed=True),
            'service("a") { responsetime > 10 AND fault }',
        ),
        (Wanted(failed=True), "fault"),
    ],
)
def test_what_is_wanted_in_x_rays_words(wanted: Wanted, text: str) -> None:
    assert filter_expression(wanted) == text


class FakeClient:
    """Answers from a list, and remembers what it was asked."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def __getattr__(self, operation: str) -> Any:
        def call(**arguments: Any) -> Any:
            self.asked.append((operation, arguments))
            found = self.answers.pop(0)
            if isinstance(found, Exception):
                raise found
            return found

        return call


async def test_pages_are_read_until_there_are_enough() -> None:
    page = {"TraceSummaries": [{"Id": "1-6553f100-x"}] * 3, "NextToken": "more"}
    client = FakeClient(page, page, page)
    async with XRayTraces(client=client) as traces:
        found = await traces.find(Wanted(service="a", limit=5), WINDOW)
    assert len(found.value) == 5
    assert [arguments.get("NextToken") for _, arguments in client.asked] == [None, "more"]
    (asked,) = found.asked
    assert asked.query == 'GetTraceSummaries service("a")'
    assert asked.window == WINDOW


async def test_whole_traces_come_five_at_a_time() -> None:
    client = FakeClient({"Traces": [answer(DOCUMENT)]}, {"Traces": [answer(DOCUMENT)]})
    async with XRayTraces(client=client) as traces:
        found = await traces.whole([f"1-{number}" for number in range(7)])
    assert len(found.value) == 2
    assert sorted(len(arguments["TraceIds"]) for _, arguments in client.asked) == [2, 5]


async def test_the_graph_of_several_pages_is_one() -> None:
    client = FakeClient(
        {"Services": [{"ReferenceId": 0, "Name": "a"}], "NextToken": "t"},
        {"Services": [{"ReferenceId": 1, "Name": "b", "Edges": [{"ReferenceId": 0}]}]},
    )
    async with XRayTraces(client=client) as traces:
        found = await traces.graph(WINDOW)
    assert found.value.calls == (("b", "a"),)


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "op")


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (refusal("AccessDeniedException"), ForbiddenError),
        (refusal("ExpiredToken"), ForbiddenError),
        (refusal("UnrecognizedClientException"), ForbiddenError),
        (refusal("ResourceNotFoundException"), NotThereError),
        (refusal("ThrottledException"), SourceError),
        (refusal("InvalidRequestException"), SourceError),
        (NoCredentialsError(), ForbiddenError),
        (EndpointConnectionError(endpoint_url="http://x"), SourceError),
    ],
)
async def test_failures_are_ours(failure: Exception, kind: type[SourceError]) -> None:
    async with XRayTraces(client=FakeClient(failure)) as traces:
        with pytest.raises(SourceError) as raised:
            await traces.whole(["1-x"])
    assert type(raised.value) is kind


async def test_an_answer_that_does_not_come_is_not_waited_for() -> None:
    never = threading.Event()

    class Stuck:
        def get_service_graph(self, **_: Any) -> Any:
            never.wait(5)
            return {}

    async with AwsCalls("xray", "X-Ray", client=Stuck(), timeout_seconds=0.05) as calls:
        with pytest.raises(SourceError, match=r"within 0\.05 s"):
            await calls.call("get_service_graph")
    never.set()
