"""Long ranges are asked for in parts, which together are the whole, and are told as progress."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any

import pytest
from mcp import Client

from petops.mcp_server.answers import Limits
from petops.mcp_server.failures import Answered
from petops.mcp_server.long_ranges import POINTS_AT_ONCE, joined, parts_of
from petops.mcp_server.server import build_server
from tests.mcp_server.test_questions import Fake

START = 1_768_467_600
LONG = {"query": "m", "start": START, "end": START + 25_000, "step": "10s"}


class Ramp(Fake):
    """Answers a range with the time itself, from a second series that begins in the middle."""

    def __init__(self) -> None:
        super().__init__()
        self.ranges: list[tuple[str, str]] = []
        self.hangs_after = 1_000
        self.hanging = asyncio.Event()

    async def query_range(self, query: str, start: str, end: str, step: str) -> Answered:
        if len(self.ranges) >= self.hangs_after:
            self.hanging.set()
            await asyncio.Event().wait()
        self.ranges.append((start, end))
        first, last, width = float(start), float(end), float(step.rstrip("s"))
        times = [first + number * width for number in range(int((last - first) / width) + 1)]
        pods = {"a": times, "b": [at for at in times if at > START + 15_000]}
        result = [
            {"metric": {"pod": pod}, "values": [[at, str(at)] for at in some]}
            for pod, some in pods.items()
            if some
        ]
        return Answered(data={"resultType": "matrix", "result": result})


async def asked(ramp: Ramp, limits: Limits | None = None, **more: Any) -> Any:
    async with ramp, Client(build_server(ramp, limits or Limits())) as client:
        return await client.call_tool("execute_range_query", LONG, **more)


async def test_each_part_of_a_long_range_is_progress() -> None:
    told: list[tuple[float, float | None]] = []

    async def note(progress: float, total: float | None, message: str | None) -> None:
        assert message
        told.append((progress, total))

    ramp = Ramp()
    await asked(ramp, progress_callback=note)
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert len(ramp.ranges) == 3


async def test_the_parts_together_are_the_whole() -> None:
    ramp = Ramp()
    answer = (await asked(ramp)).structured_content
    whole = await Ramp().query_range("m", str(START), str(START + 25_000), "10s")
    assert answer["result"] == whole.data["result"]
    assert {one["metric"]["pod"]: len(one["values"]) for one in answer["result"]} == {
        "a": 2_501,
        "b": 1_000,
    }


async def test_between_two_parts_a_call_can_be_cancelled() -> None:
    ramp = Ramp()
    ramp.hangs_after = 1
    async with ramp, Client(build_server(ramp, Limits(concurrent_queries=1))) as client:
        call = asyncio.create_task(client.call_tool("execute_range_query", LONG))
        await ramp.hanging.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        ramp.hangs_after = 1_000
        async with asyncio.timeout(5):  # its place is free again
            assert not (await client.call_tool("execute_query", {"query": "up"})).is_error
    assert len(ramp.ranges) == 1


@pytest.mark.slow
async def test_a_range_far_beyond_the_limits_is_given_up_on_the_way() -> None:
    ramp = Ramp()
    answer = await asked(ramp, Limits(max_samples=100))
    assert answer.is_error
    assert "longer step" in str(answer.content)
    assert len(ramp.ranges) == 2


@pytest.mark.parametrize(
    ("query", "start", "end", "step"),
    [
        ("m", "0", "600", "15s"),
        ("m @ end()", "0", "1000000", "15s"),
        ("m", "yesterday", "today", "15s"),
        ("m", "0", "1000000", "soon"),
        ("m", "0", "1000000", "0"),
        ("m", "1000000", "0", "15s"),
        ("m", "0", "1e12", "1s"),  # Prometheus says that this is too much
        ("m", "nan", "10", "1"),
        ("m", "0", "inf", "1"),
    ],
)
def test_what_is_short_or_cannot_be_cut_goes_as_it_is(
    query: str, start: str, end: str, step: str
) -> None:
    assert parts_of(query, start, end, step) == ((start, end),)


@pytest.mark.parametrize("step", ["60", "60s", "1m", "0h1m", "60000ms"])
def test_no_step_is_asked_for_twice_and_none_is_left_out(step: str) -> None:
    found = parts_of("m", "2026-01-01T00:00:00Z", "2026-01-03T00:00:30Z", step)
    edges = [(float(first), float(last)) for first, last in found]
    assert len(edges) == -(-(2 * 1440 + 1) // POINTS_AT_ONCE)
    assert all(after[0] - before[1] == 60 for before, after in pairwise(edges))
    assert edges[-1][1] - edges[0][0] == 2 * 86_400


def test_series_that_come_and_go_are_joined_by_their_labels() -> None:
    one, two = {"metric": {"a": "1"}, "values": [[1, "1"]]}, {"metric": {"a": "2"}, "values": []}
    later = {"metric": {"a": "1"}, "values": [[2, "2"]]}
    assert joined([[one], [two, later]])[0]["values"] == [[1, "1"], [2, "2"]]
