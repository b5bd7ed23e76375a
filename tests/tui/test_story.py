"""Traces, calls, lines and runbooks as rows: nothing in them is obeyed, every width is kept."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rich.cells import cell_len

from petops.domain import events as ev
from petops.domain.events import Entry
from petops.domain.incident import Board, Incident
from petops.domain.runbook import Runbook
from petops.domain.traces import ServiceEdge
from petops.domain.tracing import Bar, MapNode, ServiceMap, SlowTraces, Waterfall
from petops.programs.telling import told
from petops.tui.calls import CallRow, call_rows
from petops.tui.drawn import Drawn
from petops.tui.palette import DARK, PALETTES
from petops.tui.plain import fitted_end
from petops.tui.plots import latest
from petops.tui.runbook import CodeRow, runbook_rows
from petops.tui.story import culprit, guilty, story_rows
from petops.tui.timeline import Timeline
from petops.tui.times import Times
from petops.tui.waterfall import BarRow, shortened, trace_rows, waits
from tests.tui.scripted import PROPOSED, STORY
from tests.tui.slow import slow_story

PAINT = PALETTES[DARK]
TIMES = Times()
HOSTILE = "[b]x[/]\x1b[31m\u202e漢字\x07"
PAGE = f"# {HOSTILE}\n- {HOSTILE}\n```\n{HOSTILE}"


def incident() -> Incident:
    (found,) = Board().after(*slow_story()).incidents.values()
    return found


def drawn(rows: list[Drawn], width: int = 100) -> str:
    lines = [line for row in rows for line in row.lines(width, PAINT)]
    return "\n".join(line.plain for line in lines)


@pytest.mark.parametrize("width", [20, 38, 64, 78, 120, 246])
def test_rows_take_the_lines_they_say_and_no_more_cells_than_there_are(width: int) -> None:
    for _, rows in story_rows(incident(), TIMES):
        for row in rows:
            lines = row.lines(width, PAINT)
            assert len(lines) == row.tall(width), row
            assert all(cell_len(one.plain) <= max(width, 40) for one in lines), row
            assert all("\x1b" not in one.plain for one in row.detail(width, PAINT))


def test_the_guilty_bar_is_named_marked_and_gone_to() -> None:
    rows = dict(story_rows(incident(), TIMES))["trace"]
    (guilty,) = [one for one in rows if isinstance(one, BarRow) and one.is_guilty]
    assert guilty.bar.name == "charge the card"
    assert guilty.lines(100, PAINT)[0].plain.startswith("▶")
    assert "has 74% of it to itself" in drawn(list(rows))
    assert culprit(rows) == guilty.key


def test_a_step_is_named_by_its_path_where_the_host_is_the_service() -> None:
    url = "http://pay.default.svc.cluster.local/api/charge?x=1"
    assert shortened(f"pay {url}") == "pay /api/charge?x=1"
    assert shortened("pay https://pay:8080") == "pay /"
    for kept in (f"shop {url}", url, "charge the card", "pay http://payments/x", ""):
        assert shortened(kept) == kept


def test_without_readings_the_suspect_is_whom_slow_requests_waited_for() -> None:
    known = latest(incident(), SlowTraces)
    assert guilty(known) == "payforadoption"
    assert guilty(None) == ""
    (fall,) = known.waterfalls
    elsewhere = replace(fall, guilty=fall.bars[0].id)
    assert guilty(replace(known, waterfalls=(fall, elsewhere))) == ""
    graph = latest(incident(), ServiceMap)
    rows = call_rows(graph, None, guilty(known))
    assert [one.node.service for one in rows if isinstance(one, CallRow) and one.is_suspect] == [
        "payforadoption"
    ]
    assert not any(isinstance(one, CallRow) and one.is_suspect for one in call_rows(graph, None))


def test_a_bar_is_solid_where_nothing_below_it_ran() -> None:
    def bar(name: str, depth: int, start: float, seconds: float) -> Bar:
        return Bar(id=name, service=name, name=name, depth=depth, start_seconds=start,
                   seconds=seconds, own_seconds=seconds)  # fmt: skip

    bars = (bar("a", 0, 0, 10), bar("b", 1, 2, 6), bar("c", 2, 3, 1), bar("d", 0, 9, 1))
    assert waits(bars, 0) == ((2, 8),)
    row = BarRow("a", bars[0], 10, waits(bars, 0), False)
    text = row.lines(118, PAINT)[0].plain
    cells = [one for one in text if one in "█─"]
    assert 0.35 < cells.count("█") / len(cells) < 0.45


def test_the_suspect_stands_in_the_tree_and_a_circle_ends() -> None:
    rows = dict(story_rows(incident(), TIMES))["calls"]
    (suspect,) = [one for one in rows if isinstance(one, CallRow) and one.is_suspect]
    assert suspect.node.service == "payforadoption"
    assert suspect.branch
    assert culprit(rows) == suspect.key
    circle = ServiceMap(
        alarmed="a",
        nodes=(MapNode(service="a"), MapNode(service="b")),
        edges=tuple(
            ServiceEdge(caller=one, callee=two) for one, two in (("a", "b"), ("b", "a"), ("b", "b"))
        ),
    )
    assert [one.node.service for one in call_rows(circle, None) if isinstance(one, CallRow)] == [
        "a",
        "b",
        "a",
    ]


def test_what_was_not_read_leaves_its_pane_empty() -> None:
    (bare,) = Board().after(*STORY[:PROPOSED]).incidents.values()
    counts = {name: len(rows) for name, rows in story_rows(bare, TIMES)}
    assert counts["trace"] == counts["calls"] == counts["runbook"] == 0
    none_slow = trace_rows(SlowTraces(service="pay", looked_at=20), TIMES)
    assert "none was slow" in drawn(list(none_slow))


def test_a_runbook_is_text_and_its_code_can_be_copied() -> None:
    rows = dict(story_rows(incident(), TIMES))["runbook"]
    codes = [one.code for one in rows if isinstance(one, CodeRow)]
    assert codes == ["kubectl exec deploy/payforadoption -- kill -3 1"]
    assert "1. Look whether a deployment" in drawn(list(rows))
    hostile = Runbook(
        name="x", title=HOSTILE, modes=(), text=f"# {HOSTILE}\n- {HOSTILE}\n```\n{HOSTILE}"
    )
    told = drawn(list(runbook_rows((hostile,))))
    assert "\x1b" not in told
    assert "\u202e" not in told
    assert "[b]x[/]" in told


def test_the_timeline_leaves_out_how_far_slack_shows_it() -> None:
    (known,) = Board().after(*STORY[:PROPOSED]).incidents.values()
    rows = Timeline(told, TIMES).rows(known)
    sent = ev.Mirrored(
        at=known.opened_at, surface="slack", part="card", channel="C", message="m", shown=4
    )
    entry = Entry(seq=99, incident=known.id, number=known.number + 1, event=sent)
    shown = Timeline(told, TIMES).rows(known.after(entry))
    assert [one.key for one in shown] == [one.key for one in rows]


def test_names_of_pods_are_cut_at_their_beginning() -> None:
    assert fitted_end("checkout-5d9f8-x2x4k", 9) == "…f8-x2x4k"
    assert fitted_end("checkout", 10) == "checkout  "
    assert all(cell_len(fitted_end("漢字" * 9, width)) == width for width in (0, 1, 2, 7, 8))


def test_hostile_names_are_shown_in_traces_and_calls() -> None:
    bar = Bar(id="1", service=HOSTILE, name=HOSTILE, depth=40, start_seconds=-5, seconds=1e9,
              own_seconds=0, message=HOSTILE, pod=HOSTILE)  # fmt: skip
    fall = Waterfall(trace=HOSTILE, started_at=None, seconds=0, bars=(bar,), guilty="1")
    rows = trace_rows(SlowTraces(service=HOSTILE, waterfalls=(fall,)), TIMES)
    nodes = ServiceMap(alarmed=HOSTILE, nodes=(MapNode(service=HOSTILE),), edges=())
    told = drawn([*rows, *call_rows(nodes, None)])
    assert "\x1b" not in told
    assert "\u202e" not in told
