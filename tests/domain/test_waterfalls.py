"""Traces as bars to draw, and as where the time went, whatever holes they have."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from petops.domain.traces import Segment, Trace
from petops.domain.waterfalls import MOST_BARS, times_at, waterfall

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def segment(
    own_id: str, start: float, end: float | None, parent: str = "", **more: object
) -> Segment:
    values: dict[str, object] = {
        "id": own_id,
        "parent_id": parent,
        "name": own_id,
        "kind": "AWS::EKS::Container",
        "start": NOON + timedelta(seconds=start),
        "end": None if end is None else NOON + timedelta(seconds=end),
    }
    return Segment(**(values | more))  # type: ignore[arg-type]


def call(own_id: str, start: float, end: float, parent: str, to: str) -> Segment:
    return segment(own_id, start, end, parent, name=to, kind="remote", is_subsegment=True)


PAY = segment("pay", 1.1, 8.9, "c1", pod="pay-1", annotations=(("namespace", "shop"),))
SHOP = Trace(
    id="1-x",
    segments=(
        segment("front", 0, 10, pod="front-1"),
        call("c1", 1, 9, "front", "pay"),
        PAY,
        call("c2", 2, 3, "pay", "table"),
        segment("work", 3, 4, "pay", kind="", is_subsegment=True),
    ),
)


def test_bars_stand_below_their_callers_with_the_time_of_their_own() -> None:
    found = waterfall(SHOP)
    assert [(one.id, one.depth, one.service) for one in found.bars] == [
        ("front", 0, "front"),
        ("c1", 1, "pay"),
        ("pay", 2, "pay"),
        ("c2", 3, "table"),
        ("work", 3, "pay"),
    ]
    pay = found.bars[2]
    assert (pay.start_seconds, round(pay.own_seconds, 3)) == (1.1, 5.8)
    assert found.guilty_bar == pay
    assert (found.seconds, found.left_out, found.has_holes) == (10, 0, False)


def test_the_deepest_failure_is_guilty_whoever_passed_it_on() -> None:
    failed = [replace(one, has_fault=one.id in {"front", "c1", "pay"}) for one in SHOP.segments]
    assert waterfall(Trace(id="1-x", segments=tuple(failed))).guilty == "pay"
    failed[3] = replace(failed[3], has_fault=True)
    assert waterfall(Trace(id="1-x", segments=tuple(failed))).guilty == "c2"


def test_of_many_bars_the_longest_are_kept_and_the_others_counted() -> None:
    many = [call(f"c{one}", one, one + 1 + one / 100, "front", "x") for one in range(100)]
    found = waterfall(Trace(id="1", segments=(segment("front", 0, 200), *many)))
    assert len(found.bars) == MOST_BARS
    assert found.left_out == 101 - MOST_BARS
    assert "c99" in {one.id for one in found.bars}
    assert "c0" not in {one.id for one in found.bars}


def test_holes_are_said() -> None:
    assert waterfall(Trace(id="1", segments=())).has_holes
    assert waterfall(Trace(id="1", segments=(segment("a", 0, None),))).has_holes
    assert waterfall(Trace(id="1", segments=(segment("a", 0, 1, "gone"),))).has_holes
    cyclic = (segment("a", 0, 2, "b"), segment("b", 0, 1, "a"))
    found = waterfall(Trace(id="1", segments=cyclic))
    assert found.has_holes
    assert {one.id for one in found.bars} == {"a", "b"}


def test_time_goes_to_the_pod_whose_it_was_and_to_those_without_segments() -> None:
    found = {(one.service, one.pod): one for one in times_at([SHOP, SHOP])}
    pay = found["pay", "pay-1"]
    assert (pay.requests, pay.namespace) == (2, "shop")
    assert round(pay.seconds, 3) == 7.8
    assert round(pay.own_seconds, 3) == 6.8
    assert found["table", ""].own_seconds == 1
    assert found["front", "front-1"].own_seconds == 2


def test_a_failure_counts_where_it_began() -> None:
    failed = tuple(
        replace(one, has_fault=one.id in {"front", "c1", "pay"}) for one in SHOP.segments
    )
    found = {one.service: one.own_faults for one in times_at([Trace(id="1", segments=failed)])}
    assert found == {"pay": 1, "front": 0, "table": 0}


IDS = st.sampled_from(["a", "b", "c", "d", ""])
SEGMENTS = st.builds(
    segment,
    IDS,
    st.floats(-5, 5),
    st.none() | st.floats(-5, 9),
    IDS,
    is_subsegment=st.booleans(),
    kind=st.sampled_from(["", "remote", "aws"]),
    has_fault=st.booleans(),
)


@given(st.lists(SEGMENTS, max_size=8))
def test_any_trace_can_be_drawn_and_added_up(segments: list[Segment]) -> None:
    trace = Trace(id="1", segments=tuple(segments))
    found = waterfall(trace)
    assert all(one.seconds >= one.own_seconds >= 0 for one in found.bars)
    assert found.guilty == "" or found.guilty_bar is not None
    assert all(one.own_seconds >= 0 for one in times_at([trace]))
