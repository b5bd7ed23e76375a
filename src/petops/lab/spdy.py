"""SPDY/3.1 frames, as far as `kubectl port-forward` uses them: streams, data, resets, pings. Pure.

kubectl sends them in the messages of a WebSocket (`SPDY/3.1+portforward.k8s.io`). There is no flow
control in it: Kubernetes' own library sends no window updates and heeds none.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

_WORDS: Final = (
    "options head post put delete trace accept accept-charset accept-encoding accept-language "
    "accept-ranges age allow authorization cache-control connection content-base content-encoding "
    "content-language content-length content-location content-md5 content-range content-type date "
    "etag expect expires from host if-match if-modified-since if-none-match if-range "
    "if-unmodified-since last-modified location max-forwards pragma proxy-authenticate "
    "proxy-authorization range referer retry-after server te trailer transfer-encoding upgrade "
    "user-agent vary via warning www-authenticate method get status 200_OK version HTTP/1.1 url "
    "public set-cookie keep-alive origin"
)
_REST: Final = (
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505"
    "203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request"
    "401 Unauthorized403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented"
    "503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 "
    "Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,"
    "application/xml,application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age="
    "gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0."
)
DICTIONARY: Final = (
    b"".join(
        struct.pack(">I", len(word)) + word.encode()
        for word in (each.replace("_", " ") for each in _WORDS.split(" "))
    )
    + _REST.encode()
)
"""What both sides know of header blocks before the first (SPDY draft 3, section 2.6.10.1)."""

_CONTROL: Final = 0x8003  # a control frame of version 3
_OPEN, _REPLY, _RESET, _PING, _GO_AWAY = 1, 2, 3, 6, 7
_FIN: Final = 0x01
_HEAD: Final = 8
_LARGEST_FRAME: Final = 1 << 20
_LARGEST_BLOCK: Final = 1 << 16
LARGEST_DATA: Final = 32 * 1024


class SpdyError(Exception):
    """Something that is no SPDY, or more of it than is reasonable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """The peer has opened a stream."""

    stream: int
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """The peer has sent data on a stream; with `is_last` no more will come."""

    stream: int
    data: bytes = field(repr=False)
    is_last: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Pinged:
    """The peer wants to know whether we are there."""

    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """The peer has given up a stream, or (`stream` 0) the connection."""

    stream: int


Event = Opened | Received | Pinged | Left


class Spdy:
    """One connection, seen from the server: bytes in, events out, and frames to send."""

    def __init__(self) -> None:
        self._waiting = bytearray()
        self._unpack = zlib.decompressobj(zdict=DICTIONARY)
        self._pack = zlib.compressobj(zdict=DICTIONARY)

    def received(self, data: bytes) -> Iterator[Event]:
        """Yield what the peer's bytes say; raise SpdyError if they say nothing."""
        self._waiting += data
        while len(self._waiting) >= _HEAD:
            first, last = struct.unpack_from(">II", self._waiting)
            length, flags = last & 0xFFFFFF, last >> 24
            if length > _LARGEST_FRAME:
                raise SpdyError(f"a frame of {length} bytes")
            if len(self._waiting) < _HEAD + length:
                return
            body = bytes(self._waiting[_HEAD : _HEAD + length])
            del self._waiting[: _HEAD + length]
            if first >> 31:
                yield from self._control(first, flags, body)
            else:
                yield Received(stream=first, data=body, is_last=bool(flags & _FIN))

    def reply(self, stream: int) -> bytes:
        """Return the frame that accepts a stream."""
        block = self._pack.compress(struct.pack(">I", 0)) + self._pack.flush(zlib.Z_SYNC_FLUSH)
        return _frame(_REPLY, struct.pack(">I", stream) + block)

    def data(self, stream: int, data: bytes, *, is_last: bool = False) -> bytes:
        """Return a frame of data; `LARGEST_DATA` is what fits well into one."""
        return struct.pack(">II", stream, (_FIN if is_last else 0) << 24 | len(data)) + data

    def pong(self, number: int) -> bytes:
        """Return the answer to a ping."""
        return _frame(_PING, struct.pack(">I", number))

    def _control(self, first: int, flags: int, body: bytes) -> Iterator[Event]:
        if first >> 16 != _CONTROL:
            raise SpdyError("a frame of another version")
        kind = first & 0xFFFF
        if kind == _GO_AWAY:
            yield Left(stream=0)
        if kind not in {_OPEN, _RESET, _PING}:
            return
        if len(body) < (10 if kind == _OPEN else 4):
            raise SpdyError("a frame that ends too early")
        (number,) = struct.unpack_from(">I", body)
        if kind == _PING:
            yield Pinged(number=number)
        elif kind == _RESET:
            yield Left(stream=number)
        else:
            yield Opened(stream=number, headers=self._headers(body[10:]))
            if flags & _FIN:
                yield Received(stream=number, data=b"", is_last=True)

    def _headers(self, block: bytes) -> dict[str, str]:
        try:
            text = self._unpack.decompress(block, _LARGEST_BLOCK)
            (count,) = struct.unpack_from(">I", text)
            found, at = dict[str, str](), 4
            for _ in range(count):
                name, at = _text(text, at)
                value, at = _text(text, at)
                found[name.lower()] = value
        except (zlib.error, struct.error, UnicodeDecodeError) as exc:
            raise SpdyError("headers that cannot be read") from exc
        return found


def _text(block: bytes, at: int) -> tuple[str, int]:
    (length,) = struct.unpack_from(">I", block, at)
    end = at + 4 + length
    if end > len(block):
        raise SpdyError("headers that end too early")
    return block[at + 4 : end].decode(), end


def _frame(kind: int, body: bytes) -> bytes:
    return struct.pack(">II", _CONTROL << 16 | kind, len(body)) + body
