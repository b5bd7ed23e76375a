"""Growth that is a leak, and growth that only looks like one."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as some

from petops.domain.facts import Lifetime, Reading
from petops.playbooks.growth import distinct, growth, is_flat, pooled, slope, thinned
from tests.recorded import deployment
from tests.virtual import BEGAN


def life(
    values: Sequence[float], *, every: float = 12.0, limit: float | None = 256.0, start: float = 0
) -> Lifetime:
    readings = tuple(
        Reading(at=BEGAN + timedelta(seconds=start + every * index), mib=value)
        for index, value in enumerate(values)
    )
    return Lifetime(
        pod="pod",
        container="app",
        container_id=f"id-{start}",
        owner=deployment("shop", "checkout"),
        revision="a",
        started_at=BEGAN + timedelta(seconds=start),
        alive=True,
        limit_mib=limit,
        seen_until=readings[-1].at,
        readings=distinct(readings),
    )


def wobble(count: int, level: float, width: float, seed: int) -> list[float]:
    chance = random.Random(seed)  # noqa: S311 - noise for a test
    return [level + chance.uniform(-width, width) for _ in range(count)]


@pytest.mark.parametrize("seed", range(20))
def test_a_leak_is_seen_through_noise_at_its_rate(seed: int) -> None:
    noise = wobble(12, 0.0, 2.0, seed)
    found = growth(life([90 + 7.2 * index + noise[index] for index in range(12)]))
    assert found is not None
    assert found.leaking
    assert found.mib_per_minute == pytest.approx(36, rel=0.12)


@pytest.mark.parametrize("seed", range(40))
def test_a_steady_process_does_not_leak(seed: int) -> None:
    found = life(wobble(60, 120, 3.0, seed))
    assert growth(found) is not None
    assert not growth(found).leaking  # type: ignore[union-attr]
    assert is_flat(found)


def test_a_warm_up_does_not_leak() -> None:
    for values in ([2, 60, 110, 112, 112.5, 113, 112.8], [2, 90, 90.4], [10, 100, 101, 100.5]):
        found = growth(life(values))
        assert found is not None
        assert not found.leaking, values


@pytest.mark.parametrize("seed", range(40))
def test_a_start_with_a_breath_after_it_does_not_leak(seed: int) -> None:
    breath = wobble(9, 0.0, 0.6, seed)
    values = [2.0, *(84.0 + 0.2 * index + one for index, one in enumerate(breath))]
    found = growth(life(values))
    assert found is not None
    assert not found.leaking


def test_a_saw_tooth_of_garbage_collection_does_not_leak() -> None:
    tooth = [100 + 8 * (index % 8) for index in range(45)]
    found = growth(life(tooth))
    assert found is not None
    assert not found.leaking


def test_a_leak_that_begins_in_mid_life_is_timed_from_its_beginning() -> None:
    values = wobble(30, 90, 1.0, 7) + [90 + 6 * index for index in range(1, 15)]
    found = growth(life(values))
    assert found is not None
    assert found.leaking
    assert found.mib_per_minute == pytest.approx(30, rel=0.15)
    assert found.since >= BEGAN + timedelta(seconds=12 * 27)


def test_lifetimes_too_short_for_the_cadence_show_the_leak_by_age() -> None:
    lives = [
        life([3 + 3 * offset, 3 + 3 * (offset + 10)], every=10, start=40 * index)
        for index, offset in enumerate((0, 4, 2, 5))
    ]
    aged = [
        Lifetime(
            **{
                **{name: getattr(one, name) for name in one.__slots__},
                "started_at": one.readings[0].at - timedelta(seconds=offset),
            }
        )
        for one, offset in zip(lives, (0, 4, 2, 5), strict=True)
    ]
    found = pooled(aged)
    assert found is not None
    assert found.leaking
    assert found.mib_per_minute == pytest.approx(180, rel=0.05)


def test_one_reading_says_nothing() -> None:
    assert growth(life([100.0])) is None


@given(some.lists(some.floats(0.1, 1e6), min_size=2, max_size=80))
def test_growth_never_fails_and_thinning_keeps_the_ends(values: list[float]) -> None:
    found = life(values, limit=None)
    growth(found)
    kept = thinned(found.readings, 20)
    assert len(kept) <= 20
    assert kept[0] == found.readings[0]
    assert kept[-1] == found.readings[-1]


def test_the_slope_bears_wild_readings() -> None:
    points = [(float(index), 2.0 * index) for index in range(20)]
    points[5] = (5.0, 900.0)
    points[11] = (11.0, -300.0)
    assert slope(points) == pytest.approx(120.0, rel=0.02)
