"""Times and durations as people read them: local with its offset, or UTC."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

Now = Callable[[], datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """How times are shown. `zone` is None for the machine's own."""

    zone: tzinfo | None = None

    def clock(self, at: datetime) -> str:
        """Return a time of day; the screen's head says in which zone."""
        return f"{self._here(at):%H:%M:%S}"

    def moment(self, at: datetime) -> str:
        """Return a time of day with its offset."""
        return f"{self.clock(at)} {self.offset(at)}"

    def day(self, at: datetime) -> str:
        """Return date and time to the minute."""
        return f"{self._here(at):%Y-%m-%d %H:%M}"

    def offset(self, at: datetime) -> str:
        """Return the offset from UTC, or UTC itself."""
        here = self._here(at)
        if here.tzinfo is UTC:
            return "UTC"
        text = f"{here:%z}"
        return f"{text[:3]}:{text[3:5]}"

    def _here(self, at: datetime) -> datetime:
        return at.astimezone(self.zone)


def age(seconds: float) -> str:
    """Return a duration in at most four characters, for a column."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m"
    if whole < 86400:
        return f"{whole // 3600}h"
    return f"{whole // 86400}d"


def duration(seconds: float | None) -> str:
    """Return a duration that was measured; a dash where there is none."""
    if seconds is None:
        return "-"
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    return countdown(seconds)


def countdown(seconds: float) -> str:
    """Return minutes and seconds, with hours where there are any."""
    whole = max(0, int(seconds))
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours}:{minutes:02d}:{left:02d}" if hours else f"{minutes}:{left:02d}"
