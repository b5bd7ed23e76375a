"""What is unusual is found, and what is only noisy is not."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence

import pytest

from petops.mcp_server.anomalies import Curve, anomalies_of, sibling_anomalies, steps_of, theil_sen
from petops.mcp_server.insights import curves_of, found_in, none_found, of_instant, of_young, shown

MIB = 1024.0**2
POINTS = 181
TIMES = tuple(60.0 * number for number in range(POINTS))
SEEDS = 150
Make = Callable[[random.Random], list[float]]


def seeded(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - the same every time


def white(spread: float) -> Make:
    return lambda chance: [100 * (1 + chance.gauss(0, spread)) for _ in range(POINTS)]


def smoothed(spread: float, width: int) -> Make:
    def make(chance: random.Random) -> list[float]:
        raw = [100 * (1 + chance.gauss(0, spread)) for _ in range(POINTS + width)]
        return [sum(raw[at : at + width]) / width for at in range(POINTS)]

    return make


def wandering(memory: float, spread: float) -> Make:
    def make(chance: random.Random) -> list[float]:
        level, found = 0.0, []
        for _ in range(POINTS):
            level = memory * level + chance.gauss(0, spread)
            found.append(100 * (1 + level))
        return found

    return make


def daily(chance: random.Random) -> list[float]:
    return [100 * (1 + 0.2 * math.sin(at / 5) + chance.gauss(0, 0.02)) for at in range(POINTS)]


def collected(chance: random.Random) -> list[float]:
    """A garbage collector's small teeth."""
    return [100 + at % 15 * 2 + chance.gauss(0, 1) for at in range(POINTS)]


def constant(_: random.Random) -> list[float]:
    return [5.0] * POINTS


STEADY: dict[str, Make] = {
    "white-3%": white(0.03),
    "white-30%": white(0.3),
    "rate-10%": smoothed(0.1, 5),
    "rate-30%": smoothed(0.3, 10),
    "wandering": wandering(0.5, 0.05),
    "wandering-far": wandering(0.9, 0.02),
    "periodic": daily,
    "garbage-collected": collected,
    "constant": constant,
}


@pytest.mark.slow
def test_the_rate_of_false_alarms_on_steady_curves_is_under_one_in_two_hundred() -> None:
    alarms = {
        name: sum(
            anomalies_of(Curve(name, TIMES, tuple(make(seeded(seed))))) is not None
            for seed in range(SEEDS)
        )
        for name, make in STEADY.items()
    }
    assert sum(alarms.values()) / (SEEDS * len(STEADY)) < 0.005, alarms


def leak(at: int, minutes: int = 40, tooth: int = 16) -> float:
    begun = at - (POINTS - 1 - minutes)
    return 140.0 if begun <= 0 else 140.0 + begun % tooth * 23


@pytest.mark.parametrize("seed", range(5))
def test_a_leak_is_told_with_its_pace_and_its_end(seed: int) -> None:
    chance = seeded(seed)
    values = tuple((leak(at) + chance.gauss(0, 3)) * MIB for at in range(POINTS))
    found = anomalies_of(Curve("history", TIMES, values, limit=512 * MIB), 16 * MIB)
    assert found is not None
    assert found.kind == "trend"
    assert found.per_minute / MIB == pytest.approx(23, rel=0.15)
    assert found.limit_in_minutes == pytest.approx(8, abs=3)


@pytest.mark.parametrize("factor", [0.3, 2.0, 10.0])
def test_a_new_level_is_told_from_when_it_began(factor: float) -> None:
    chance = seeded(1)
    values = [100 * (1 + chance.gauss(0, 0.03)) for _ in range(POINTS)]
    values[150:] = [factor * value for value in values[150:]]
    found = anomalies_of(Curve("fx", TIMES, tuple(values)))
    assert found is not None
    assert found.kind in {"shift", "trend"}
    assert abs(found.since - TIMES[150]) <= 300


def test_a_spike_is_no_new_level() -> None:
    chance = seeded(1)
    values = [100 * (1 + chance.gauss(0, 0.02)) for _ in range(POINTS)]
    values[90:93] = [400.0, 420.0, 410.0]
    found = anomalies_of(Curve("fx", TIMES, tuple(values)))
    assert found is not None
    assert (found.kind, found.after) == ("spike", 420.0)


