"""Port-forward: connections to a pod's ports, carried in the messages of one WebSocket.

kubectl speaks SPDY in them, with two streams a connection; the Python client's `portforward`
speaks `v4.channel.k8s.io`, with two channels a port that it named at the start.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final

from petops.lab.port_talk import Inbox, PortRefusedError, Send, Talk
from petops.lab.spdy import LARGEST_DATA, Event, Left, Opened, Pinged, Received, Spdy, SpdyError

SPDY: Final = "SPDY/3.1+portforward.k8s.io"
CHANNELS: Final = "v4.channel.k8s.io"
_MOST_STREAMS: Final = 200
_MOST_PORTS: Final = 50

Dial = Callable[[int], Talk]
"""From a port to who answers there; raises PortRefusedError where nobody does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """The WebSocket: `receive` gives the next message, None once the client is gone.

    `send` raises ConnectionError then.
    """

    receive: Callable[[], Awaitable[bytes | None]]
    send: Send


Start = Callable[[Awaitable[None]], asyncio.Task[None]]


@asynccontextmanager
async def _tasks() -> AsyncIterator[Start]:
    """Run what is started; what still runs at the block's end is cancelled."""
    async with asyncio.TaskGroup() as group:
        running: set[asyncio.Task[None]] = set()

        def start(work: Awaitable[None]) -> asyncio.Task[None]:
            async def run() -> None:
                with suppress(ConnectionError):  # the client is gone
                    await work

            task = group.create_task(run())
            running.add(task)
            task.add_done_callback(running.discard)
            return task

        try:
            yield start
        finally:
            for task in tuple(running):
                task.cancel()


async def _talked(dial: Dial, port: int, inbox: Inbox, send: Send) -> str:
    """Let a client and a port talk until one of them has said all; return what went wrong."""
    try:
        await dial(port)(inbox, send)
    except PortRefusedError as exc:
        return str(exc)
    finally:
        inbox.close()
    return ""


async def over_spdy(dial: Dial, wire: Wire) -> None:
    """Carry connections as kubectl opens them, until it is gone or says what is no SPDY."""
    async with _tasks() as start:
        session = _Session(dial, wire, start)
        try:
            while not session.is_over and (message := await wire.receive()) is not None:
                for event in session.spdy.received(message):
                    await session.take(event)
        except (SpdyError, ConnectionError):
            return


class _Session:
    """One client of SPDY: for each connection it opens a stream for errors, then one for data."""

    def __init__(self, dial: Dial, wire: Wire, start: Start) -> None:
        self._dial, self._wire, self._start = dial, wire, start
        self.spdy = Spdy()
        self.is_over = False
        self._inboxes: dict[int, Inbox] = {}
        self._errors: dict[str, int] = {}

    async def take(self, event: Event) -> None:
        """Do what an event asks for; raise SpdyError where that makes no sense."""
        match event:
            case Opened():
                await self._open(event)
            case Pinged():
                await self._wire.send(self.spdy.pong(event.number))
            case Received() if inbox := self._inboxes.get(event.stream):
                if event.data:
                    await inbox.put(event.data)
                if event.is_last:
                    await inbox.put(b"")
            case Left(stream=0):
                self.is_over = True
            case Left() if inbox := self._inboxes.get(event.stream):
                await inbox.put(b"")

    async def _open(self, event: Opened) -> None:
        kind, port = event.headers.get("streamtype"), event.headers.get("port", "")
        request = event.headers.get("requestid", "")
        if not port.isdecimal() or len(self._errors) + len(self._inboxes) > _MOST_STREAMS:
            raise SpdyError("a stream to no port, or one too many")
        await self._wire.send(self.spdy.reply(event.stream))
        if kind == "error":
            self._errors[request] = event.stream
        elif kind == "data" and request in self._errors:
            inbox = self._inboxes[event.stream] = Inbox()
            self._start(
                self._carry(int(port), event.stream, self._errors.pop(request), inbox),
            )
        else:
            raise SpdyError("a stream of data without one for errors")

    async def _carry(self, port: int, stream: int, error: int, inbox: Inbox) -> None:
        async def send(data: bytes) -> None:
            for at in range(0, len(data), LARGEST_DATA):
                await self._wire.send(self.spdy.data(stream, data[at : at + LARGEST_DATA]))

        try:
            why = await _talked(self._dial, port, inbox, send)
        finally:
            del self._inboxes[stream]
        await self._wire.send(self.spdy.data(stream, b"", is_last=True))
        await self._wire.send(self.spdy.data(error, why.encode(), is_last=True))


async def over_channels(dial: Dial, ports: Sequence[int], wire: Wire) -> None:
    """Carry one connection to each port: channel 2n is its data, 2n + 1 its errors."""
    inboxes = [Inbox() for _ in ports[:_MOST_PORTS]]

    async def carry(position: int, port: int) -> None:
        data, error = bytes([2 * position]), bytes([2 * position + 1])

        async def send(sent: bytes) -> None:
            await wire.send(data + sent)

        if why := await _talked(dial, port, inboxes[position], send):
            await wire.send(error + why.encode())

    async def listen() -> None:
        while (message := await wire.receive()) is not None:
            position, odd = divmod(message[0], 2) if message else (0, 1)
            if not odd and position < len(inboxes) and message[1:]:
                await inboxes[position].put(message[1:])
        for inbox in inboxes:
            await inbox.put(b"")

    for position, port in enumerate(ports[:_MOST_PORTS]):
        for channel in (2 * position, 2 * position + 1):
            await wire.send(bytes([channel]) + port.to_bytes(2, "little"))
    async with _tasks() as start:
        listening = start(listen())
        carrying = [start(carry(*each)) for each in enumerate(ports[:_MOST_PORTS])]
        done = start(_all(carrying))
        await asyncio.wait({listening, done}, return_when=asyncio.FIRST_COMPLETED)


async def _all(tasks: Sequence[asyncio.Task[None]]) -> None:
    await asyncio.gather(*tasks)
