"""Runs something until it is done, or until the process is told to end, and ends it in order."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any


async def until_told(work: Coroutine[Any, Any, None]) -> None:
    """Run `work`; on SIGTERM, SIGINT or SIGHUP cancel it, wait for its end, and return."""
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, task.cancel)
    with suppress(asyncio.CancelledError):
        await task
