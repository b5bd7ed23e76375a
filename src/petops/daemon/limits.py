"""How much one client may ask for, so that none takes the engine from the others."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

_MOST_CLIENTS: Final = 10_000


class Limits:
    """Requests a minute and streams at once, each client's by itself."""

    def __init__(
        self,
        *,
        requests_a_minute: int = 600,
        streams_each: int = 20,
        alarms_at_once: int = 500,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._a_minute = requests_a_minute
        self._streams_each = streams_each
        self._alarms_at_once = alarms_at_once
        self._now = now
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._streams: dict[str, int] = {}
        self._alarms = 0

    def wait(self, client: str) -> float:
        """Take one request of a client's; return for how many seconds it has none left, else 0."""
        now, most = self._now(), float(self._a_minute)
        left, since = self._left.get(client, (most, now))
        left = min(most, left + (now - since) * most / 60)
        self._left[client] = (max(0.0, left - 1), now)
        self._left.move_to_end(client)
        while len(self._left) > _MOST_CLIENTS:
            self._left.popitem(last=False)
        return 0.0 if left >= 1 else (1 - left) * 60 / most

    @contextmanager
    def stream(self, client: str) -> Iterator[bool]:
        """Hold one of a client's streams; False where it has as many as it may."""
        count = self._streams.get(client, 0)
        if count >= self._streams_each:
            yield False
            return
        self._streams[client] = count + 1
        try:
            yield True
        finally:
            left = self._streams[client] - 1
            if left:
                self._streams[client] = left
            else:
                del self._streams[client]

    @contextmanager
    def alarms(self) -> Iterator[bool]:
        """Hold a place among the alarms that are being taken; False where there is none."""
        if self._alarms >= self._alarms_at_once:
            yield False
            return
        self._alarms += 1
        try:
            yield True
        finally:
            self._alarms -= 1
