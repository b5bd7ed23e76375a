"""How memory moves: slopes that a leak has and a cache, a warm-up or a saw-tooth has not.

Slopes are Theil and Sen's (the median of the slopes of all pairs), which bear a third of wild
readings.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import combinations, pairwise
from statistics import median

from petops.domain.facts import Lifetime, Reading

# A rise counts when it is more than this share of the limit (or of the peak, where no limit is
# set) ...
NOISE_RATIO = 0.03
# ... and more than this, so that a small process' own breathing is none.
NOISE_MIB = 4.0
# A leak still climbs in the second half of its rise; a warm-up has ended by then.
LATE_SLOPE_RATIO = 0.35
# The share of steps between neighbouring readings that go up while it leaks.
RISING_RATIO = 0.7
MOST_READINGS = 60
# Pearson's r from which on age is taken to explain memory.
ON_A_LINE = 0.9
# A value that did not change for this long is flat; cAdvisor looks every 10 to 15 s.
UNMOVED_SECONDS = 30.0
# Two readings always lie on a line; three that rise evenly hardly do so by chance.
FEWEST_READINGS = 3
# What a program takes in its first seconds is its start, however steep; growth goes on after it.
LONGEST_START_SECONDS = 8.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """How memory rose: since when, how fast, and from and to what. `leaking` is the verdict."""

    leaking: bool
    mib_per_minute: float
    since: datetime
    from_mib: float
    to_mib: float
    readings: int
    seconds: float


def distinct(readings: Sequence[Reading]) -> tuple[Reading, ...]:
    """Leave out repeats of an unchanged value.

    CAdvisor is scraped oftener than it looks, and lingers.
    """
    kept = list(readings[:1])
    for reading in readings[1:]:
        if reading.mib != kept[-1].mib:
            kept.append(reading)
    return tuple(kept)


def thinned(readings: Sequence[Reading], most: int = MOST_READINGS) -> tuple[Reading, ...]:
    """Return at most `most` readings, evenly chosen, the first and the last among them."""
    if len(readings) <= most:
        return tuple(readings)
    stride = (len(readings) - 1) / (most - 1)
    return tuple(readings[round(index * stride)] for index in range(most))


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Return the Theil-Sen slope of (seconds, MiB) points in MiB a minute.

    0 where none can be had.
    """
    slopes = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in combinations(points, 2) if b[0] > a[0]]
    return median(slopes) * 60 if slopes else 0.0


def growth(life: Lifetime) -> Growth | None:
    """Return how the memory of one lifetime rose since it last stood low.

    None without two readings.
    """
    if len(life.readings) < 2:
        return _unmoved(life)
    values = [reading.mib for reading in life.readings]
    noise = noise_mib(life)
    low = max(i for i, value in enumerate(values) if value <= min(values) + noise)
    before, tail = values[: low + 1], life.readings[low:]
    new_ground = values[-1] > max(before) + noise
    points = [((one.at - tail[0].at).total_seconds(), one.mib) for one in tail]
    rate = slope(points)
    leaking = (
        new_ground
        and len(tail) >= FEWEST_READINGS
        and values[-1] - tail[0].mib > 2 * noise
        and rising_ratio(tail) >= RISING_RATIO
        and _still_climbs(points, rate, noise)
    )
    return Growth(
        leaking=leaking,
        mib_per_minute=rate,
        since=tail[0].at,
        from_mib=tail[0].mib,
        to_mib=values[-1],
        readings=len(tail),
        seconds=points[-1][0],
    )


def _unmoved(life: Lifetime) -> Growth | None:
    """Return no growth where one value was seen again and again in a container that lives."""
    seconds = (life.seen_until - life.readings[0].at).total_seconds() if life.readings else 0.0
    if not life.alive or seconds < UNMOVED_SECONDS:
        return None
    mib = life.readings[0].mib
    return Growth(
        leaking=False,
        mib_per_minute=0.0,
        since=life.readings[0].at,
        from_mib=mib,
        to_mib=mib,
        readings=1,
        seconds=seconds,
    )


