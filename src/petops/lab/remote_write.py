"""Push samples into a running Prometheus: remote write 1.0, a protobuf message in snappy's framing.

Prometheus must run with `--web.enable-remote-write-receiver`, and for samples that are older than
what it holds with an out-of-order window. Snappy allows text that is not compressed at all, which
is what is sent.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import httpx2

from petops.errors import SourceError
from petops.lab.exposition import Labels, Sample

_LARGEST_BYTES: Final = 4_000_000
_AT_ONCE: Final = 3
_HEADERS: Final = {
    "Content-Type": "application/x-protobuf",
    "Content-Encoding": "snappy",
    "X-Prometheus-Remote-Write-Version": "0.1.0",
}
# One `Sample` inside its `TimeSeries`: tag 2, length, then double 1 and varint 2. A time in
# milliseconds takes six bytes as a varint from 1971 to 2109, so that the length never varies.
_SAMPLE: Final = struct.Struct("<3sdB6s")
_SAMPLE_HEAD: Final = b"\x12\x10\x09"
_TIME_BYTES: Final = 6


class Timeline:
    """Samples gathered by series, to be pushed together; within a series, oldest first."""

    def __init__(self) -> None:
        self._series: dict[tuple[str, Labels, Labels], bytearray] = {}
        self._last: dict[tuple[str, Labels, Labels], int] = {}
        self._times: dict[int, bytes] = {}
        self.samples = 0

    def add(self, samples: Iterable[Sample], scrape: Labels = (), at_ms: int = 0) -> None:
        """Add samples under the labels that their scrape job gives.

        `at_ms` is for those without a time of their own. What an exporter says a second time (same
        series, same time) is left out.
        """
        for name, labels, value, own_ms in samples:
            key = (name, labels, scrape)
            at = at_ms if own_ms is None else own_ms
            encoded = self._series.get(key)
            if encoded is None:
                encoded = self._series[key] = bytearray()
            elif at <= self._last[key]:
                continue
            self._last[key] = at
            encoded += _SAMPLE.pack(_SAMPLE_HEAD, value, 0x10, self._time(at))
            self.samples += 1

    def requests(self) -> Iterator[bytes]:
        """Yield bodies of remote write requests, each of some megabytes at most."""
        body = bytearray()
        for (name, labels, scrape), encoded in self._series.items():
            body += _field(1, labels_message(series_labels(name, labels, scrape)) + encoded)
            if len(body) >= _LARGEST_BYTES:
                yield framed(bytes(body))
                body.clear()
        if body:
            yield framed(bytes(body))

    def _time(self, at_ms: int) -> bytes:
        found = self._times.get(at_ms)
        if found is None:
            found = self._times[at_ms] = _varint(at_ms)
            if len(found) != _TIME_BYTES:
                raise ValueError(f"{at_ms} is not a time in milliseconds after 1971")
        return found


def series_labels(name: str, labels: Labels, scrape: Labels) -> Mapping[str, str]:
    """Return a series' labels as a scrape stores them: empty ones are as good as absent.

    The exporter's own label wins (`honor_labels`).
    """
    return {key: value for key, value in (("__name__", name), *scrape, *labels) if value}


def labels_message(labels: Mapping[str, str]) -> bytes:
    """Return labels as remote write wants them: sorted, each a message of name and value."""
    return b"".join(
        _field(1, _field(1, name.encode()) + _field(2, value.encode()))
        for name, value in sorted(labels.items())
    )


def framed(body: bytes) -> bytes:
    """Return `body` in snappy's block format, as one literal."""
    if not body:
        return b"\x00"
    return _varint(len(body)) + b"\xfc" + (len(body) - 1).to_bytes(4, "little") + body


async def push(timeline: Timeline, prometheus_url: str) -> int:
    """Send what the timeline holds; return the number of samples."""
    bodies = iter([*timeline.requests()])
    async with httpx2.AsyncClient(base_url=prometheus_url, timeout=30, trust_env=False) as client:

        async def send() -> None:
            for body in bodies:
                await _send(client, body)

        async with asyncio.TaskGroup() as group:
            for _ in range(_AT_ONCE):
                group.create_task(send())
    return timeline.samples


async def _send(client: httpx2.AsyncClient, body: bytes) -> None:
    try:
        answer = await client.post("/api/v1/write", content=body, headers=_HEADERS)
    except httpx2.HTTPError as exc:
        raise SourceError(f"Prometheus took no history: {exc!r}") from exc
    if answer.is_error:
        why = answer.text.strip()[:300]
        raise SourceError(f"Prometheus took no history: {answer.status_code} {why}")


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number >> 7:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def _field(number: int, content: bytes) -> bytes:
    """Return a length-delimited protobuf field."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content
