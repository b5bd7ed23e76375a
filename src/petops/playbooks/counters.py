"""Counters that only rise, read as rates: lately, and before. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from petops.domain.evidence import Sample

# What counts as lately; cAdvisor looks every 10 to 15 s, so this holds eight looks or more.
LATELY = timedelta(minutes=2)
# What is compared with it ends this long before, so that the change itself is in neither.
APART = timedelta(minutes=3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rise:
    """How much a counter rose in how many seconds."""

    amount: float
    seconds: float

    @property
    def per_second(self) -> float:
        return self.amount / self.seconds if self.seconds > 0 else 0.0


def rise(samples: Sequence[Sample]) -> Rise | None:
    """Return how much the counter rose over the samples; one that fell began anew.

    None below two.
    """
    if len(samples) < 2:
        return None
    steps = [b.value - a.value if b.value >= a.value else b.value for a, b in pairwise(samples)]
    seconds = (samples[-1].at - samples[0].at).total_seconds()
    return Rise(amount=sum(steps), seconds=seconds) if seconds > 0 else None


def lately(samples: Iterable[Sample], end: datetime) -> tuple[Sample, ...]:
    """Return the samples of the last two minutes, and the one before them to rise from."""
    found = tuple(samples)
    first = next((i for i, one in enumerate(found) if one.at >= end - LATELY), len(found))
    return found[max(0, first - 1) :]


def before(samples: Iterable[Sample], end: datetime) -> tuple[Sample, ...]:
    """Return the samples from the window's beginning until well before now."""
    return tuple(one for one in samples if one.at <= end - LATELY - APART)
