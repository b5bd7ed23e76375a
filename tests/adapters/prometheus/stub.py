"""A server on 127.0.0.1 that says what a test tells it to, byte by byte."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus

ANSWER_NEVER = None


def http(
    body: bytes | str, *, status: int = 200, kind: str = "application/json", **headers: str
) -> bytes:
    """Return a whole HTTP answer."""
    data = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", f"Content-Type: {kind}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines += [f"Content-Length: {len(data)}", "", ""]
    return "\r\n".join(lines).encode() + data


def success(data: object) -> bytes:
    return http(json.dumps({"status": "success", "data": data}))


def vector(*values: str) -> bytes:
    result = [{"metric": {"n": str(n)}, "value": [1.5, value]} for n, value in enumerate(values)]
    return success({"resultType": "vector", "result": result})


@dataclass
class Stub:
    """What it answers, and what it has seen."""

    answer: bytes | None
    url: str = ""
    requests: list[str] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    left: asyncio.Event = field(default_factory=asyncio.Event)
    pause: Callable[[], Awaitable[None]] | None = None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read requests; answer each, or hold the first until the client goes."""
        try:
            while head := await _head(reader):
                self.requests.append(head)
                self.at_once += 1
                self.most_at_once = max(self.at_once, self.most_at_once)
                self.asked.set()
                if self.answer is ANSWER_NEVER:
                    await reader.read()
                    self.left.set()
                    return
                if self.pause is not None:
                    await self.pause()
                self.at_once -= 1
                writer.write(self.answer)
                await writer.drain()
                if b"Content-Length" not in self.answer or b"broken" in self.answer:
                    return
        except ConnectionError:
            self.left.set()
        finally:
            writer.close()


async def _head(reader: asyncio.StreamReader) -> str:
    """Return a request's head and body, empty at the end."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
    except asyncio.IncompleteReadError:
        return ""
    lengths = [
        line.split(":")[1] for line in head.lower().splitlines() if "content-length:" in line
    ]
    body = await reader.readexactly(int(lengths[0])) if lengths else b""
    return head + body.decode()


@asynccontextmanager
async def stub(answer: bytes | None) -> AsyncIterator[Stub]:
    """Serve `answer` to every request for as long as the block lasts."""
    one = Stub(answer=answer)
    serving: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if task := asyncio.current_task():
            serving.add(task)
            task.add_done_callback(serving.discard)
        with contextlib.suppress(asyncio.CancelledError):  # asyncio logs a handler's as an error
            await one.serve(reader, writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()[:2]
    one.url = f"http://{host}:{port}"
    try:
        yield one
    finally:
        server.close()
        for task in serving:
            task.cancel()
        if serving:
            await asyncio.wait(serving)
        await server.wait_closed()
