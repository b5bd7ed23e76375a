"""What is said at one port: bytes that a client sends, and who answers them.

A `Talk` reads from an `Inbox` and sends what it has to say; it is over when it returns.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from petops.lab.children import LOOPBACK

Send = Callable[[bytes], Awaitable[None]]
Talk = Callable[["Inbox", Send], Awaitable[None]]

_MOST_WAITING: Final = 64
_AT_ONCE: Final = 32 * 1024
_LONGEST_HEAD: Final = 16 * 1024
_LONGEST_BODY: Final = 1 << 20
_DIAL_SECONDS: Final = 3.0
_LAST_WORDS_SECONDS: Final = 1.0
"""How long a program may answer a client that has hung up."""
_PHRASES: Final = {200: "OK", 400: "Bad Request", 413: "Content Too Large", 500: "Server Error"}


class PortRefusedError(Exception):
    """Nobody listens at a port; the text says so as a kubelet would."""


class Inbox:
    """What a client has sent and nobody has read yet; who fills it waits while it is full."""

    def __init__(self) -> None:
        self._chunks = asyncio.Queue[bytes](_MOST_WAITING)
        self._is_over = False

    async def put(self, data: bytes) -> None:
        """Add what came; `b""` says that no more will."""
        if not self._is_over:
            await self._chunks.put(data)

    async def read(self) -> bytes:
        """Return what came next; `b""` at the end."""
        return await self._chunks.get()

    def close(self) -> None:
        """Read no more: whoever waits to fill it goes on."""
        self._is_over = True
        while not self._chunks.empty():
            self._chunks.get_nowait()


def with_real_port(port: int) -> Talk:
    """Return the talk with a program that really listens on this machine's loopback."""

    async def talk(inbox: Inbox, send: Send) -> None:
        try:
            async with asyncio.timeout(_DIAL_SECONDS):
                reader, writer = await asyncio.open_connection(LOOPBACK, port)
        except (OSError, TimeoutError) as exc:
            raise PortRefusedError(f"{LOOPBACK}:{port}: connect: connection refused") from exc

        async def hand_on() -> None:
            with suppress(OSError):
                while data := await inbox.read():
                    writer.write(data)
                    await writer.drain()
                writer.write_eof()
                await asyncio.sleep(_LAST_WORDS_SECONDS)
            writer.close()

        handing = asyncio.ensure_future(hand_on())
        try:
            with suppress(OSError):
                while data := await reader.read(_AT_ONCE):
                    await send(data)
        finally:
            handing.cancel()
            await asyncio.gather(handing, return_exceptions=True)
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    return talk


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpAnswer:
    """What a simulated program answers."""

    body: str = "ok\n"
    status: int = 200
    content_type: str = "text/plain"
    headers: Mapping[str, str] = field(default_factory=dict)


Respond = Callable[[str, str], Awaitable[HttpAnswer]]
"""From method and path to the answer."""


class _UnreadableError(Exception):
    """What came is no HTTP request; the text says why."""


def over_http(respond: Respond) -> Talk:
    """Return the talk with a program that speaks HTTP/1.1, one request after the other."""

    async def talk(inbox: Inbox, send: Send) -> None:
        waiting = bytearray()
        try:
            while (head := await _head(inbox, waiting)) is not None:
                method, path, goes_on, length = _read(head)
                await _skip(inbox, waiting, length)
                answer = await respond(method, path)
                await send(_written(answer, with_body=method != "HEAD", goes_on=goes_on))
                if not goes_on:
                    return
        except _UnreadableError as exc:
            answer = HttpAnswer(status=400, body=f"{exc}\n")
            await send(_written(answer, with_body=True, goes_on=False))

    return talk


async def _head(inbox: Inbox, waiting: bytearray) -> str | None:
    """Return a request's first lines; None where the client has said all."""
    while b"\r\n\r\n" not in waiting:
        data = await inbox.read()
        if not data:
            return None
        waiting += data
        if len(waiting) > _LONGEST_HEAD and b"\r\n\r\n" not in waiting:
            raise _UnreadableError("the request's head is too long")
    head, _, rest = bytes(waiting).partition(b"\r\n\r\n")
    waiting[:] = rest
    return head.decode("latin-1")


def _read(head: str) -> tuple[str, str, bool, int]:
    """Return method, path, whether the connection stays open, and the body's length."""
    first, *lines = head.split("\r\n")
    parts = first.split(" ")
    if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
        raise _UnreadableError("this is no HTTP/1.1 request")
    fields = {
        name.strip().lower(): value.strip().lower()
        for name, _, value in (line.partition(":") for line in lines)
    }
    length = fields.get("content-length", "0")
    if not length.isdecimal() or len(length) > 9 or int(length) > _LONGEST_BODY:
        raise _UnreadableError("the request's length makes no sense")
    if "transfer-encoding" in fields:
        raise _UnreadableError("a body of unknown length is not taken here")
    stays = parts[2] != "HTTP/1.0" and fields.get("connection") != "close"
    return parts[0], parts[1], stays, int(length)


async def _skip(inbox: Inbox, waiting: bytearray, length: int) -> None:
    while len(waiting) < length:
        data = await inbox.read()
        if not data:
            raise _UnreadableError("the request ends too early")
        waiting += data
    del waiting[:length]


def _written(answer: HttpAnswer, *, with_body: bool, goes_on: bool) -> bytes:
    body = answer.body.encode()
    fields = {
        "Content-Type": answer.content_type,
        "Content-Length": str(len(body)),
        **answer.headers,
        **({} if goes_on else {"Connection": "close"}),
    }
    phrase = _PHRASES.get(answer.status, "Unavailable")
    head = f"HTTP/1.1 {answer.status} {phrase}\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return head.encode() + b"\r\n" + (body if with_body else b"")
