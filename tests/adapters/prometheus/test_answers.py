"""How long answers are cut, and pages made."""

from __future__ import annotations

from typing import Any

import pytest

from petops.errors import SourceError
from petops.mcp_server.answers import Limits, cut, metric_names, query_answer, targets
from petops.mcp_server.failures import Answered


def series(name: str, samples: int) -> dict[str, Any]:
    return {"metric": {"n": name}, "values": [[second, "1"] for second in range(samples)]}


def names_of(result: list[Any]) -> list[str]:
    return [one["metric"]["n"] for one in result]


def test_an_answer_within_its_limits_is_whole() -> None:
    whole = [series("a", 3), series("b", 3)]
    assert cut(whole, Limits(max_series=2, max_samples=6)) == (whole, None)


@pytest.mark.parametrize(
    ("limits", "kept", "left_off"),
    [
        (Limits(max_series=2), ["a", "b"], (1, 4)),
        (Limits(max_samples=8), ["a", "b"], (1, 4)),
        (Limits(max_samples=3), ["a"], (2, 8)),
    ],
)
def test_what_is_left_off_is_counted(
    limits: Limits, kept: list[str], left_off: tuple[int, int]
) -> None:
    result, said = cut([series("a", 3), series("b", 4), series("c", 4)], limits)
    assert names_of(result) == kept
    assert said is not None
    assert (said["series"], said["samples"]) == left_off


def test_of_one_series_that_is_too_long_the_newest_samples_are_kept() -> None:
    result, said = cut([series("a", 10)], Limits(max_samples=4))
    assert [at for at, _ in result[0]["values"]] == [6, 7, 8, 9]
    assert said is not None
    assert (said["series"], said["samples"]) == (0, 6)


def test_a_query_answer_keeps_warnings_and_scalars() -> None:
    answered = Answered(data={"resultType": "scalar", "result": [1, "NaN"]}, warnings=("partial",))
    answer = query_answer(answered, Limits(max_series=1, max_samples=1))
    assert answer == {"resultType": "scalar", "result": [1, "NaN"], "warnings": ["partial"]}


def test_an_answer_without_a_result_is_refused() -> None:
    with pytest.raises(SourceError):
        query_answer(Answered(data={}), Limits())


def test_metric_names_come_in_pages() -> None:
    names = ("a_total", "b_Total", "c", "d_total")
    page = metric_names(names, Limits(), 2, 1, "TOTAL")
    assert page == {
        "metrics": ["b_Total", "d_total"],
        "total_count": 3,
        "returned_count": 2,
        "offset": 1,
        "has_more": False,
    }
    assert metric_names(names, Limits(max_names=2), 100, -1, None)["has_more"]


def test_targets_leave_out_what_was_discovered() -> None:
    active = [{"health": "down", "discoveredLabels": {"a": "b"}}] * 3
    answer = targets(Answered(data={"activeTargets": active}), Limits(max_targets=2))
    assert answer["activeTargets"] == [{"health": "down"}] * 2
    assert (answer["total_active"], answer["has_more"]) == (3, True)
