"""The time of day, for tests that run real programs."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime


class WallClock:
    """`Clock` as it is in the world."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
