"""Virtual time: the loop's own, moved on by looptime whenever every task waits."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

BEGAN = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)


class VirtualClock:
    """`Clock` on the loop's time, so that `asyncio.timeout` and waits agree with it."""

    def now(self) -> datetime:
        return BEGAN + timedelta(seconds=asyncio.get_running_loop().time())

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
