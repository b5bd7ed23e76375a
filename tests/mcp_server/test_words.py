"""Words, typing errors, and times."""

from __future__ import annotations

import pytest

from petops.mcp_server.question.time_range import Times, times_of
from petops.mcp_server.question.words import Spelling, distance, plain, words_of
from tests.mcp_server.clusters import NOW


@pytest.mark.parametrize(
    ("one", "other", "found"),
    [
        ("memroy", "memory", 1),
        ("payforadopton", "payforadoption", 1),
        ("checkout", "chekout", 1),
        ("latency", "latency", 0),
        ("ledger", "folder", 3),
        ("abcdefgh", "badcfehg", 3),
    ],
)
def test_a_swap_of_neighbours_is_one_error(one: str, other: str, found: int) -> None:
    assert distance(one, other, 2) == found


def test_the_nearest_words_are_found_by_their_pieces() -> None:
    spelling = Spelling(["storefront", "storehouse", "billing"])
    assert spelling.near("storfront") == ("storefront",)
    assert spelling.near("biling") == ("billing",)
    assert spelling.near("something") == ()
    assert spelling.near("bil") == ()


def test_a_digit_is_never_a_typing_error() -> None:
    assert Spelling(["node-pool-12"]).near("node-pool-13") == ()


def test_names_stay_in_one_piece() -> None:
    assert words_of(plain("cpu of ip-10-0-1-1.ec2.internal, please?"))[2] == (
        "ip-10-0-1-1.ec2.internal"
    )
    assert words_of("over 80% or >5") == ("over", "80%", "or", ">", "5")
    assert plain("memory\x00of \u202ecart\u2019s pods") == "memory of cart pods"


@pytest.mark.parametrize(
    ("text", "times", "rest"),
    [
        ("memory over the last hour", Times(window=3600), "memory"),
        ("mem x 30m", Times(window=1800), "mem x"),
        ("p95 since 11:30", Times(window=1800), "p95"),
        ("p95 since 23:00", Times(window=13 * 3600), "p95"),
        ("cpu between 9 and 10", Times(window=3600, until=7200), "cpu"),
        ("cpu from 10am to 11am", Times(window=3600, until=3600), "cpu"),
        ("x yesterday", Times(window=86400, until=43200), "x"),
        ("x an hour ago", Times(ago=3600), "x"),
        ("x at 11:15", Times(ago=2700), "x"),
        ("x now vs half an hour ago", Times(earlier=1800), "x now vs"),
        ("x compared to yesterday", Times(earlier=86400), "x"),
        ("x in the next 2 hours", Times(horizon=7200), "x"),
        (
            "x 10 minutes from now, based on the last 5 minutes",
            Times(horizon=600, base=300),
            "x ,",
        ),
        ("x for the past hour and a half", Times(window=5400), "x"),
        ("x in the last couple of hours", Times(window=7200), "x"),
        ("x between 60 and 30 minutes ago", Times(window=1800, until=1800), "x"),
        ("x from 2h ago to 1h ago", Times(window=3600, until=3600), "x"),
        ("x since 20 minutes ago", Times(window=1200), "x"),
        ("x for the hour before 11:00", Times(window=3600, until=3600), "x"),
        ("pods over 100m cpu", Times(), "pods over 100m cpu"),
        ("latency over 2 seconds", Times(), "latency over 2 seconds"),
        ("network in and out", Times(), "network in and out"),
        ("between 9 and 99", Times(), "between 9 and 99"),
    ],
)
def test_times_are_read_and_taken_out(text: str, times: Times, rest: str) -> None:
    found, left = times_of(text, NOW)
    assert found == times
    assert " ".join(left.split()) == rest
