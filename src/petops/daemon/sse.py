"""The journal as server-sent events: one entry an event, its seq as the event's id.

Written out rather than taken from a library: the stream has to end when its own listener stops, not
when the process does, and to leave nothing behind when a follower goes away while it is written to.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from petops import wire
from petops.domain.events import Entry
from petops.errors import PetopsError

KEEP_ALIVE_SECONDS: Final = 15.0
_WAITING: Final = 256
_ALIVE: Final = b": alive\n\n"


_written: OrderedDict[int, tuple[Entry, bytes]] = OrderedDict()


def event(entry: Entry) -> bytes:
    """Return one entry as it is sent; the latest are written once for all who follow."""
    known = _written.get(entry.seq)
    if known is not None and known[0] is entry:
        return known[1]
    made = _event(entry)
    _written[entry.seq] = (entry, made)
    while len(_written) > _WAITING:
        _written.popitem(last=False)
    return made


def _event(entry: Entry) -> bytes:
    return f"id: {entry.seq}\nevent: entry\ndata: {wire.entry_to_json(entry)}\n\n".encode()


class EntryStream(Response):
    """Sends entries until there are no more, the follower is gone, or `stopping` is set."""

    media_type = "text/event-stream"

    def __init__(
        self,
        entries: AsyncIterator[Entry],
        stopping: asyncio.Event,
        keep_alive_seconds: float = KEEP_ALIVE_SECONDS,
        ended: Callable[[], object] = lambda: None,
    ) -> None:
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._entries = entries
        self._stopping = stopping
        self._keep_alive_seconds = keep_alive_seconds
        self._ended = ended

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._stream(receive, send)
        finally:
            self._ended()

    async def _stream(self, receive: Receive, send: Send) -> None:
        head = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        await send(head)
        ready: asyncio.Queue[bytes | None] = asyncio.Queue(_WAITING)
        async with asyncio.TaskGroup() as group:
            collecting = group.create_task(self._collect(ready))
            gone = group.create_task(_gone(receive))
            stopping = group.create_task(self._stopping.wait())
            sending = group.create_task(self._send(ready, send))
            await asyncio.wait({gone, stopping, sending}, return_when=asyncio.FIRST_COMPLETED)
            was_gone = gone.done()
            for one in (collecting, gone, stopping, sending):
                one.cancel()
        if not was_gone:
            await send({"type": "http.response.body", "body": b""})

    async def _collect(self, ready: asyncio.Queue[bytes | None]) -> None:
        """Put entries in line. Where the journal fails the stream ends; a follower comes back."""
        try:
            async for entry in self._entries:
                await ready.put(event(entry))
        except PetopsError as exc:
            await ready.put(f": {' '.join(exc.message.split())}\n\n".encode())
        finally:
            if isinstance(self._entries, AsyncGenerator):
                await self._entries.aclose()
        await ready.put(None)

    async def _send(self, ready: asyncio.Queue[bytes | None], send: Send) -> None:
        """Send what stands in line in one piece, and a sign of life where nothing does."""
        line: list[bytes | None] = [_ALIVE]
        while True:
            body = b"".join(one for one in line if one is not None)
            await send({"type": "http.response.body", "body": body, "more_body": True})
            if None in line:
                return
            try:
                async with asyncio.timeout(self._keep_alive_seconds):
                    line = [await ready.get()]
            except TimeoutError:
                line = [_ALIVE]
            line += [ready.get_nowait() for _ in range(ready.qsize())]


async def _gone(receive: Receive) -> None:
    """Return when the follower has closed its connection."""
    while (await receive())["type"] != "http.disconnect":
        pass
