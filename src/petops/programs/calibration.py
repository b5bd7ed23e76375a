"""Stated against observed rightness: is a cause of 0.8 right in eight of ten?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

_BINS: Final = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """How sure petops said it was of a cause (0 to 1), and whether it was the right one."""

    confidence: float
    is_right: bool


def calibrated(told: Iterable[Told]) -> list[dict[str, Any]]:
    """Return stated against observed rightness, with counts, by ranges of stated confidence."""
    every = tuple(told)
    rows = []
    for low, high in pairwise(_BINS):
        own = [one for one in every if low <= one.confidence < high]
        if own:
            stated = sum(one.confidence for one in own) / len(own)
            rows.append(
                {
                    "from": low,
                    "to": high,
                    "stated": round(stated, 2),
                    "named": len(own),
                    "right": sum(one.is_right for one in own),
                }
            )
    return rows


def calibration_lines(rows: Iterable[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Return the table of stated against observed rightness, for people."""
    told = []
    for row in rows:
        stated = f"stated {row['from']:.1f} to {row['to']:.1f} (mean {row['stated']:.2f})"
        told.append((f"{stated}: {row['right']} of {row['named']} right", "dim"))
    return told
