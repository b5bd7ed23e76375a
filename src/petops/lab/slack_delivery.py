"""How the lab's Slack delivers what people do: Socket Mode's envelopes, or signed HTTP.

An envelope that nobody acknowledges within three seconds is sent again, on another connection.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlencode

import aiohttp
from aiohttp import web

from petops.lab.slack_workspace import APP, SIGNING_SECRET, Json, Workspace

ACK_SECONDS: Final = 3.0
ATTEMPTS: Final = 3
_DOORS: Final = {
    "interactive": "interactive",
    "slash_commands": "commands",
    "events_api": "events",
}


@dataclass(slots=True)
class Delivery:
    """Delivers payloads to the app. `request_url` chooses HTTP in place of Socket Mode."""

    workspace: Workspace
    now: Callable[[], datetime]
    request_url: str = ""
    sent: list[Json] = field(default_factory=list)
    took: list[float] = field(default_factory=list)
    _tickets: set[str] = field(default_factory=set)
    _sockets: list[web.WebSocketResponse] = field(default_factory=list)
    _waiting: dict[str, asyncio.Future[Json]] = field(default_factory=dict)

    @property
    def connections(self) -> int:
        """How many sockets the app has open."""
        return len(self._sockets)

    def ticket(self) -> str:
        """Return what opens one connection."""
        made = self.workspace.new_id("ticket")
        self._tickets.add(made)
        return made

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Serve one connection of Socket Mode."""
        ticket = request.query.get("ticket", "")
        if ticket not in self._tickets:
            return web.Response(status=401)
        self._tickets.discard(ticket)
        socket = web.WebSocketResponse(heartbeat=30.0)
        await socket.prepare(request)
        self._sockets.append(socket)
        hello = {
            "type": "hello",
            "num_connections": len(self._sockets),
            "debug_info": {"host": "lab", "approximate_connection_time": 18060},
            "connection_info": {"app_id": APP},
        }
        try:
            await socket.send_json(hello)
            async for message in socket:
                if message.type is aiohttp.WSMsgType.TEXT:
                    self._acknowledged(message.data)
        finally:
            self._sockets = [one for one in self._sockets if one is not socket]
        return socket

    def _acknowledged(self, text: str) -> None:
        try:
            found = json.loads(text)
        except ValueError:
            return
        waiting = self._waiting.get(str(found.get("envelope_id")))
        if waiting is not None and not waiting.done():
            waiting.set_result(found.get("payload") or {})

    async def hang_up(self, *, politely: bool = True) -> None:
        """Close every connection, as Slack does now and then."""
        for socket in tuple(self._sockets):
            if politely:
                await socket.send_json({"type": "disconnect", "reason": "refresh_requested"})
            else:
                await socket.close(code=1001)

    async def deliver(self, kind: str, payload: Json) -> Json | None:
        """Return what the app acknowledged with; None if it never did."""
        self.sent.append({"kind": kind, "payload": payload})
        if self.request_url:
            return await self._post(kind, payload)
        for attempt in range(ATTEMPTS):
            found = await self._send(kind, payload, attempt)
            if found is not None:
                return found
        return None

    async def _send(self, kind: str, payload: Json, attempt: int) -> Json | None:
        if not self._sockets:
            await asyncio.sleep(0.3)
        if not self._sockets:
            return None
        socket = self._sockets[attempt % len(self._sockets)]
        envelope = self.workspace.new_id("envelope-")
        waiting: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        self._waiting[envelope] = waiting
        began = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(ACK_SECONDS):
                await socket.send_json(
                    {
                        "envelope_id": envelope,
                        "type": kind,
                        "accepts_response_payload": kind != "events_api",
                        "retry_attempt": attempt,
                        "payload": payload,
                    }
                )
                found = await waiting
        except (TimeoutError, ConnectionError, RuntimeError):
            return None
        finally:
            self._waiting.pop(envelope, None)
        self.took.append(asyncio.get_running_loop().time() - began)
        return found

    async def again(self, index: int = -1) -> Json | None:
        """Deliver once more what was delivered, in a new envelope."""
        one = self.sent[index]
        return await self._send(one["kind"], one["payload"], 1)

    async def _post(self, kind: str, payload: Json) -> Json | None:
        body, headers = signed(kind, payload, self.now())
        url = f"{self.request_url.rstrip('/')}/slack/{_DOORS[kind]}"
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=ACK_SECONDS)) as client,
                client.post(url, data=body, headers=headers) as answer,
            ):
                if answer.status != 200:
                    return None
                found: Any = json.loads(await answer.text() or "{}")
                return found if isinstance(found, dict) else {}
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
            return None


def signed(
    kind: str, payload: Json, at: datetime, secret: str = SIGNING_SECRET
) -> tuple[bytes, dict[str, str]]:
    """Return body and headers of a delivery by HTTP, signed as Slack signs."""
    if kind == "interactive":
        body = urlencode({"payload": json.dumps(payload)}).encode()
    elif kind == "slash_commands":
        body = urlencode(payload).encode()
    else:
        body = json.dumps(payload).encode()
    stamp = str(int(at.timestamp()))
    base = b"v0:" + stamp.encode() + b":" + body
    mark = hmac.new(secret.encode(), base, hashlib.sha256).hexdigest()
    form = "application/json" if kind == "events_api" else "application/x-www-form-urlencoded"
    return body, {
        "Content-Type": form,
        "X-Slack-Request-Timestamp": stamp,
        "X-Slack-Signature": f"v0={mark}",
    }
