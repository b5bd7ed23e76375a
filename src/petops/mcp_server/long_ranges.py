"""A long range asked for in parts, so that its progress can be told. Pure.

A range query evaluates each step by itself, so that the parts together are the whole. What refers
to the range's own ends is not cut, and what cannot be read goes to Prometheus as it is: its words
about a bad time or step are better than ours.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

POINTS_AT_ONCE: Final = 1_000
MOST_POINTS: Final = 11_000  # of Prometheus, which says so itself
_OWN_ENDS: Final = re.compile(r"\b(?:start|end)\s*\(\s*\)")
_STEP: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w|y)")
_SECONDS: Final = {
    "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0, "y": 31536000.0,
}  # fmt: skip

Part = tuple[str, str]


def parts_of(query: str, start: str, end: str, step: str) -> tuple[Part, ...]:
    """Return the starts and ends to ask for one after another; of a short range there is one."""
    whole = ((start, end),)
    begin, last, width = _moment(start), _moment(end), _length(step)
    if begin is None or last is None or not width or _OWN_ENDS.search(query):
        return whole
    count = (last - begin) / width + 1
    if not POINTS_AT_ONCE < count <= MOST_POINTS:
        return whole
    points = math.floor(count)
    return tuple(
        (
            _written(begin + first * width),
            _written(begin + (min(first + POINTS_AT_ONCE, points) - 1) * width),
        )
        for first in range(0, points, POINTS_AT_ONCE)
    )


def joined(results: Iterable[Sequence[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """Return the matrices of the parts as one."""
    series: dict[tuple[tuple[str, str], ...], dict[str, Any]] = {}
    for result in results:
        for one in result:
            key = tuple(sorted(one["metric"].items()))
            kept = series.setdefault(key, {"metric": one["metric"]})
            for kind in ("values", "histograms"):
                if kind in one:
                    kept.setdefault(kind, []).extend(one[kind])
    return list(series.values())


def _moment(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()


def _length(text: str) -> float | None:
    """Return a step in seconds: a bare number, or units in a row such as 1h30m."""
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    if not re.fullmatch(rf"(?:{_STEP.pattern})+", text):
        return None
    return sum(float(number) * _SECONDS[unit] for number, unit in _STEP.findall(text))


def _written(seconds: float) -> str:
    return f"{seconds:.3f}"
