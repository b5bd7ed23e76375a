"""An MCP server as a child process, spoken to over its stdin and stdout.

In place of the SDK's own transport: that one takes 4 s to leave a stuck child, writes the child's
stderr over the terminal, and does not say why a child died.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.client.stdio import StdioServerParameters, get_default_environment
from mcp.shared.message import SessionMessage
from mcp_types import jsonrpc_message_adapter

MOST_LINE_BYTES = 64 * 1024**2
CLOSE_SECONDS = 0.7
TERMINATE_SECONDS = 0.4
KEPT_LINES = 20

_logger = logging.getLogger(__name__)

_Incoming = SessionMessage | Exception
_Streams = tuple[MemoryObjectReceiveStream[_Incoming], MemoryObjectSendStream[SessionMessage]]


class LastWords:
    """The last lines that a child wrote to stderr."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=KEPT_LINES)

    def hear(self, line: str) -> None:
        """Keep one line; empty ones say nothing."""
        if line.strip():
            self._lines.append(line.strip())
            _logger.debug("MCP server: %s", line.strip())

    def __str__(self) -> str:
        return self._lines[-1] if self._lines else ""


@asynccontextmanager
async def child_streams(
    parameters: StdioServerParameters, words: LastWords, on_end: Callable[[], None]
) -> AsyncIterator[_Streams]:
    """Run the child for the block; `on_end` is called when its stdout ends."""
    process = await asyncio.create_subprocess_exec(
        parameters.command,
        *parameters.args,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=get_default_environment() | (parameters.env or {}),
        cwd=parameters.cwd,
        limit=MOST_LINE_BYTES,
        start_new_session=True,  # so that what the child starts can be ended with it
    )
    to_session, incoming = anyio.create_memory_object_stream[_Incoming](0)
    outgoing, from_session = anyio.create_memory_object_stream[SessionMessage](0)
    try:
        async with asyncio.TaskGroup() as group:
            pumps = [
                group.create_task(_read(process, to_session, on_end)),
                group.create_task(_write(process, from_session)),
                group.create_task(_listen(process, words)),
            ]
            try:
                yield incoming, outgoing
            finally:
                try:
                    await _end(process)
                finally:
                    for pump in pumps:
                        pump.cancel()
    finally:
        for stream in (to_session, incoming, outgoing, from_session):
            stream.close()
        _close_pipes(process)


async def _read(
    process: asyncio.subprocess.Process,
    to_session: MemoryObjectSendStream[_Incoming],
    on_end: Callable[[], None],
) -> None:
    """Hand over what the child says, line by line, until it ends or the session is gone."""
    assert process.stdout is not None  # noqa: S101 - a pipe was asked for
    with contextlib.closing(to_session), contextlib.suppress(anyio.BrokenResourceError, OSError):
        try:
            while line := await process.stdout.readline():
                await to_session.send(_parsed(line))
        except ValueError:
            _logger.warning("an MCP server's line is longer than %d bytes", MOST_LINE_BYTES)
        finally:
            on_end()


def _parsed(line: bytes) -> _Incoming:
    try:
        return SessionMessage(jsonrpc_message_adapter.validate_json(line, by_name=False))
    except ValueError as exc:
        return exc


async def _write(
    process: asyncio.subprocess.Process, from_session: MemoryObjectReceiveStream[SessionMessage]
) -> None:
    """Send what the session says; a child that no longer reads is noticed by the reader."""
    assert process.stdin is not None  # noqa: S101 - a pipe was asked for
    with contextlib.suppress(OSError):
        async for message in from_session:
            text = message.message.model_dump_json(by_alias=True, exclude_unset=True)
            process.stdin.write(text.encode() + b"\n")
            await process.stdin.drain()


async def _listen(process: asyncio.subprocess.Process, words: LastWords) -> None:
    assert process.stderr is not None  # noqa: S101 - a pipe was asked for
    with contextlib.suppress(ValueError, OSError):
        while line := await process.stderr.readline():
            words.hear(line.decode(errors="replace"))


async def _end(process: asyncio.subprocess.Process) -> None:
    """Close the child's stdin and wait a little; then end it, and all that it has started."""
    assert process.stdin is not None  # noqa: S101 - a pipe was asked for
    process.stdin.close()
    try:
        for seconds, next_signal in (
            (CLOSE_SECONDS, signal.SIGTERM),
            (TERMINATE_SECONDS, signal.SIGKILL),
        ):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await process.wait()
                    return
            _signal(process, next_signal)
        await process.wait()
    finally:
        if process.returncode is None:
            _signal(process, signal.SIGKILL)


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _close_pipes(process: asyncio.subprocess.Process) -> None:
    """Close what is left of the pipes: a grandchild may hold their other ends open."""
    # asyncio has no public way.
    process._transport.close()  # type: ignore[attr-defined]
