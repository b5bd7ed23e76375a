"""Ages, as kubectl writes them."""

from __future__ import annotations

from typing import Final

_MINUTE: Final = 60
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR
_YEAR: Final = 365 * _DAY
_STEPS: Final = (
    (_MINUTE, "m", 1, "s", 10 * _MINUTE, 3 * _HOUR),
    (_HOUR, "h", _MINUTE, "m", 8 * _HOUR, 2 * _DAY),
    (_DAY, "d", _HOUR, "h", 8 * _DAY, 2 * _YEAR),
    (_YEAR, "y", _DAY, "d", 8 * _YEAR, 8 * _YEAR),
)
"""Unit and the one below, with their letters; until when both are written; until when at all."""


def duration(seconds: float) -> str:
    """Return a duration as kubectl writes ages: two units, the second only where it matters."""
    whole = max(int(seconds), 0)
    if whole < 2 * _MINUTE:
        return f"{whole}s"
    for unit, name, below, below_name, both_until, until in _STEPS:
        if whole < until:
            rest = whole % unit // below
            both = rest and whole < both_until
            return f"{whole // unit}{name}{rest}{below_name}" if both else f"{whole // unit}{name}"
    return f"{whole // _YEAR}y"
