"""Serves the dashboard to a browser on this machine, and to nobody else.

Loopback alone keeps neither other users of the machine out nor other pages of the browser: who
opens it brings the key of the address that is printed, and a page of another origin gets nothing.
"""

from __future__ import annotations

import hmac
import importlib
import secrets
import shlex
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from aiohttp import web

from petops.errors import PetopsError

HOST: Final = "127.0.0.1"
_COOKIE: Final = "petops-key"
_KEY: Final = "key"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def served_on_loopback(words: Sequence[str], port: int) -> None:
    """Serve until it is interrupted; each visitor gets a dashboard, and a process, of its own."""
    try:
        serve: Any = importlib.import_module("textual_serve.server")
    except ImportError as exc:
        raise PetopsError(
            "--web needs textual-serve, which is not installed", hint="pip install 'petops[web]'"
        ) from exc
    guard = Guard(secrets.token_urlsafe(18), port)

    class OnLoopback(serve.Server):  # type: ignore[misc]
        """textual-serve's server behind the guard."""

        async def _make_app(self) -> web.Application:
            app: web.Application = await super()._make_app()
            app.middlewares.append(guard.middleware)
            return app

        async def on_startup(self, app: web.Application) -> None:
            """Say nothing yet: nobody is listened to before this is over."""

    command = shlex.join([sys.executable, "-m", "petops", *words])
    made = OnLoopback(command, host=HOST, port=port, title="petops")
    try:
        web.run_app(made._make_app(), host=HOST, port=port, access_log=None, print=guard.say)
    except OSError as exc:
        raise PetopsError(
            f"port {port} cannot be listened on: {exc.strerror}", hint="--port takes another"
        ) from exc


class Guard:
    """Lets in who has the key, by the address that it gave out."""

    def __init__(self, key: str, port: int) -> None:
        self._key = key
        self._origin = f"http://{HOST}:{port}"
        self._host = f"{HOST}:{port}"

    def say(self, *_: object) -> None:
        """Print the address, which is listened at by now."""
        sys.stdout.write(
            f"the dashboard is at {self._origin}/?{_KEY}={self._key}\nCtrl+C ends it\n"
        )
        sys.stdout.flush()

    @property
    def middleware(self) -> Any:
        """Return the guard as aiohttp takes it."""

        @web.middleware
        async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
            why = self.refusal(request)
            if why:
                return web.Response(status=403, text=why + "\n")
            answer = await handler(request)
            if not answer.prepared:
                self._marked(request, answer)
            return answer

        return guarded

    def refusal(self, request: web.Request) -> str:
        """Say why a request gets nothing; empty where it may pass."""
        if request.headers.get("Host", "") != self._host:
            return f"this is served at {self._origin} only"
        origin = request.headers.get("Origin", "")
        is_socket = request.headers.get("Upgrade", "").lower() == "websocket"
        if (origin or is_socket) and origin != self._origin:
            return "another page may not use the dashboard"
        given = request.cookies.get(_COOKIE, "") or request.query.get(_KEY, "")
        if not hmac.compare_digest(given.encode(), self._key.encode()):
            return "open the address that petops printed: it holds the key"
        return ""

    def _marked(self, request: web.Request, answer: web.StreamResponse) -> None:
        """Let the browser keep the key, and load nothing from elsewhere."""
        own = f"'self' 'unsafe-inline' data: blob: {self._origin} ws://{self._host}"
        answer.headers["Content-Security-Policy"] = f"default-src {own}; frame-ancestors 'none'"
        answer.headers["Referrer-Policy"] = "no-referrer"
        if _KEY in request.query:
            answer.set_cookie(_COOKIE, self._key, httponly=True, samesite="Strict")
