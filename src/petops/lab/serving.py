"""Serves an ASGI application on the loopback for as long as a task runs."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn


class LoopbackServer(uvicorn.Server):
    """A server that leaves signals to the lab, and that ends by its task being cancelled."""

    def __init__(self, app: Any, listening: socket.socket) -> None:
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=1,
        )
        super().__init__(config)
        self._listening = listening
        self.ready = asyncio.Event()

    @property
    def address(self) -> str:
        """Host and port."""
        host, port = self._listening.getsockname()
        return f"{host}:{port}"

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take no signal: whoever runs the lab decides."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Say when connections are accepted."""
        await super().startup(sockets=sockets)
        self.ready.set()

    async def main_loop(self) -> None:
        """Come to an orderly end when cancelled: connections closed, port free."""
        try:
            await super().main_loop()
        except asyncio.CancelledError:
            self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Hang up first: a watch would else keep the lab open, and be cut off with a traceback."""
        for connection in tuple(self.server_state.connections):
            transport = getattr(connection, "transport", None)
            if transport is not None:
                transport.close()
            if getattr(connection, "conn", None) is not None and is_over(connection):
                self.server_state.connections.discard(connection)
        await super().shutdown(sockets=sockets)

    async def run_until_cancelled(self) -> None:
        """Serve."""
        await self.serve(sockets=[self._listening])


def is_over(connection: Any) -> bool:
    """Say whether a WebSocket has been closed: uvicorn would close it once more, and trip."""
    return getattr(getattr(connection.conn, "state", None), "name", "") == "CLOSED"
