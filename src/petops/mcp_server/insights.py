"""Anomalies and results in one sentence each, with their figures. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from petops.mcp_server.anomalies import (
    Anomaly,
    Curve,
    anomalies_of,
    sibling_anomalies,
    steps_of,
    strongest,
)

_SIZES: Final = ((1024.0**3, "GiB"), (1024.0**2, "MiB"), (1024.0, "KiB"))
_MOST: Final = 8
# Changes smaller than this are nobody's concern, however sure they are.
_FLOORS: Final[Mapping[str, float]] = {
    "B": 16 * 1024.0**2,
    "cores": 0.02,
    "s": 0.01,
    "ratio": 0.02,
    "B/s": 2048.0,
    "/s": 0.5,
}
_LASTING_MINUTES: Final = 60.0
_AT_LIMIT: Final = 0.9
_RATE_SECONDS: Final = 300.0


def curves_of(
    result: Sequence[Mapping[str, Any]], name: Callable[[Mapping[str, str]], str], unit: str = ""
) -> list[Curve]:
    """Return the curves of a matrix; of series with one name the first.

    A rate climbs for the length of its window when its counter begins: that is no news.
    """
    found: dict[str, Curve] = {}
    lead = 0.0 if unit == "B" else _RATE_SECONDS
    for series in result:
        title = name(series["metric"])
        points = [(float(t), float(v)) for t, v in series.get("values", ())]
        points = [(t, v) for t, v in points if math.isfinite(v) and t >= points[0][0] + lead]
        if points and title not in found:
            times, values = zip(*points, strict=True)
            found[title] = Curve(title, times, values)
    return list(found.values())


def of_young(curves: Sequence[Curve], unit: str) -> list[Curve]:
    """Return, of curves that have just begun, those that run into their limit.

    What starts climbs to its level: that alone is nothing unusual.
    """
    floor = _FLOORS.get(unit, 0.0)
    return [one for one in curves if one.limit and _hits_limit(one, anomalies_of(one, floor))]


def _hits_limit(curve: Curve, found: Anomaly | None) -> bool:
    if found is None or curve.limit is None:
        return False
    soon = found.limit_in_minutes is not None and found.limit_in_minutes < _LASTING_MINUTES
    return soon or found.after >= _AT_LIMIT * curve.limit or found.kind == "saturation"


def found_in(
    curves: Sequence[Curve], unit: str, about: str, since: float, groups: Mapping[str, str]
) -> list[str]:
    """Return a sentence for each anomaly that reaches into the time since then, the gravest first.

    `groups` names the workload of a pod: its pods are siblings, and one sentence speaks for all.
    """
    floor = _FLOORS.get(unit, 0.0)
    every: list[Anomaly] = []
    for curve in curves:
        one = (
            steps_of(curve)
            if about in {"restarts", "OOM kills", "evictions"}
            else anomalies_of(curve, floor)
        )
        if one is not None:
            every.append(one)
    by_group: dict[str, list[Curve]] = {}
    for curve in curves:
        by_group.setdefault(groups.get(curve.name, curve.name), []).append(curve)
    for siblings in by_group.values():
        every += sibling_anomalies(siblings, floor)
    current = [one for one in every if one.until >= since]
    chosen: dict[str, Anomaly] = {}
    for name, one in strongest(current).items():
        chosen.setdefault(groups.get(name, name), one)
    return [sentence(title, one, unit, about) for title, one in list(chosen.items())[:_MOST]]


def sentence(title: str, found: Anomaly, unit: str, about: str) -> str:
    """Return an anomaly as one sentence."""
    at = clock(found.since)
    before, after = shown(found.before, unit), shown(found.after, unit)
    match found.kind:
        case "trend":
            minutes = max(1, round((found.until - found.since) / 60))
            pace = f"{signed(found.per_minute, unit)} a minute for {minutes} minutes"
            text = f"{title}: {pace}, {about} now {after}"
            if (
                found.limit_in_minutes is not None
                and found.limit_in_minutes < _LASTING_MINUTES * 24
            ):
                text += f", reaches its limit in {found.limit_in_minutes:.0f}"
            return text
        case "shift":
            factor = times(found.after, found.before)
            return f"{title}: {about} {before} until {at}, {after} since ({factor})"
        case "spike":
            verb = "spiked" if found.after > found.before else "fell"
            return f"{title}: {about} {verb} to {after} at {at}, usually {before}"
        case "saturation":
            levels = f"{found.after:.0%} of its limit since {at}, before at {found.before:.0%}"
            return f"{title}: {about} has run at {levels}"
        case "steps":
            return (
                f"{title}: {found.after:.0f} {about} since {at}, the last at {clock(found.until)}"
            )
        case "sibling":
            return f"{title}: {about} of one pod is {after}, of its siblings {before}"


def none_found(about: str, minutes: float) -> str:
    """Return the sentence of a quiet time."""
    length = f"{minutes / 60:g} hours" if minutes >= 120 else f"{minutes:.0f} minutes"
    return f"no anomaly in {about} in the last {length}"


def of_instant(
    result: Sequence[Mapping[str, Any]], unit: str, name: Callable[[Mapping[str, str]], str]
) -> list[str]:
    """Return what stands out in values at one time: the highest and the lowest."""
    values = [(float(one["value"][1]), name(one["metric"])) for one in result if "value" in one]
    values = [(value, title) for value, title in values if math.isfinite(value)]
    if len(values) < 2:
        return []
    high, low = max(values), min(values)
    if high[0] == low[0]:
        return [f"all {len(values)} are at {shown(high[0], unit)}"]
    most, least = (f"{title} with {shown(value, unit)}" for value, title in (high, low))
    return [f"highest: {most}; lowest: {least}"]


def shown(value: float, unit: str) -> str:
    """Return a value with its unit, as people read it."""
    if unit in {"B", "B/s"}:
        for size, name in _SIZES:
            if abs(value) >= size:
                return (
                    f"{value / size:.3g} {name}{unit[1:]}"
                    if abs(value) < 1000 * size
                    else f"{value / size:.0f} {name}{unit[1:]}"
                )
        return f"{value:.0f} {unit}"
    if unit == "ratio":
        return f"{value:.1%}"
    if unit == "s" and abs(value) < 1:
        return f"{value * 1000:.0f} ms"
    return f"{value:.4g} {unit}".strip()


def signed(value: float, unit: str) -> str:
    """Return a change with its sign."""
    return f"{'+' if value >= 0 else '-'}{shown(abs(value), unit)}"


def times(after: float, before: float) -> str:
    """Return a change as a factor, where there is one."""
    if before <= 0 or after <= 0:
        return "new" if after > before else "gone"
    factor = after / before
    return f"{factor:.3g} times" if factor >= 2 else f"{factor - 1:+.0%}"


def clock(at: float) -> str:
    """Return a time of day in UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%H:%MZ")
