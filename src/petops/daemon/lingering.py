"""Hears out a sender that is turned away, for a while: else it never reads why.

A listener that answers and closes while a body still comes in makes the sender's machine drop the
answer. What is read here is thrown away at once.
"""

from __future__ import annotations

import asyncio
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_IDLE_SECONDS: Final = 0.5
_LONGEST_SECONDS: Final = 5.0
_MOST_BYTES: Final = 32 * 1024 * 1024
_TURNED_AWAY: Final = range(400, 500)
_TOO_SLOW: Final = 408


class Lingering:
    """Middleware: before a refusal is sent, what the sender still has to say is read, in bounds."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_whole = False

        async def received() -> Message:
            nonlocal is_whole
            message = await receive()
            is_whole = not message.get("more_body", False)
            return message

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start" and not is_whole:
                status = message["status"]
                if status in _TURNED_AWAY and status != _TOO_SLOW:
                    await _heard_out(receive)
            await send(message)

        await self._app(scope, received, sent)


async def _heard_out(receive: Receive) -> None:
    """Read and forget, until the body ends, the sender pauses, or it has had its share."""
    left = _MOST_BYTES
    try:
        async with asyncio.timeout(_LONGEST_SECONDS):
            while left > 0:
                async with asyncio.timeout(_IDLE_SECONDS):
                    message = await receive()
                if not message.get("more_body", False):
                    return
                left -= len(message.get("body", b""))
    except TimeoutError:
        return
