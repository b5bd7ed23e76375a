"""Whether monitoring shows anything. No data, stale, ahead, refused: none of them is zero."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Seen(StrEnum):
    """How it stands with one signal of containers that run."""

    FRESH = "fresh"
    STALE = "stale"
    AHEAD = "ahead"
    NO_DATA = "no-data"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalSeen:
    """One signal: `last_at` is its latest sample's time, `why` the source's own words."""

    signal: str
    seen: Seen
    last_at: datetime | None = None
    why: str = ""

    def words(self) -> str:
        """Say it as people would."""
        match self.seen:
            case Seen.FRESH:
                return f"{self.signal} is fresh"
            case Seen.STALE:
                at = f" since {self.last_at:%H:%M:%S}Z" if self.last_at else ""
                return f"{self.signal} is stale{at}"
            case Seen.AHEAD:
                return f"{self.signal} is ahead of our clock: the clocks differ"
            case Seen.NO_DATA:
                return f"{self.signal} has no data"
            case Seen.REFUSED:
                return f"{self.signal}: {self.why}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Monitoring:
    """The signals that every container has; empty where none runs long enough to be measured."""

    signals: tuple[SignalSeen, ...]

    @property
    def blind(self) -> tuple[SignalSeen, ...]:
        """Those that show nothing to rely on."""
        return tuple(one for one in self.signals if one.seen is not Seen.FRESH)

    @property
    def is_blind(self) -> bool:
        """Whether nothing at all is to be seen."""
        return bool(self.signals) and len(self.blind) == len(self.signals)
