"""An app on a Unix socket or on a port, inside the running loop.

uvicorn is given sockets that are open already, since it ends the process where it cannot open one;
and it is kept from the signals, which belong to whoever runs the loop.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import stat
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final

import uvicorn
from starlette.applications import Starlette

from petops.errors import PetopsError

_GRACE_SECONDS: Final = 3
_PROBE_SECONDS: Final = 1.0


@asynccontextmanager
async def serve_socket(app: Starlette, path: Path) -> AsyncIterator[Path]:
    """Serve on a Unix socket of mode 0600 for as long as the block lasts; raise PetopsError."""
    listening = await asyncio.to_thread(_unix_socket, path)
    made = path.stat().st_ino  # noqa: ASYNC240 (a moment, at start)
    try:
        async with _serving(app, listening):
            yield path
    finally:
        _remove(path, made)


@asynccontextmanager
async def serve_http(app: Starlette, host: str, port: int) -> AsyncIterator[str]:
    """Serve on a port, any free one for 0; the block gets the base URL. Raise PetopsError."""
    listening = await asyncio.to_thread(_tcp_socket, host, port)
    name = f"[{host}]" if ":" in host else host
    async with _serving(app, listening):
        yield f"http://{name}:{listening.getsockname()[1]}"


class _Server(uvicorn.Server):
    """uvicorn without its signals, and without waking ten times a second to look at the clock."""

    def __init__(self, config: uvicorn.Config, stopping: asyncio.Event) -> None:
        super().__init__(config)
        self._stopping = stopping

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def main_loop(self) -> None:
        await self._stopping.wait()


@asynccontextmanager
async def _serving(app: Starlette, listening: socket.socket) -> AsyncIterator[None]:
    """Run uvicorn beside the block.

    No TaskGroup: it would wrap what the block raises, and a PetopsError must come out as it is.
    """
    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    server = _Server(config, app.state.stopping)
    running = asyncio.get_running_loop().create_task(server.serve(sockets=[listening]))
    try:
        yield
    finally:
        app.state.stopping.set()
        server.should_exit = True
        try:
            await running
        finally:
            listening.close()


def _unix_socket(path: Path) -> socket.socket:
    """Return a listening socket at `path`, in place of one that a dead process left there."""
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _make_room(path)
        listening.bind(str(path))
        path.chmod(0o600)  # nobody can connect before listen()
        listening.listen(128)
    except BaseException as exc:
        listening.close()
        if isinstance(exc, OSError):
            raise PetopsError(
                f"cannot listen on the socket {path}: {exc.strerror or exc}",
                hint="a socket's path may be about 100 characters long, in a folder of your own",
            ) from exc
        raise
    return listening


def _make_room(path: Path) -> None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise PetopsError(f"{path} is in the way: it is no socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(_PROBE_SECONDS)
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            path.unlink(missing_ok=True)
            return
        except TimeoutError:
            pass  # somebody listens, and is slow
    raise PetopsError(f"an engine listens on {path} already", hint="attach to it, or stop it first")


def _remove(path: Path, made: int) -> None:
    """Remove our socket, unless another one stands in its place by now."""
    try:
        if path.lstat().st_ino == made:
            path.unlink()
    except FileNotFoundError:
        pass


def _tcp_socket(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=128)
    except OSError as exc:
        if exc.errno == errno.EADDRINUSE:
            raise PetopsError(
                f"port {port} of {host} is in use", hint="choose another port, or 0 for any"
            ) from exc
        raise PetopsError(f"cannot listen on {host}:{port}: {exc.strerror or exc}") from exc
    except OverflowError as exc:
        raise PetopsError(f"{port} is no port") from exc
