"""Serves the MCP server over stdio, or over streamable HTTP with `/health` and `/metrics`."""

from __future__ import annotations

import asyncio
import errno
import hmac
import ipaddress
import signal
import socket
from collections.abc import Callable, Sequence
from http import HTTPStatus

import uvicorn
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from petops.errors import PetopsError, SourceError, UsageError
from petops.mcp_server.answers import Limits
from petops.mcp_server.asked import Prometheus
from petops.mcp_server.own_metrics import OwnMetrics
from petops.mcp_server.server import build_server

PATH = "/mcp"
HEALTH = "/health"
METRICS = "/metrics"
SHUTDOWN_SECONDS = 1
MOST_PORT = 65_535
BACKLOG = 128
_LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "[::1]")


async def serve_stdio(client: Prometheus, limits: Limits) -> None:
    """Serve until stdin ends, or a signal ends the process."""
    # The SDK reads stdin in a thread that cannot be interrupted: cancelling would wait for a line.
    # There is nothing to save, so SIGINT may end the process as SIGTERM does.
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        await build_server(client, limits).run_stdio_async()
    finally:
        signal.signal(signal.SIGINT, before)


async def serve_http(  # noqa: PLR0917 - the command's order
    client: Prometheus,
    limits: Limits,
    host: str,
    port: int,
    token: str | None,
    allowed_hosts: Sequence[str],
    *,
    on_ready: Callable[[str], None] | None = None,
) -> None:
    """Serve until SIGINT, SIGTERM or cancellation; `on_ready` is given the URL (port 0 is any)."""
    app = http_app(client, limits, host, token, allowed_hosts)
    with bound(host, port) as listener:
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        )
        server = uvicorn.Server(config)
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(server.serve(sockets=[listener]))
            if on_ready is not None:
                on_ready(f"http://{_authority(host, listener.getsockname()[1])}{PATH}")
            try:
                await asyncio.wait({serving})
            finally:  # cancelled: uvicorn closes its connections only if it is asked to
                server.should_exit = True
                await asyncio.wait({serving}, timeout=SHUTDOWN_SECONDS + 1)


def http_app(
    client: Prometheus,
    limits: Limits,
    host: str,
    token: str | None,
    allowed_hosts: Sequence[str],
) -> Starlette:
    """Return the application. Whoever serves it must run its lifespan.

    Off loopback it must be told who may come in: a bearer token, and by which names it is reached,
    so that no web page can have a browser ask in its place.
    """
    if not is_loopback(host):
        if not token:
            raise UsageError(
                f"serving on {host} lets others in: a bearer token is needed",
                hint="set a token, or serve on 127.0.0.1",
            )
        if not allowed_hosts:
            raise UsageError(
                f"serving on {host} needs the host names that clients use",
                hint="give each as an allowed host",
            )
    own_metrics = OwnMetrics()
    server = build_server(client, limits, own_metrics)

    async def health(_: Request) -> Response:
        return await _health(client)

    async def metrics(_: Request) -> Response:
        return own_metrics.response()

    server.custom_route(HEALTH, methods=["GET"])(health)
    server.custom_route(METRICS, methods=["GET"])(metrics)
    hosts = (*allowed_hosts, *(_LOOPBACK_HOSTS if is_loopback(host) else ()))
    app = server.streamable_http_app(
        streamable_http_path=PATH, host=host, transport_security=_security(hosts)
    )
    if token:
        app.add_middleware(BearerGuard, token=token)
    return app


class BearerGuard:
    """Lets requests pass that carry the token; `/health` tells no secret and is open to probes."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._wanted = f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] != HEALTH:
            given = Headers(scope=scope).get("authorization", "").encode()
            if not hmac.compare_digest(given, self._wanted):
                answer = JSONResponse(
                    {"error": "a bearer token is needed"},
                    status_code=HTTPStatus.UNAUTHORIZED,
                    headers={"www-authenticate": "Bearer"},
                )
                return await answer(scope, receive, send)
        return await self._app(scope, receive, send)


def bound(host: str, port: int) -> socket.socket:
    """Return a listening socket; raise PetopsError where the address cannot be had."""
    if not 0 <= port <= MOST_PORT:
        raise UsageError(f"{port} is no port")
    # asyncio turns Nagle's algorithm off only where the socket names TCP; with it on, each answer
    # takes 40 ms more.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as exc:
        listener.close()
        raise _unbound(exc, host, port) from exc
    return listener


def _unbound(exc: OSError, host: str, port: int) -> PetopsError:
    """Return why an address cannot be had."""
    where = _authority(host, port)
    if isinstance(exc, socket.gaierror):
        return UsageError(f"{host!r} is no host name or address that is known here")
    if exc.errno == errno.EADDRINUSE:
        return PetopsError(f"{where} is in use by another program", hint="choose another port")
    return PetopsError(f"cannot serve on {where}: {(exc.strerror or str(exc)).lower()}")


def is_loopback(host: str) -> bool:
    """Say whether only this machine can reach the host."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def _health(client: Prometheus) -> Response:
    """Say whether Prometheus answers; the address stays inside."""
    try:
        await client.check()
    except SourceError:
        return JSONResponse(
            {"status": "unhealthy", "prometheus": "does not answer"},
            status_code=HTTPStatus.SERVICE_UNAVAILABLE,
        )
    return JSONResponse({"status": "healthy", "prometheus": "answers"})


def _security(hosts: Sequence[str]) -> TransportSecuritySettings:
    names = [name for host in hosts for name in (host, f"{host}:*")]
    origins = [f"{scheme}://{name}" for scheme in ("http", "https") for name in names]
    return TransportSecuritySettings(allowed_hosts=names, allowed_origins=origins)


def _authority(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
