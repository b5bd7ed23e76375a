"""Traces of a recorded folder, asked for through the production adapter for X-Ray."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from petops.domain.evidence import Window
from petops.domain.traces import Wanted
from petops.errors import SourceError, UsageError
from petops.lab.recorded_traces import RecordedXRay, recorded_traces
from petops.sources.xray import XRayTraces

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
START = NOON.timestamp()
HOUR = Window(start=NOON - timedelta(minutes=30), end=NOON + timedelta(minutes=30))


def segment(own_id: str, name: str, start: float, end: float, **more: Any) -> Any:
    return {
        "id": own_id,
        "name": name,
        "start_time": START + start,
        "end_time": START + end,
        "origin": "AWS::EKS::Container",
        **more,
    }


def call(own_id: str, name: str, start: float, end: float, **more: Any) -> Any:
    made = segment(own_id, name, start, end, namespace="remote", **more)
    made.pop("origin")
    return made


def trace(own_id: str, *documents: Any) -> Any:
    return {
        "Id": own_id,
        "Segments": [{"Id": "s", "Document": json.dumps(one)} for one in documents],
    }


SHOP = trace(
    "1-a",
    segment("f", "front", 0, 3, subsegments=[call("c1", "cart", 0.5, 2.5)], fault=True),
    segment("k", "cart", 0.6, 2.4, parent_id="c1", subsegments=[call("c2", "table", 1, 2)]),
)


async def test_a_recorded_request_is_found_drawn_and_added_up() -> None:
    async with XRayTraces(client=RecordedXRay({"1-a": SHOP})) as traces:
        (brief,) = (await traces.find(Wanted(service="cart"), HOUR)).value
        slow = await traces.find(Wanted(service="cart", slower_than_seconds=1.7), HOUR)
        none = await traces.find(Wanted(service="cart", slower_than_seconds=1.9), HOUR)
        failed = await traces.find(Wanted(service="front", failed=True), HOUR)
        (whole,) = (await traces.whole(["1-a", "1-unknown"])).value
        graph = (await traces.graph(HOUR)).value
        before = await traces.graph(Window.before(HOUR.start, timedelta(hours=1)))
    assert (brief.seconds, brief.has_fault) == (3, True)
    assert brief.services == ("front", "cart", "table")
    assert (len(slow.value), len(none.value), len(failed.value)) == (1, 0, 1)
    assert whole.seconds == 3
    assert graph.calls == (("client", "front"), ("front", "cart"), ("cart", "table"))
    assert before.value.nodes == ()


def test_a_folder_may_hold_one_file_or_many(tmp_path: Path) -> None:
    assert recorded_traces(tmp_path) == {}
    (tmp_path / "traces.json").write_text(json.dumps({"Traces": [SHOP]}))
    (tmp_path / "traces").mkdir()
    (tmp_path / "traces" / "b.json").write_text(json.dumps({**SHOP, "Id": "1-b"}))
    assert set(recorded_traces(tmp_path)) == {"1-a", "1-b"}


@pytest.mark.parametrize("text", ["{", "3", '["x"]', '{"Traces": {}}'])
def test_a_broken_file_is_said_in_one_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "traces.json").write_text(text)
    with pytest.raises(UsageError, match="traces"):
        recorded_traces(tmp_path)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "name", "start_time", "end_time", "parent_id", "subsegments"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=10,
)


@given(st.lists(JSON, max_size=3))
@example([{"subsegments": 1.0, "start_time": 0.0}])
async def test_any_segments_are_read_or_left_out(documents: list[Any]) -> None:
    odd = {"Id": "1-x", "Segments": [{"Document": json.dumps(one)} for one in documents]}
    client = RecordedXRay({"1-x": odd, "1-a": SHOP})
    async with XRayTraces(client=client) as traces:
        assert (await traces.find(Wanted(service="cart"), HOUR)).value
        await traces.whole(["1-x"])
        await traces.graph(HOUR)


async def test_a_filter_that_is_none_is_an_error_of_the_source() -> None:
    with pytest.raises(ValueError, match="filter"):
        RecordedXRay({}).get_trace_summaries(
            StartTime=NOON, EndTime=NOON, FilterExpression="service("
        )
    async with XRayTraces(client=RecordedXRay({})) as traces:
        with pytest.raises(SourceError):
            await traces._calls.call(
                "get_trace_summaries", StartTime=NOON, EndTime=NOON, FilterExpression="("
            )
