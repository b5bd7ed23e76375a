"""Times in which nothing is changed: release freezes by date, and hours of the week."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time
from fnmatch import fnmatchcase

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze:
    """One window, in UTC: from `start` to `end`, or from `opens` to `closes` on these `days`.

    A weekly window that closes before it opens goes on past midnight. Without `days` it is every
    day's.
    """

    name: str
    namespaces: tuple[str, ...] = ("*",)
    start: datetime | None = None
    end: datetime | None = None
    days: tuple[str, ...] = ()
    opens: time | None = None
    closes: time | None = None

    def holds(self, now: datetime, namespace: str) -> bool:
        """Say whether changes there are frozen now. Nodes are in no namespace: `*` covers them."""
        if not any(fnmatchcase(namespace, one) for one in self.namespaces):
            return False
        now = now.astimezone(UTC)
        if self.start is not None or self.end is not None:
            after = self.start is None or now >= self.start
            return after and (self.end is None or now < self.end)
        return self._holds_weekly(now)

    def _holds_weekly(self, now: datetime) -> bool:
        opens, closes = self.opens or time(0), self.closes or time(0)
        clock, today = now.time(), now.weekday()
        if opens < closes:
            return opens <= clock < closes and self._on(today)
        if clock >= opens:
            return self._on(today)
        return clock < closes and self._on((today - 1) % 7)

    def _on(self, day: int) -> bool:
        return not self.days or DAYS[day] in self.days

    @property
    def until(self) -> str:
        """Say when it ends."""
        if self.end is not None:
            return f"{self.end.astimezone(UTC):%Y-%m-%d %H:%MZ}"
        return f"{self.closes or time(0):%H:%MZ}"
