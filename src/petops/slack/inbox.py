"""Takes what was delivered and acknowledged, and has it done: so many at once, and no more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from petops.slack.incoming import Incoming, Json, read
from petops.slack.surface import Surface, acknowledged

_AT_ONCE: Final = 8
_WAITING: Final = 200


@dataclass(slots=True)
class Inbox:
    """What both ways in deliver to. `run` is its lifetime."""

    surface: Surface
    say: Callable[[str], None]
    _queue: asyncio.Queue[Incoming] = field(default_factory=lambda: asyncio.Queue(_WAITING))

    def take(self, kind: str, payload: Json) -> Mapping[str, object] | None:
        """Return what to acknowledge with, at once; the work is done after."""
        incoming = read(kind, payload)
        if incoming is not None and self.surface.is_new(incoming):
            try:
                self._queue.put_nowait(incoming)
            except asyncio.QueueFull:
                self.say("Slack sends more than can be done: some of it is dropped")
        return acknowledged(incoming)

    async def run(self) -> None:
        """Do what was taken, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(_AT_ONCE):
                group.create_task(self._work())

    async def _work(self) -> None:
        while True:
            await self.surface.done(await self._queue.get())