def pooled(lives: Iterable[Lifetime]) -> Growth | None:
    """Return growth over the age of the container, all lifetimes laid over each other.

    Where each lifetime is too short for more than one or two readings, a leak still shows: every
    lifetime lies on the same line. None with fewer than four readings of known age.
    """
    chosen = [life for life in lives if life.started_at is not None]
    points = sorted(
        ((one.at - life.started_at).total_seconds(), one.mib)
        for life in chosen
        for one in life.readings
        if life.started_at is not None
    )
    if len(points) < 4 or len(chosen) < 2:
        return None
    rate = slope(points)
    noise = max(noise_mib(life) for life in chosen)
    rise = max(mib for _, mib in points) - min(mib for _, mib in points)
    climbs = _still_climbs(points, rate, noise)
    outlasts_start = points[-1][0] - points[0][0] >= LONGEST_START_SECONDS
    leaking = rate > 0 and rise > 4 * noise and _on_a_line(points) and climbs and outlasts_start
    return Growth(
        leaking=leaking,
        mib_per_minute=rate,
        since=min(life.started_at for life in chosen if life.started_at is not None),
        from_mib=points[0][1],
        to_mib=max(mib for _, mib in points),
        readings=len(points),
        seconds=points[-1][0] - points[0][0],
    )


def noise_mib(life: Lifetime) -> float:
    """Return how far this lifetime's memory may move without that meaning anything."""
    return max(NOISE_MIB, NOISE_RATIO * (life.limit_mib or max(one.mib for one in life.readings)))


def rising_ratio(readings: Sequence[Reading]) -> float:
    """Return the share of steps between neighbouring readings that went up."""
    steps = [b.mib > a.mib for a, b in pairwise(readings)]
    return sum(steps) / len(steps) if steps else 0.0


def is_flat(life: Lifetime) -> bool:
    """Say whether the lifetime was long enough to see growth, and had none."""
    found = growth(life)
    if found is None or found.leaking:
        return False
    return found.to_mib - found.from_mib <= 2 * noise_mib(life)


def seconds_until(limit_mib: float | None, now_mib: float, mib_per_minute: float) -> float | None:
    """Return how long growth takes to reach the limit.

    None where it never will or no limit is known.
    """
    if limit_mib is None or mib_per_minute <= 0:
        return None
    return max(0.0, (limit_mib - now_mib) / mib_per_minute * 60)


def at_limit(latest: Reading, limit_mib: float | None, mib_per_minute: float) -> datetime | None:
    """Return when growth from `latest` on reaches the limit."""
    seconds = seconds_until(limit_mib, latest.mib, mib_per_minute)
    return None if seconds is None else latest.at + timedelta(seconds=seconds)


def _still_climbs(points: Sequence[tuple[float, float]], rate: float, noise: float) -> bool:
    """Say whether the later half (by time) rises at a good part of the whole's rate, and at all.

    A start's jump with hardly a breath after it has a median slope of next to nothing, which any
    breath keeps up with.
    """
    middle = (points[0][0] + points[-1][0]) / 2
    late = [point for point in points if point[0] >= middle]
    if len(late) < 2:
        late = list(points[-2:])
    return slope(late) >= LATE_SLOPE_RATIO * rate > 0 and late[-1][1] - late[0][1] > noise


def _on_a_line(points: Sequence[tuple[float, float]]) -> bool:
    """Say whether age explains most of the memory: Pearson's r of at least 0.9."""
    count = len(points)
    mean_x = sum(x for x, _ in points) / count
    mean_y = sum(y for _, y in points) / count
    xy = sum((x - mean_x) * (y - mean_y) for x, y in points)
    xx = sum((x - mean_x) ** 2 for x, _ in points)
    yy = sum((y - mean_y) ** 2 for _, y in points)
    return bool(xx > 0 and yy > 0 and xy / (xx * yy) ** 0.5 >= ON_A_LINE)
