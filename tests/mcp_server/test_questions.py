"""The tools that understand words, called in process, on a Prometheus that is a fake."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from mcp import Client

from petops.errors import SourceError
from petops.mcp_server.answers import Limits
from petops.mcp_server.client import PrometheusAccess, PrometheusHttp
from petops.mcp_server.explain import metrics_of, sentences_of
from petops.mcp_server.failures import Answered
from petops.mcp_server.own_metrics import OwnMetrics
from petops.mcp_server.server import build_server
from tests.mcp_server.clusters import NOW, PODS, common

AT = NOW.timestamp()
OURS = {"ask", "compare", "detect_anomalies", "explain_query", "suggest_queries"}


class Fake(PrometheusHttp):
    """Holds the series of a catalogue, and answers every other query with the same result."""

    def __init__(self, *, values: Mapping[str, float] | None = None) -> None:
        super().__init__(PrometheusAccess(url="http://127.0.0.1:1"))
        self.rows = {name: metric.rows for name, metric in common().metrics.items()}
        self.values = {"payout-84c9d7b6f-d5m8v": 5.0} if values is None else values
        self.asked: list[str] = []
        self.error: SourceError | None = None

    async def metric_names(self) -> tuple[str, ...]:
        return tuple(self.rows)

    async def label_values(self, label: str, match: str | None = None) -> tuple[str, ...]:
        del match
        return ("gone-6b9f8d7c5-aaaaa",) if label == "pod" else ()

    async def query(self, query: str, time: str | None = None) -> Answered:
        del time
        self.asked.append(query)
        if query.startswith("group by (__name__"):
            return vector(self._rows(query))
        if self.error is not None:
            raise self.error
        return vector([({"pod": pod}, value) for pod, value in self.values.items()])

    async def query_range(self, query: str, start: str, end: str, step: str) -> Answered:
        self.asked.append(query)
        times = range(int(float(start)), int(float(end)) + 1, int(float(step)))
        result = [
            {"metric": {"pod": pod}, "values": [[at, str(self._at(value, at))] for at in times]}
            for pod, value in self.values.items()
        ]
        return Answered(data={"resultType": "matrix", "result": result})

    def _rows(self, query: str) -> list[tuple[dict[str, str], float]]:
        found = re.search(r'__name__=~"([^"]*)"', query)
        assert found
        return [
            ({"__name__": name, **row}, 1.0)
            for name, rows in self.rows.items()
            if re.fullmatch(found[1], name)
            for row in rows
        ]

    @staticmethod
    def _at(value: float, at: int) -> float:
        """A level that trebles half an hour before the end, where it is over a thousand."""
        return value * 3 if value > 1000 and at > AT - 1800 else value


def vector(rows: Sequence[tuple[dict[str, str], float]]) -> Answered:
    result = [{"metric": labels, "value": [AT, str(value)]} for labels, value in rows]
    return Answered(data={"resultType": "vector", "result": result})


@asynccontextmanager
async def tools(fake: Fake, limits: Limits | None = None) -> AsyncIterator[Client]:
    async with fake, Client(build_server(fake, limits or Limits())) as client:
        yield client


async def called(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    assert isinstance(result.structured_content, dict)
    return result.structured_content


async def test_our_tools_only_read_and_say_what_they_return() -> None:
    async with tools(Fake()) as client:
        listed = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert set(listed) >= OURS
    for name in OURS:
        tool = listed[name]
        assert tool.annotations is not None
        assert tool.annotations.read_only_hint
        assert tool.output_schema is not None
        assert tool.description


async def test_a_question_is_answered_with_its_promql_and_result() -> None:
    async with tools(Fake()) as client:
        answer = await called(client, "ask", question="memory of payout", time=AT)
    assert answer["promql"].startswith("sum by (pod) (container_memory_working_set_bytes")
    assert (answer["kind"], answer["error"], answer["start"]) == ("instant", None, None)
    assert answer["result"][0]["metric"] == {"pod": "payout-84c9d7b6f-d5m8v"}
    assert "payout" in answer["reading"]


async def test_a_refusal_is_an_answer_with_the_nearest() -> None:
    async with tools(Fake()) as client:
        answer = await called(client, "ask", question="memory of payuot-api", time=AT)
    assert answer["promql"] is None
    assert "payuot-api" in answer["error"]
    assert "payout" in answer["nearest"]


@pytest.mark.parametrize(
    "question", ["memory of payout yesterday", "memory of pod gone-6b9f8d7c5-aaaaa"]
)
async def test_no_data_is_a_refusal(question: str) -> None:
    async with tools(Fake(values={})) as client:
        answer = await called(client, "ask", question=question, time=AT)
    assert answer["promql"] is None
    assert "no data" in answer["error"]


async def test_nothing_past_a_bound_is_an_answer() -> None:
    async with tools(Fake(values={})) as client:
        answer = await called(client, "ask", question="pods above 3 cores", time=AT)
    assert (answer["error"], answer["result"]) == (None, [])
    assert answer["insights"]


async def test_prometheus_failing_half_way_is_told() -> None:
    fake = Fake()
    fake.error = SourceError("it went away")
    async with tools(fake) as client:
        answer = await called(client, "ask", question="memory of payout", time=AT)
    assert "it went away" in answer["error"]


async def test_the_catalogue_is_read_once_for_many_questions() -> None:
    fake = Fake()
    async with tools(fake) as client:
        for name in PODS:
            await called(client, "ask", question=f"memory of {name}", time=AT)
    groups = [query for query in fake.asked if query.startswith("group by (__name__")]
    assert len(groups) == len(set(groups))


async def test_answers_are_bounded() -> None:
    fake = Fake(values={f"payout-84c9d7b6f-{n:05}": 1.0 for n in range(20)})
    async with tools(fake, Limits(max_series=3)) as client:
        answer = await called(client, "ask", question="memory of payout", time=AT)
    assert len(answer["result"]) == 3
    assert answer["leftOff"]["series"] == 17


async def test_anomalies_name_the_workload() -> None:
    fake = Fake(values={"payout-84c9d7b6f-d5m8v": 3e8, "vault-0": 900.0})
    async with tools(fake) as client:
        answer = await called(client, "detect_anomalies", measure="memory", time=AT)
        quiet = await called(client, "detect_anomalies", measure="memory", name="vault", time=AT)
    assert len(answer["insights"]) == 1
    assert answer["insights"][0].startswith("payout: ")
    assert answer["kind"] == "range"
    assert quiet["reading"].startswith("anomalies in memory")


async def test_things_and_times_are_compared() -> None:
    async with tools(Fake()) as client:
        things = await called(client, "compare", measure="cpu", names=["cart", "payout"], time=AT)
        times = await called(
            client, "compare", measure="cpu", names=["cart"], earlier="30m", time=AT
        )
        every = await called(client, "compare", measure="p99 latency", names=[], time=AT)
    assert '"workload", "payout"' in things["promql"]
    assert "offset 30m" in times["promql"]
    assert "sum by (le, service)" in every["promql"]


async def test_every_suggested_question_has_an_answer() -> None:
    async with tools(Fake()) as client:
        known = await called(client, "suggest_queries", like="payot", time=AT)
        assert known["names"][0] == "payout"
        assert len(known["questions"]) > 10
        for question in known["questions"]:
            answer = await called(client, "ask", question=question, time=AT)
            assert answer["error"] is None, (question, answer["error"])


async def test_a_time_that_is_none_is_told() -> None:
    async with tools(Fake()) as client:
        result = await client.call_tool("ask", {"question": "memory of payout", "time": "soon"})
    assert result.is_error


async def test_promql_is_explained() -> None:
    query = 'sum by (pod) (rate(http_requests_total{code="500"}[5m] offset 1h)) > 2'
    async with tools(Fake()) as client:
        answer = await called(client, "explain_query", query=query)
        unknown = await called(client, "explain_query", query="nothing_here")
    assert answer["valid"]
    assert answer["unknown_metrics"] == []
    text = " ".join(answer["sentences"])
    for words in ('code="500"', "a second, averaged over 5m", "by pod", "1h earlier", "> 2"):
        assert words in text
    assert unknown["unknown_metrics"] == ["nothing_here"]


def test_strings_and_labels_are_no_metrics() -> None:
    query = 'label_replace(up{a="b_c"}, "x", "$1", "y_z", "") / on (job) group_left () down'
    assert metrics_of(query) == ("up", "down")
    assert sentences_of("1 + 1", ()) == ("it reads no metric",)


async def test_calls_are_counted_by_tool_and_outcome() -> None:
    own, fake = OwnMetrics(), Fake()
    async with fake, Client(build_server(fake, Limits(), own)) as client:
        await called(client, "ask", question="memory of payout", time=AT)
        await client.call_tool("ask", {"question": "x", "time": "soon"})
    text = bytes(own.response().body).decode()
    assert 'petops_mcp_calls_total{outcome="ok",tool="ask"} 1.0' in text
    assert 'petops_mcp_calls_total{outcome="error",tool="ask"} 1.0' in text
    assert 'petops_mcp_call_seconds_count{tool="ask"} 2.0' in text
