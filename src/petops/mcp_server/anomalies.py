"""What is unusual in a curve: against its own past and against its siblings. Pure and robust.

Rule: a change must be far outside the noise *and* large beside the usual level; a curve that is
only noisy gives nothing.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final, Literal

Kind = Literal["trend", "shift", "spike", "saturation", "steps", "sibling"]

_MAD_TO_SIGMA: Final = 1.4826
_FEWEST_POINTS: Final = 12
_SEGMENT_POINTS: Final = 5
_SHIFT_SIGMAS: Final = 6.0
_SHIFT_SHARE: Final = 0.3
_SPIKE_SIGMAS: Final = 9.0
_SPIKE_SHARE: Final = 0.6
_TREND_SIGMAS: Final = 6.0
_TREND_SHARE: Final = 0.25
_FULL_RATIO: Final = 0.95
_SIBLING_SHARE: Final = 1.0
_FEWEST_SIBLINGS: Final = 3
_MOST_PAIRS_POINTS: Final = 120
_SECONDS_A_MINUTE: Final = 60.0


@dataclass(frozen=True, slots=True)
class Curve:
    """One series: times in seconds, values, and the bound that it cannot pass, if any."""

    name: str
    times: tuple[float, ...]
    values: tuple[float, ...]
    limit: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Anomaly:
    """One finding. `before` and `after` are levels, `per_minute` a slope, `since` Unix seconds."""

    name: str
    kind: Kind
    since: float
    until: float
    before: float
    after: float
    per_minute: float = 0.0
    limit_in_minutes: float | None = None
    score: float = 0.0


def anomalies_of(curve: Curve, floor: float = 0.0) -> Anomaly | None:
    """Return the most telling anomaly of a curve; changes below `floor` are never one."""
    points = [(t, v) for t, v in zip(curve.times, curve.values, strict=True) if math.isfinite(v)]
    if len(points) < _FEWEST_POINTS:
        return None
    times, values = [t for t, _ in points], [v for _, v in points]
    found = (
        _trend(curve, times, values, floor),
        _shift(curve, times, values, floor),
        _spike(curve, times, values, floor),
        _full(curve, times, values),
    )
    return next((one for one in found if one is not None), None)


def sibling_anomalies(curves: Sequence[Curve], floor: float = 0.0) -> tuple[Anomaly, ...]:
    """Return curves that run far from where their siblings, which agree, run."""
    levels = {one.name: median(one.values[-_SEGMENT_POINTS:]) for one in curves if one.values}
    if len(levels) < _FEWEST_SIBLINGS:
        return ()
    found = []
    for curve in curves:
        others = [level for name, level in levels.items() if name != curve.name]
        if curve.name not in levels:
            continue
        middle, spread = median(others), max(others) - min(others)
        off = levels[curve.name] - middle
        if abs(off) > max(_SIBLING_SHARE * abs(middle), 3 * spread, floor) and middle:
            found.append(
                Anomaly(
                    name=curve.name,
                    kind="sibling",
                    since=curve.times[0],
                    until=curve.times[-1],
                    before=middle,
                    after=levels[curve.name],
                    score=abs(off / middle),
                )
            )
    return tuple(found) if len(found) == 1 else ()


def steps_of(curve: Curve) -> Anomaly | None:
    """Return how often a counter of rare events has stepped up."""
    rises = [
        (at, after - before)
        for at, before, after in zip(curve.times[1:], curve.values, curve.values[1:], strict=False)
        if after > before
    ]
    if not rises:
        return None
    total = sum(rise for _, rise in rises)
    return Anomaly(
        name=curve.name,
        kind="steps",
        since=rises[0][0],
        until=rises[-1][0],
        before=0.0,
        after=total,
        score=total,
    )


def noise(values: Sequence[float]) -> float:
    """Return the standard deviation of the noise: of differences, so that no shift counts."""
    if len(values) < 3:
        return 0.0
    steps = [after - before for before, after in itertools.pairwise(values)]
    middle = median(steps)
    quick = _MAD_TO_SIGMA * median(abs(step - middle) for step in steps) / math.sqrt(2)
    # Smoothed rates wander slowly: their neighbours say too little.
    apart = values[::5]
    wide = [after - before for before, after in itertools.pairwise(apart)]
    if len(wide) < _SEGMENT_POINTS:
        return quick
    slow = _MAD_TO_SIGMA * median(abs(step - median(wide)) for step in wide) / math.sqrt(2)
    return max(quick, min(slow, 4 * quick) if quick else 0.0)


def theil_sen(times: Sequence[float], values: Sequence[float]) -> float:
    """Return the median of all slopes, a minute."""
    stride = max(1, len(times) // _MOST_PAIRS_POINTS)
    points = list(zip(times, values, strict=True))[::stride]
    slopes = [
        (after - before) / (later - earlier)
        for i, (earlier, before) in enumerate(points)
        for later, after in points[i + 1 :]
        if later > earlier
    ]
    return median(slopes) * _SECONDS_A_MINUTE if slopes else 0.0


def _trend(curve: Curve, times: list[float], values: list[float], floor: float) -> Anomaly | None:
    """Find a climb that lasts until now; of one broken by restarts, the last tooth."""
    spread = noise(values)
    start = _climb_start(values, spread)
    length = len(values) - start
    if length < _SEGMENT_POINTS:
        return None
    some_times, some = times[start:], values[start:]
    slope = theil_sen(some_times, some)
    minutes = (some_times[-1] - some_times[0]) / _SECONDS_A_MINUTE
    gain = slope * minutes
    usual = abs(median(values[: max(start, 1)])) if start >= _SEGMENT_POINTS else abs(some[0])
    # The noise of a slope falls with the points that it is taken from.
    sure = _TREND_SIGMAS * max(spread, 0.005 * usual) * math.sqrt(12.0 / length)
    if abs(gain) <= max(sure, _TREND_SHARE * usual, floor) or not _is_steady(some, slope):
        return None
    left = None
    if curve.limit is not None and slope > 0 and curve.limit > some[-1]:
        left = (curve.limit - some[-1]) / slope
    return Anomaly(
        name=curve.name,
        kind="trend",
        since=some_times[0],
        until=some_times[-1],
        before=some[0],
        after=some[-1],
        per_minute=slope,
        limit_in_minutes=left,
        score=abs(gain) / (spread or 1),
    )


def _climb_start(values: list[float], spread: float) -> int:
    """Return where the last steady climb or fall began."""
    last = len(values) - 1
    best = last
    direction = math.copysign(1.0, values[last] - values[max(0, last - _SEGMENT_POINTS)])
    lowest = values[last] * direction
    for at in range(last - 1, -1, -1):
        value = values[at] * direction
        if value < lowest:
            lowest, best = value, at
        elif value > lowest + max(
            4 * spread, 0.15 * abs(values[last] - values[best])
        ) or best - at > max(_SEGMENT_POINTS, (last - best) // 3):
            break
    return best


def _is_steady(values: list[float], slope: float) -> bool:
    """Say whether most points lie beyond those of a fifth of the stretch before."""
    lag = max(1, len(values) // 5)
    pairs = list(zip(values, values[lag:], strict=False))
    along = sum((after > before) == (slope > 0) for before, after in pairs)
    return along >= 0.85 * len(pairs)


def _shift(curve: Curve, times: list[float], values: list[float], floor: float) -> Anomaly | None:
    """Find the split at which the level after differs most from that before."""
    spread = max(noise(values), 0.01 * abs(median(values)))
    best: tuple[float, int, float, float] | None = None
    stride = max(1, len(values) // _MOST_PAIRS_POINTS)
    for at in range(_SEGMENT_POINTS, len(values) - _SEGMENT_POINTS + 1, stride):
        before, after = median(values[:at]), median(values[at:])
        count = 1 / math.sqrt(1 / at + 1 / (len(values) - at))
        score = abs(after - before) / (spread or 1e-12) * min(count, 3.0)
        if best is None or score > best[0]:
            best = (score, at, before, after)
    if best is None:
        return None
    score, at, before, after = best
    change = abs(after - before)
    share = _SHIFT_SHARE * min(abs(before), abs(after)) if min(abs(before), abs(after)) else 0.0
    if change / (spread or 1e-12) < _SHIFT_SIGMAS or change <= max(share, floor):
        return None
    at = _crossing(values, before, after, at)
    return Anomaly(
        name=curve.name,
        kind="shift",
        since=times[at],
        until=times[-1],
        before=before,
        after=after,
        score=score,
    )


def _crossing(values: list[float], before: float, after: float, near: int) -> int:
    """Return where a curve went from one level to the other for good; else where it was split."""
    middle = (before + after) / 2
    for at in range(len(values) - 1, -1, -1):
        if (values[at] > middle) != (after > before):
            return (
                at + 1
                if len(values) - at - 1 > 0 and abs(at + 1 - near) <= len(values) // 4
                else near
            )
    return near


def _spike(curve: Curve, times: list[float], values: list[float], floor: float) -> Anomaly | None:
    """Find points that stand far out and are no new level."""
    middle = median(values)
    spread = max(
        noise(values), _MAD_TO_SIGMA * median(abs(v - middle) for v in values), 0.01 * abs(middle)
    )
    bound = max(_SPIKE_SIGMAS * spread, _SPIKE_SHARE * abs(middle), floor)
    out = [at for at, value in enumerate(values) if abs(value - middle) > bound]
    if not out or len(out) > len(values) // 4:
        return None
    peak = max(out, key=lambda at: abs(values[at] - middle))
    return Anomaly(
        name=curve.name,
        kind="spike",
        since=times[out[0]],
        until=times[out[-1]],
        before=middle,
        after=values[peak],
        score=abs(values[peak] - middle) / spread,
    )


def _full(curve: Curve, times: list[float], values: list[float]) -> Anomaly | None:
    """Find a curve that has come to run at its limit and did not before."""
    if not curve.limit:
        return None
    ratios = [value / curve.limit for value in values]
    late, early = ratios[-_SEGMENT_POINTS:], ratios[:-_SEGMENT_POINTS]
    if median(late) < _FULL_RATIO or median(early) >= _FULL_RATIO:
        return None
    return Anomaly(
        name=curve.name,
        kind="saturation",
        since=times[-_SEGMENT_POINTS],
        until=times[-1],
        before=median(early),
        after=median(late),
        score=median(late),
    )


def strongest(found: Sequence[Anomaly]) -> Mapping[str, Anomaly]:
    """Return one anomaly for each name: the first of its most telling kind."""
    order = {"steps": 0, "trend": 1, "saturation": 2, "shift": 3, "spike": 4, "sibling": 5}
    chosen: dict[str, Anomaly] = {}
    for one in sorted(found, key=lambda one: (order[one.kind], -one.score)):
        chosen.setdefault(one.name, one)
    return chosen
