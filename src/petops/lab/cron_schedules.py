"""When a CronJob's schedule is due: five fields as cron reads them, or one of its few names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_BOUNDS: Final = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
_MONTHS: Final = [
    "jan",
    "feb",
    "mar",
    "apr",
    "may",
    "jun",
    "jul",
    "aug",
    "sep",
    "oct",
    "nov",
    "dec",
]
_DAYS: Final = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
_NAMED: Final = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_PART: Final = re.compile(r"(\*|\?|\w+)(?:-(\w+))?(?:/(\w+))?")
_LONGEST: Final = 300


class ScheduleError(ValueError):
    """A schedule that cannot be read; the message is what the API server says."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """The minutes, hours, days of the month, months and days of the week that are meant."""

    fields: tuple[frozenset[int], ...]
    either_day: bool
    """Whether one of the two days is enough: cron's rule where both are restricted."""

    def due(self, at: datetime) -> bool:
        """Say whether this minute, in the schedule's own zone, is meant."""
        minute, hour, day, month, weekday = self.fields
        if at.minute not in minute or at.hour not in hour or at.month not in month:
            return False
        days = (at.day in day, at.isoweekday() % 7 in weekday)
        return any(days) if self.either_day else all(days)


@lru_cache(maxsize=256)
def schedule_of(text: str) -> Schedule:
    """Read a schedule; raise ScheduleError."""
    parts = _NAMED.get(text.strip().lower(), text).split()
    if len(parts) != len(_BOUNDS) or len(text) > _LONGEST:
        raise ScheduleError(f"expected exactly 5 fields, found {len(parts)}: [{' '.join(parts)}]")
    fields = tuple(
        frozenset(_numbers(part, *bounds)) for part, bounds in zip(parts, _BOUNDS, strict=True)
    )
    free = [parts[position][0] in "*?" for position in (2, 4)]
    return Schedule(fields, either_day=not any(free))


def zone_of(name: str) -> ZoneInfo:
    """Return a time zone; raise ScheduleError where nobody knows it."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as exc:
        raise ScheduleError(f"unknown time zone {name}") from exc


def _numbers(text: str, low: int, high: int) -> Iterator[int]:
    for part in text.split(","):
        found = _PART.fullmatch(part)
        if found is None:
            raise ScheduleError(f"failed to parse int from {part}")
        first, last, step = found.groups()
        if first in "*?":
            begin, end = low, high
        else:
            begin = _number(first, low)
            end = _number(last, low) if last else (high if step else begin)
        stride = _number(step, low) if step else 1
        if begin < low:
            raise ScheduleError(f"beginning of range ({begin}) below minimum ({low}): {part}")
        if end > high:
            raise ScheduleError(f"end of range ({end}) above maximum ({high}): {part}")
        if begin > end:
            text = f"beginning of range ({begin}) beyond end of range ({end}): {part}"
            raise ScheduleError(text)
        if stride == 0:
            raise ScheduleError(f"step of range should be a positive number: {part}")
        yield from range(begin, end + 1, stride)


def _number(text: str, low: int) -> int:
    names = _MONTHS if low else _DAYS
    if text.lower() in names:
        return names.index(text.lower()) + low
    if not text.isdecimal() or len(text) > 9:
        raise ScheduleError(
            f'failed to parse int from {text}: strconv.Atoi: parsing "{text}": invalid syntax'
        )
    return int(text)
