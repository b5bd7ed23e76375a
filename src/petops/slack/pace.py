"""How fast Slack may be spoken to: its published limits, and what it said last."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

EVERY: Final = {
    "chat.postMessage": (1, 1.0),
    "chat.update": (10, 1.2),
    "chat.postEphemeral": (10, 0.6),
    "conversations.history": (5, 1.2),
    "conversations.replies": (5, 1.2),
    "files.getUploadURLExternal": (5, 3.0),
    "files.completeUploadExternal": (5, 0.6),
    "users.info": (20, 0.6),
    "views.publish": (10, 0.6),
}
"""By method: how many at once, and how many seconds until there may be one more."""


@dataclass(slots=True)
class _Bucket:
    most: int
    seconds: float
    left: float
    at: datetime
    closed_until: datetime


@dataclass(slots=True)
class Pace:
    """Says how long to wait before a call; messages are counted by channel, the rest by method."""

    now: Callable[[], datetime]
    _buckets: dict[str, _Bucket] = field(default_factory=dict)

    def wait(self, method: str, channel: str = "") -> float:
        """Return the seconds until the call may be made; 0 takes it."""
        bucket, now = self._bucket(method, channel), self.now()
        if bucket.closed_until > now:
            return (bucket.closed_until - now).total_seconds()
        passed = (now - bucket.at).total_seconds()
        bucket.left = min(float(bucket.most), bucket.left + passed / bucket.seconds)
        bucket.at = now
        if bucket.left < 1.0 - 1e-6:
            return (1.0 - bucket.left) * bucket.seconds
        bucket.left -= 1.0
        return 0.0

    def limited(self, method: str, channel: str, seconds: float) -> None:
        """Heed a 429: nothing of this kind before that time."""
        bucket = self._bucket(method, channel)
        bucket.closed_until = self.now() + timedelta(seconds=seconds)
        bucket.left = min(bucket.left, 1.0)

    def _bucket(self, method: str, channel: str) -> _Bucket:
        key = f"{method} {channel}" if method == "chat.postMessage" else method
        if key not in self._buckets:
            most, seconds = EVERY.get(method, (5, 1.0))
            now = self.now()
            self._buckets[key] = _Bucket(most, seconds, float(most), now, now)
        return self._buckets[key]