def test_running_at_the_limit_is_told_where_it_is_new() -> None:
    chance = seeded(1)
    early = [75 + chance.gauss(0, 0.2) for _ in range(POINTS - 8)]
    late = [97 + chance.gauss(0, 0.2) for _ in range(8)]
    found = anomalies_of(Curve("fx", TIMES, (*early, *late), limit=100.0))
    assert found is not None
    assert found.kind in {"saturation", "trend", "shift"}


def test_the_odd_one_among_siblings_is_told() -> None:
    curves = [Curve(f"pod-{n}", TIMES[:20], (level,) * 20) for n, level in enumerate((5, 5, 5, 50))]
    assert [one.name for one in sibling_anomalies(curves)] == ["pod-3"]
    assert sibling_anomalies(curves[:3]) == ()


def test_restarts_are_steps() -> None:
    found = steps_of(Curve("pod", TIMES[:4], (1.0, 1.0, 2.0, 3.0)))
    assert found is not None
    assert (found.after, found.since, found.until) == (2.0, 120.0, 180.0)
    assert steps_of(Curve("pod", TIMES[:2], (3.0, 3.0))) is None


def test_one_wild_point_does_not_move_the_slope() -> None:
    values = [float(at) for at in range(30)]
    values[20] = 10_000.0
    assert theil_sen(TIMES[:30], values) == pytest.approx(1.0)


def test_gaps_and_infinities_are_left_out() -> None:
    values = (*(100.0,) * 20, math.nan, math.inf, *(100.0,) * 20)
    assert anomalies_of(Curve("x", TIMES[:42], values)) is None
    assert anomalies_of(Curve("x", TIMES[:3], (1.0, 2.0, 900.0))) is None


def test_an_insight_names_the_workload_once_with_figures() -> None:
    chance = seeded(2)
    rows = [
        {
            "metric": {"pod": pod},
            "values": [
                [at * 60.0, str((leak(at) if pod == "a-1" else 140) * MIB + chance.gauss(0, MIB))]
                for at in range(POINTS)
            ],
        }
        for pod in ("a-1", "b-1")
    ]
    curves = curves_of(rows, lambda labels: labels["pod"])
    told = found_in(curves, "B", "memory", 0.0, {"a-1": "a", "b-1": "b"})
    assert len(told) == 1
    assert told[0].startswith("a: +2")
    assert "MiB a minute" in told[0]


def test_a_counter_that_begins_is_no_news() -> None:
    values = [[at * 60.0, str(min(at, 5) * 20)] for at in range(60)]
    curves = curves_of([{"metric": {"n": "x"}, "values": values}], lambda labels: labels["n"])
    assert anomalies_of(curves[0]) is None


def test_a_quiet_time_is_one_sentence() -> None:
    assert none_found("cpu", 180) == "no anomaly in cpu in the last 3 hours"


def test_values_are_shown_as_people_read_them() -> None:
    assert [shown(23.4 * MIB, "B"), shown(0.063, "ratio"), shown(0.25, "s")] == [
        "23.4 MiB",
        "6.3%",
        "250 ms",
    ]
    result = [{"metric": {"n": n}, "value": [0, v]} for n, v in (("a", "1"), ("b", "NaN"))]
    assert of_instant(result, "", lambda labels: labels["n"]) == []


def young(values: Sequence[float], limit: float | None = 256 * MIB) -> Curve:
    times = tuple(5.0 * number for number in range(len(values)))
    return Curve("api-1", times, tuple(values), limit)


@pytest.mark.parametrize(
    ("values", "limit", "tells"),
    [
        ([(70 + 2.3 * n) * MIB for n in range(60)], 256 * MIB, True),  # on its way to the limit
        ([min(255, 70 + 8 * n) * MIB for n in range(60)], 256 * MIB, True),  # there
        ([min(120, 20 + 8 * n) * MIB for n in range(60)], 256 * MIB, False),  # it has only begun
        ([(70 + 3 * n) * MIB for n in range(60)], None, False),
        ([100 * MIB] * 60, 256 * MIB, False),
    ],
)
def test_what_has_just_begun_is_told_only_where_it_runs_into_its_limit(
    values: Sequence[float], limit: float | None, tells: bool
) -> None:
    assert bool(of_young([young(values, limit)], "B")) is tells
