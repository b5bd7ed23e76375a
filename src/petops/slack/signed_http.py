"""The other way in: Slack posts to the daemon, and signs what it posts."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from petops.slack.inbox import Inbox

OLDEST_SECONDS: Final = 300
_LARGEST: Final = 1024 * 1024
_REMEMBERED: Final = 20_000
_BODY_SECONDS: Final = 5.0


@dataclass(slots=True)
class Signatures:
    """Knows what Slack signed. Each signature counts once: what comes again is a replay."""

    secret: str = field(repr=False)
    now: Callable[[], datetime]
    _used: OrderedDict[str, float] = field(default_factory=OrderedDict, repr=False)

    def objection(self, headers: Mapping[str, str], body: bytes) -> str:
        """Say why a request is not Slack's, or comes too late; empty where it is in order."""
        stamp = headers.get("x-slack-request-timestamp", "")
        given = headers.get("x-slack-signature", "")
        if not (stamp.isascii() and stamp.isdigit() and len(stamp) < 12):
            return "it has no timestamp"
        now = self.now().timestamp()
        if abs(now - int(stamp)) > OLDEST_SECONDS:
            return "its timestamp is more than five minutes off"
        if not hmac.compare_digest(signature(self.secret, stamp, body).encode(), given.encode()):
            return "its signature is wrong"
        while self._used and next(iter(self._used.values())) < now - 2 * OLDEST_SECONDS:
            self._used.popitem(last=False)
        if given in self._used or len(self._used) >= _REMEMBERED:
            return "it was sent before"
        self._used[given] = now
        return ""


def signature(secret: str, stamp: str, body: bytes) -> str:
    """Return how Slack signs a body."""
    signed = b"v0:" + stamp.encode() + b":" + body
    return "v0=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


@dataclass(frozen=True, slots=True)
class Doors:
    """The addresses that Slack posts to. `inbox` is None until Slack has said who we are."""

    inbox: Callable[[], Inbox | None]
    signatures: Signatures

    def routes(self) -> list[Route]:
        """Return what the daemon serves to Slack."""
        doors = {
            "interactive": self.interactive,
            "commands": self.commands,
            "events": self.events,
        }
        return [Route(f"/slack/{name}", one, methods=["POST"]) for name, one in doors.items()]

    async def interactive(self, request: Request) -> Response:
        body = await self._body(request)
        if isinstance(body, Response):
            return body
        return self._taken("interactive", _json(_form(body).get("payload", "")))

    async def commands(self, request: Request) -> Response:
        body = await self._body(request)
        if isinstance(body, Response):
            return body
        return self._taken("slash_commands", _form(body))

    async def events(self, request: Request) -> Response:
        body = await self._body(request)
        if isinstance(body, Response):
            return body
        payload = _json(body)
        if payload.get("type") == "url_verification":
            return JSONResponse({"challenge": str(payload.get("challenge", ""))[:300]})
        return self._taken("events_api", payload)

    async def _body(self, request: Request) -> bytes | Response:
        """Return the body of what Slack signed, else the answer to whoever sent it."""
        body = bytearray()
        async with asyncio.timeout(_BODY_SECONDS):
            async for piece in request.stream():
                body += piece
                if len(body) > _LARGEST:
                    return _no(413, "the body is too large")
        why = self.signatures.objection(request.headers, bytes(body))
        return _no(401, why) if why else bytes(body)

    def _taken(self, kind: str, payload: Mapping[str, Any]) -> Response:
        inbox = self.inbox()
        if inbox is None:
            return _no(503, "petops does not know its workspace yet")
        carries = inbox.take(kind, payload)
        return JSONResponse(dict(carries)) if carries else Response(status_code=200)


def _form(body: bytes) -> dict[str, str]:
    return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))


def _json(text: str | bytes) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _no(status: int, why: str) -> Response:
    return JSONResponse({"error": f"this is no request of Slack's: {why}"}, status)
