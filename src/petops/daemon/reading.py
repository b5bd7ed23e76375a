"""Serves the pages: to a bearer token, or to a browser that showed one within eight hours.

The cookie names who and until when, signed with a key of this process alone; it opens pages to read
and nothing else, so that no other site can do anything with it.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import secrets
import time
from datetime import UTC, datetime
from typing import Final
from urllib.parse import parse_qs, quote

from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from petops.daemon.identity import Who
from petops.daemon.page import (
    CONTENT_POLICY,
    incident_page,
    list_page,
    login_page,
    missing_page,
)
from petops.daemon.serves import Serves
from petops.domain.access import Role

_COOKIE: Final = "petops"
_LASTS_SECONDS: Final = 8 * 3600
_LONGEST_FORM: Final = 32_768
_FORM_SECONDS: Final = 10.0
_HEADERS: Final = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class Pages:
    """The pages of one listener."""

    def __init__(self, engine: Serves, who: Who) -> None:
        self._engine = engine
        self._who = who
        self._key = secrets.token_bytes(32)

    @property
    def routes(self) -> list[Route]:
        """Where they are."""
        return [
            Route("/", self.home),
            Route("/incidents", self.incidents),
            Route("/incidents/{id}", self.incident),
            Route("/login", self.login, methods=["POST"]),
        ]

    async def home(self, _: Request) -> Response:
        return RedirectResponse("/incidents", 303)

    async def incidents(self, request: Request) -> Response:
        if not await self._may_read(request):
            return _html(login_page("/incidents"), 401)
        board = await self._engine.board()
        return _html(await asyncio.to_thread(list_page, board))

    async def incident(self, request: Request) -> Response:
        wanted = request.path_params["id"]
        if not await self._may_read(request):
            return _html(login_page(f"/incidents/{quote(wanted[:80], safe='')}"), 401)
        found = (await self._engine.board()).incident(wanted)
        if found is None:
            return _html(missing_page(wanted), 404)
        return _html(await asyncio.to_thread(incident_page, found, datetime.now(UTC)))

    async def login(self, request: Request) -> Response:
        """Take a token from the form, and give a cookie that lets this browser read."""
        form = await _form(request)
        target = form.get("to", "/incidents")
        if not target.startswith("/incidents") or "\\" in target or not target.isprintable():
            target = "/incidents"
        caller = await self._who(f"Bearer {form.get('token', '')}")
        if caller is None or not caller.may(Role.VIEWER):
            return _html(login_page(target, "No engine knows this token, or it may not read."), 401)
        answer = RedirectResponse(target, 303, headers=_HEADERS)
        is_secure = request.headers.get("x-forwarded-proto", request.url.scheme) == "https"
        answer.set_cookie(
            _COOKIE,
            self._signed(caller.identity.user),
            max_age=_LASTS_SECONDS,
            httponly=True,
            samesite="lax",  # links from Slack lead here
            secure=is_secure,
            path="/incidents",
        )
        return answer

    async def _may_read(self, request: Request) -> bool:
        if self._opens(request.cookies.get(_COOKIE, "")):
            return True
        caller = await self._who(request.headers.get("authorization", ""))
        return caller is not None and caller.may(Role.VIEWER)

    def _signed(self, user: str) -> str:
        until = int(time.time()) + _LASTS_SECONDS
        told = base64.urlsafe_b64encode(json.dumps([user, until]).encode()).decode()
        return f"{told}.{self._signature(told)}"

    def _opens(self, cookie: str) -> bool:
        told, _, signature = cookie.rpartition(".")
        given = signature.encode("utf-8", "replace")
        if not told or not hmac.compare_digest(self._signature(told).encode(), given):
            return False
        _, until = json.loads(base64.urlsafe_b64decode(told))
        return time.time() < int(until)

    def _signature(self, told: str) -> str:
        return hmac.new(self._key, told.encode("utf-8", "replace"), hashlib.sha256).hexdigest()


async def _form(request: Request) -> dict[str, str]:
    """Return a small form's fields; one that is too large, too slow or none is empty."""
    body = bytearray()
    try:
        async with asyncio.timeout(_FORM_SECONDS):
            async for piece in request.stream():
                body += piece
                if len(body) > _LONGEST_FORM:
                    return {}
    except (TimeoutError, ClientDisconnect):
        return {}
    try:
        found = parse_qs(body.decode(), max_num_fields=10)
    except ValueError:
        return {}
    return {key: values[0] for key, values in found.items()}


def _html(text: str, status: int = 200) -> Response:
    return HTMLResponse(text, status, headers=_HEADERS)
