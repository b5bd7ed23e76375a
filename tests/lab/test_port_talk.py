"""SPDY, channels and simulated programs, without any socket; also against nonsense."""

from __future__ import annotations

import asyncio
import struct
import zlib
from collections.abc import Sequence
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from petops.lab.port_forwarding import Wire, over_channels, over_spdy
from petops.lab.port_talk import HttpAnswer, Inbox, PortRefusedError, Talk, over_http
from petops.lab.spdy import DICTIONARY, Event, Opened, Received, Spdy, SpdyError


def opening(stream: int, **headers: str) -> bytes:
    """Return a frame that opens a stream; its headers are the first of their connection."""
    block = struct.pack(">I", len(headers))
    for name, value in headers.items():
        for text in (name, value):
            block += struct.pack(">I", len(text)) + text.encode()
    pack = zlib.compressobj(zdict=DICTIONARY)
    packed = pack.compress(block) + pack.flush(zlib.Z_SYNC_FLUSH)
    body = struct.pack(">IIH", stream, 0, 0) + packed
    return struct.pack(">II", 0x80030001, len(body)) + body


def test_the_dictionary_is_that_of_the_draft() -> None:
    assert (len(DICTIONARY), zlib.adler32(DICTIONARY)) == (1423, 0xE3C6A7C2)


def test_frames_are_read_however_they_are_cut() -> None:
    frames = opening(1, streamtype="data", port="80") + Spdy().data(1, b"hello", is_last=True)
    spdy, events = Spdy(), list[Event]()
    for at in range(len(frames)):
        events += spdy.received(frames[at : at + 1])
    assert events == [
        Opened(stream=1, headers={"streamtype": "data", "port": "80"}),
        Received(stream=1, data=b"hello", is_last=True),
    ]


@given(st.lists(st.binary(max_size=60) | st.just(opening(1, port="80")), max_size=5))
def test_any_bytes_are_events_or_no_spdy(pieces: list[bytes]) -> None:
    spdy = Spdy()
    with suppress(SpdyError):
        for piece in pieces:
            assert all(one is not None for one in spdy.received(piece))


class Client:
    """A WebSocket whose client says what it was given, and then hangs up."""

    def __init__(self, said: Sequence[bytes], *, hangs_up: bool = True) -> None:
        self._said, self._hangs_up = list(said), hangs_up
        self.got: list[bytes] = []

    async def receive(self) -> bytes | None:
        await asyncio.sleep(0)
        if not self._said and not self._hangs_up:
            await asyncio.get_running_loop().create_future()
        return self._said.pop(0) if self._said else None

    async def send(self, data: bytes) -> None:
        self.got.append(data)

    @property
    def wire(self) -> Wire:
        return Wire(receive=self.receive, send=self.send)


async def respond(method: str, path: str) -> HttpAnswer:
    return HttpAnswer(body=f"{method} {path}")


def dial(port: int) -> Talk:
    if port != 80:
        raise PortRefusedError("connection refused")
    return over_http(respond)


async def test_channels_end_when_every_port_has_said_all() -> None:
    request = b"\x00GET /a HTTP/1.1\r\nConnection: close\r\n\r\n"
    client = Client([request], hangs_up=False)
    async with asyncio.timeout(5):
        await over_channels(dial, [80, 81], client.wire)
    heads, said = client.got[:4], client.got[4:]
    assert heads == [b"\x00\x50\x00", b"\x01\x50\x00", b"\x02\x51\x00", b"\x03\x51\x00"]
    assert b"\x03connection refused" in said
    assert any(each.startswith(b"\x00HTTP/1.1 200") and b"GET /a" in each for each in said)


async def test_a_port_that_refuses_says_so_on_its_stream_for_errors() -> None:
    opened = [opening(1, streamtype="error", port="81", requestid="0")]
    client = Client([*opened, b""], hangs_up=True)
    async with asyncio.timeout(5):
        await over_spdy(dial, client.wire)
    assert len(client.got) == 1  # accepted, and nothing more without its stream of data


@given(st.lists(st.binary(max_size=80) | st.just(opening(1, streamtype="data", port="80"))))
def test_a_client_that_says_nonsense_ends_its_connection(said: list[bytes]) -> None:
    async def both() -> None:
        async with asyncio.timeout(5):
            await over_spdy(dial, Client(said).wire)
            await over_channels(dial, [80], Client(said).wire)

    asyncio.run(both())


async def told(*chunks: bytes) -> list[bytes]:
    inbox, got = Inbox(), list[bytes]()

    async def send(data: bytes) -> None:
        got.append(data)

    for chunk in (*chunks, b""):
        await inbox.put(chunk)
    async with asyncio.timeout(5):
        await over_http(respond)(inbox, send)
    return got


async def test_requests_are_answered_one_after_the_other() -> None:
    first = b"POST /a HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody"
    got = await told(
        first[:9], first[9:] + b"GET /b?c HT", b"TP/1.0\r\n\r\nGET /d HTTP/1.1\r\n\r\n"
    )
    assert [each.rpartition(b"\r\n\r\n")[2] for each in got] == [b"POST /a", b"GET /b?c"]
    assert b"Connection: close" in got[1]


@pytest.mark.parametrize(
    "request_",
    [
        b"hello\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"x" * 20_000,
    ],
)
async def test_what_is_no_request_is_told_so(request_: bytes) -> None:
    (got,) = await told(request_)
    assert got.startswith(b"HTTP/1.1 400 ")


@given(st.lists(st.binary(max_size=50), max_size=5))
def test_any_bytes_are_answered_or_left(chunks: list[bytes]) -> None:
    assert all(one.startswith(b"HTTP/1.1 ") for one in asyncio.run(told(*filter(None, chunks))))


async def test_who_is_not_read_any_more_does_not_hold_anybody_up() -> None:
    inbox = Inbox()
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:

        async def fill() -> None:
            for _ in range(1000):
                await inbox.put(b"x")

        group.create_task(fill())
        await asyncio.sleep(0)
        inbox.close()
