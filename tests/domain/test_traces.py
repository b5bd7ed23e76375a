"""Whose time it was: own time of segments, whatever holes a trace has."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from petops.domain.traces import (
    Segment,
    ServiceEdge,
    ServiceGraph,
    ServiceNode,
    Trace,
    covered,
)

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def segment(
    own_id: str,
    start: float,
    end: float | None,
    *,
    parent: str = "",
    name: str = "",
    kind: str = "AWS::EKS::Container",
    sub: bool = False,
) -> Segment:
    return Segment(
        id=own_id,
        parent_id=parent,
        name=name or own_id,
        kind=kind,
        start=NOON + timedelta(seconds=start),
        end=None if end is None else NOON + timedelta(seconds=end),
        is_subsegment=sub,
    )


def call(own_id: str, start: float, end: float, parent: str, name: str) -> Segment:
    return segment(own_id, start, end, parent=parent, name=name, kind="remote", sub=True)


SHOP = Trace(
    id="1-x",
    segments=(
        segment("front", 0, 10),
        call("c1", 1, 6, "front", "search"),
        segment("search", 1.5, 5.5, parent="c1"),
        call("c2", 6, 8, "front", "database"),
        segment("step", 8, 9, parent="front", kind="", sub=True),
    ),
)


def test_own_time_is_the_duration_less_the_childrens() -> None:
    assert SHOP.own_seconds(SHOP.by_id["front"]) == 2
    assert SHOP.own_seconds(SHOP.by_id["search"]) == 4
    assert SHOP.own_seconds(SHOP.by_id["c1"]) == 1


def test_a_service_has_its_steps_and_those_without_segments_have_their_callers_view() -> None:
    assert SHOP.own_seconds_by_service() == {"front": 3, "search": 4, "database": 2}


def test_calls_at_the_same_time_count_once() -> None:
    trace = Trace(
        id="x",
        segments=(
            segment("front", 0, 10),
            call("a", 1, 6, "front", "a"),
            call("b", 2, 4, "front", "b"),
            call("c", 5, 12, "front", "c"),
        ),
    )
    assert trace.own_seconds(trace.by_id["front"]) == 1


def test_what_is_under_way_has_no_time_yet() -> None:
    trace = Trace(id="x", segments=(segment("a", 0, None), call("b", 0, 1, "a", "b")))
    assert trace.own_seconds(trace.by_id["a"]) == 0
    assert trace.seconds == 1
    assert Trace(id="x", segments=()).seconds == 0


def test_a_segment_without_its_parent_is_a_root() -> None:
    trace = Trace(id="x", segments=(segment("a", 0, 2, parent="lost"), segment("b", 0, 1)))
    assert [one.id for one in trace.roots] == ["a", "b"]


def test_a_ring_of_parents_ends() -> None:
    ring = Trace(
        id="x",
        segments=(
            segment("a", 0, 2, parent="b", sub=True, kind=""),
            segment("b", 0, 1, parent="a", sub=True, kind=""),
            segment("c", 0, 1, parent="c"),
        ),
    )
    assert {one.id for one in ring.walk()} == {"a", "b", "c"}
    assert ring.own_seconds_by_service()


@given(
    st.lists(
        st.tuples(
            st.sampled_from("abcdef"),
            st.sampled_from("abcdefgh"),
            st.floats(0, 100),
            st.none() | st.floats(0, 100),
            st.booleans(),
            st.sampled_from(["", "remote", "aws", "AWS::EKS::Container"]),
        ),
        max_size=8,
    )
)
def test_no_trace_breaks_it(
    found: list[tuple[str, str, float, float | None, bool, str]],
) -> None:
    trace = Trace(
        id="x",
        segments=tuple(
            segment(own, start, end, parent=parent, sub=sub, kind=kind)
            for own, parent, start, end, sub, kind in found
        ),
    )
    walked = [one.id for one in trace.walk()]
    assert sorted(walked) == sorted({one.id for one in trace.segments})
    for one in trace.segments:
        assert 0 <= trace.own_seconds(one) <= one.seconds
    assert all(seconds >= 0 for seconds in trace.own_seconds_by_service().values())


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), max_size=10))
def test_the_union_of_spans_is_what_they_cover(spans: list[tuple[int, int]]) -> None:
    seconds = {at for start, end in spans for at in range(start, end)}
    assert covered(spans) == len(seconds)


def test_a_node_has_its_own_time_by_its_edges() -> None:
    edge = ServiceEdge(caller="a", callee="b", requests=10, total_seconds=3.0)
    node = ServiceNode(name="a", requests=10, total_seconds=5.0, edges=(edge,))
    client = ServiceNode(name="a", kind="client")
    assert node.own_seconds == pytest.approx(0.2)
    assert edge.mean_seconds == pytest.approx(0.3)
    assert client.own_seconds is None
    assert client.mean_seconds is None
    graph = ServiceGraph(nodes=(client, node))
    assert graph.node("a") is node
    assert graph.node("c") is None
    assert graph.calls == (("a", "b"),)
