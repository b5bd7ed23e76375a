"""Answers as people see them."""

from __future__ import annotations

import pytest

from petops.mcp_server.insights import clock, shown
from petops.programs.asking_prompt import completions
from petops.programs.asking_shown import name_of, show
from petops.programs.charts import Curve, chart

TIMES = [1_768_474_800.0 + 60 * number for number in range(60)]


def drawn(count: int) -> str:
    curves = [Curve(f"pod-{n}", TIMES, [100.0 + n * at for at in range(60)]) for n in range(count)]
    return chart(curves, width=70, height=12, scale=lambda value: shown(value, ""), colour=False)


def test_a_chart_has_its_times_names_and_no_colour_codes() -> None:
    text = drawn(2)
    assert "11:00" in text
    assert "pod-0" in text
    assert "pod-1" in text
    assert "\x1b" not in text
    assert all(len(line) <= 70 for line in text.splitlines())


def test_a_chart_stays_readable_and_says_what_it_leaves_out() -> None:
    assert "and 3 more, not drawn" in drawn(9)
    assert not chart([], width=70, height=12, scale=str, colour=False)


def test_charts_do_not_remember_each_other() -> None:
    assert "pod-1" not in (drawn(2) and drawn(1))


def test_a_flat_curve_can_be_drawn() -> None:
    assert chart([Curve("x", TIMES, [0.0] * 60)], width=70, height=12, scale=str, colour=True)


def test_a_table_has_the_promql_and_the_insights_under_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show(
        {
            "error": None,
            "kind": "instant",
            "unit": "B",
            "resultType": "vector",
            "result": [
                {"metric": {"pod": "a\x1b[31m"}, "value": [0, "1048576"]},
                {"metric": {"pod": "b"}, "value": [0, "NaN"]},
            ],
            "insights": ["a: something"],
            "reading": "memory by pod",
            "promql": "up",
        }
    )
    text = capsys.readouterr().out
    assert "1 MiB" in text
    assert "\x1b" not in text
    assert text.index("1 MiB") < text.index("a: something") < text.index("PromQL: up")


def test_why_there_is_no_answer_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    show({"error": "no such pod", "nearest": ["a", "b"]})
    caught = capsys.readouterr()
    assert not caught.out
    assert "error: no such pod" in caught.err
    assert "a; b" in caught.err


def test_a_series_is_named_by_what_tells_most() -> None:
    assert name_of({"pod": "a", "namespace": "n"}) == "a"
    assert name_of({"service": "s", "quantile": "0.5"}) == "s 0.5"
    assert name_of({}) == "the total"


def test_names_are_completed_by_their_beginning_else_by_a_part() -> None:
    names = ["cart", "cart-admin", "payout"]
    assert completions(names, "ca") == ["cart", "cart-admin"]
    assert completions(names, "adm") == ["cart-admin"]


def test_a_time_of_day_says_its_zone() -> None:
    assert clock(1_800_000_000.0) == "08:00Z"
