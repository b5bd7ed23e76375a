"""`PrometheusMcp`: what it asks, and how it reads what real clusters answered."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from mcp_types import CallToolResult, TextContent

from petops.domain.evidence import PodScope, Sample, Series, Signal, Window
from petops.errors import SourceError
from petops.sources.mcp_answers import content, unwrapped
from petops.sources.prometheus_mcp import SELECTORS, PrometheusMcp, once, parse_matrix, range_query

RECORDINGS = Path(__file__).parents[2] / "recordings" / "oomkill" / "prometheus"
WINDOW = Window.before(datetime(2026, 11, 23, 5, 0, 0, 250_000, UTC), timedelta(minutes=30))
SCOPE = PodScope(namespace="shop", pods=("orders-api-1", "orders.api-2"))


def recorded(name: str) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((RECORDINGS / f"{name}.json").read_text())["response"]["data"]
    return data


class Answers:
    """A caller that answers everything alike."""

    def __init__(self, answer: Mapping[str, Any]) -> None:
        self.answer = answer
        self.calls: list[tuple[str, Mapping[str, Any]]] = []

    async def call(
        self, tool: str, arguments: Mapping[str, Any], timeout_seconds: float
    ) -> Mapping[str, Any]:
        assert timeout_seconds <= 10
        self.calls.append((tool, arguments))
        return self.answer


async def test_it_asks_for_raw_samples_up_to_the_windows_end() -> None:
    server = Answers(recorded("memory_limit.range"))
    readings = await PrometheusMcp(server).read(Signal.MEMORY_RSS_BYTES, SCOPE, WINDOW)
    query = (
        'container_memory_rss{namespace="shop",pod=~"orders-api-1|orders[.]api-2",'
        'container!="",container!="POD",image!=""}[1800s]'
    )
    assert server.calls == [("execute_query", {"query": query, "time": "1795410000.250"})]
    assert (readings.asked.query, readings.asked.window) == (query, WINDOW)


async def test_recorded_series_keep_their_labels_and_true_times() -> None:
    server = Answers(recorded("memory_working_set.range"))
    readings = await PrometheusMcp(server).read(Signal.MEMORY_WORKING_SET_BYTES, SCOPE, WINDOW)
    first = readings.series[0]
    assert first.label("pod").startswith("orders-api-")
    assert first.label("job") == "cadvisor"
    assert first.samples[0] == Sample(at=datetime.fromtimestamp(1795409936, UTC), value=2_789_376.0)


class WithoutImages(Answers):
    """A server whose series had their `image` dropped."""

    async def call(
        self, tool: str, arguments: Mapping[str, Any], timeout_seconds: float
    ) -> Mapping[str, Any]:
        found = await super().call(tool, arguments, timeout_seconds)
        return {**found, "result": []} if "image" in arguments["query"] else found


async def test_series_without_an_image_are_taken_where_there_are_no_others() -> None:
    server = WithoutImages(recorded("memory_working_set.range"))
    readings = await PrometheusMcp(server).read(Signal.MEMORY_WORKING_SET_BYTES, SCOPE, WINDOW)
    assert len(server.calls) == 2
    assert readings.series
    assert 'container!="POD"}' in readings.asked.query
    with_images = Answers(recorded("memory_working_set.range"))
    await PrometheusMcp(with_images).read(Signal.MEMORY_WORKING_SET_BYTES, SCOPE, WINDOW)
    assert len(with_images.calls) == 1


async def test_no_data_is_no_error() -> None:
    server = Answers({"resultType": "matrix", "result": []})
    readings = await PrometheusMcp(server).read(Signal.REQUESTS_TOTAL, SCOPE, WINDOW)
    assert readings.series == ()


def test_every_signal_has_a_selector() -> None:
    assert set(SELECTORS) == set(Signal)
    for selector in SELECTORS.values():
        assert "{{" not in range_query(selector, SCOPE, WINDOW)


@pytest.mark.parametrize("name", ['a"} or up{a="', "a|b", "A", "", ".*", "a" * 300])
def test_what_is_no_kubernetes_name_is_never_sent(name: str) -> None:
    with pytest.raises(SourceError):
        range_query(
            SELECTORS[Signal.REQUESTS_TOTAL], PodScope(namespace="shop", pods=(name,)), WINDOW
        )


def test_without_pods_nothing_is_asked() -> None:
    with pytest.raises(SourceError, match="no pod"):
        range_query(SELECTORS[Signal.REQUESTS_TOTAL], PodScope(namespace="shop", pods=()), WINDOW)


def test_a_value_that_is_no_number_is_left_out() -> None:
    values = [[1, "NaN"], [2, "+Inf"], [3.25, "4"]]
    (series,) = parse_matrix({"resultType": "matrix", "result": [{"metric": {}, "values": values}]})
    assert series.samples == (Sample(at=datetime.fromtimestamp(3.25, UTC), value=4.0),)


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"resultType": "vector", "result": []},
        {"resultType": "matrix", "result": None},
        {"resultType": "matrix", "result": [{"values": [[1, "1"]]}]},
        {"resultType": "matrix", "result": [{"metric": {}, "values": [["x"]]}]},
        {"resultType": "matrix", "result": ["x"]},
        {"resultType": "matrix", "result": [], "leftOff": {"series": 3, "samples": 12}},
    ],
)
def test_an_answer_that_is_cut_or_strange_is_refused(answer: dict[str, Any]) -> None:
    with pytest.raises(SourceError):
        parse_matrix(answer)


def one(samples: int, **labels: str) -> Series:
    values = (Sample(at=datetime.fromtimestamp(n, UTC), value=0) for n in range(samples))
    return Series(labels=tuple(sorted(labels.items())), samples=tuple(values))


def test_a_container_scraped_by_two_jobs_is_one() -> None:
    short, long = one(2, id="/a", job="kubelet"), one(3, id="/a", job="agent")
    other = one(1, id="/b", job="kubelet")
    distinct_by = SELECTORS[Signal.MEMORY_RSS_BYTES].distinct_by
    assert once([short, long, other], distinct_by) == (long, other)
    assert once([short, long], ()) == (short, long)


def test_the_extra_level_of_other_servers_is_taken_away() -> None:
    vector = {"resultType": "vector", "result": []}
    assert unwrapped({"result": vector}) == vector
    assert unwrapped(vector) == vector
    assert unwrapped({"result": []}) == {"result": []}


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("Error executing tool execute_query: bad", "bad"),
        ("Error executing tool ExecuteQuery", "refused execute_query and gave no reason"),
        ("", "refused execute_query and gave no reason"),
        ("one\n  two", "one two"),
    ],
)
def test_a_refusal_is_told_in_the_servers_words(said: str, told: str) -> None:
    result = CallToolResult(content=[TextContent(type="text", text=said)], is_error=True)
    with pytest.raises(SourceError, match=f"{told}$"):
        content("execute_query", result)


def test_a_server_without_structured_answers_is_read_by_its_text() -> None:
    text = TextContent(type="text", text='{"result": {"resultType": "matrix"}}')
    assert content("execute_query", CallToolResult(content=[text])) == {"resultType": "matrix"}
    with pytest.raises(SourceError, match="not JSON"):
        content("execute_query", CallToolResult(content=[]))


def test_a_prefix_stands_for_all_pods_of_a_replica_set() -> None:
    scope = PodScope(namespace="shop", pods=("web-5-x",), prefixes=("web-4", "web.old-3"))
    query = range_query(SELECTORS[Signal.REQUESTS_TOTAL], scope, WINDOW)
    assert 'pod=~"web-5-x|web-4-[a-z0-9]+|web[.]old-3-[a-z0-9]+"' in query
