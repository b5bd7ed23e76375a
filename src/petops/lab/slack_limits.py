"""Rate limits of the lab's Slack: tiers by the minute, and a message a second in each channel."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

TIERS: Final = {
    "chat.update": 50,
    "chat.postEphemeral": 100,
    "conversations.history": 50,
    "conversations.replies": 50,
    "conversations.info": 50,
    "files.getUploadURLExternal": 100,
    "files.completeUploadExternal": 100,
    "users.info": 100,
    "views.open": 100,
    "views.publish": 100,
}
_BURST: Final = 3
_MINUTE: Final = 60.0


@dataclass(slots=True)
class RateLimits:
    """Counts calls. `ignored` are calls that came before a 429's Retry-After was over."""

    now: Callable[[], datetime]
    limited: int = 0
    ignored: int = 0
    _left: dict[str, tuple[float, float]] = field(default_factory=dict)
    _closed: dict[str, float] = field(default_factory=dict)

    def retry_after(self, method: str, channel: str) -> int:
        """Return the seconds to wait, 0 where the call is let through."""
        key = f"{method} {channel}" if method == "chat.postMessage" else method
        now = self.now().timestamp()
        closed = self._closed.get(key, 0.0)
        if now < closed:
            self.limited += 1
            self.ignored += 1
            return math.ceil(closed - now)
        most, each = self._rate(method)
        left, at = self._left.get(key, (float(most), now))
        left = min(float(most), left + (now - at) / each)
        if left < 1.0:
            self.limited += 1
            wait = math.ceil((1.0 - left) * each)
            self._closed[key] = now + wait
            self._left[key] = (left, now)
            return wait
        self._left[key] = (left - 1.0, now)
        return 0

    def close(self, method: str, channel: str, seconds: float) -> None:
        """Let nothing of a kind through for some seconds, as in a storm of 429s."""
        key = f"{method} {channel}" if method == "chat.postMessage" else method
        self._left[key] = (0.0, self.now().timestamp() + seconds - 1.0)

    @staticmethod
    def _rate(method: str) -> tuple[int, float]:
        if method == "chat.postMessage":
            return _BURST, 1.0
        a_minute = TIERS.get(method, 20)
        return a_minute, _MINUTE / a_minute
