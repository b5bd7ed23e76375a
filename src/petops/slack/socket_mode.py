"""Socket Mode: Slack delivers over a WebSocket that we open, so that nothing has to let it in.

An own loop on aiohttp in place of slack-sdk's: that one queues without a bound, reconnects without
backoff, and outlives a cancelled task. Two connections are kept, so that there is always one while
Slack refreshes the other; an envelope is acknowledged before anything else is done about it.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp

from petops.errors import PetopsError
from petops.ports import Clock
from petops.slack.calls import SOCKET, AwayError, LimitedError, Slack
from petops.slack.inbox import Inbox

CONNECTIONS: Final = 2
_HEARTBEAT_SECONDS: Final = 10.0
_LARGEST: Final = 1024 * 1024
_PAUSES: Final = (0.2, 1.0, 2.0, 5.0, 15.0, 30.0)


@dataclass(slots=True)
class SocketMode:
    """Listens for as long as `run` lasts. `opened` is how many connections stand now."""

    session: aiohttp.ClientSession
    app: Slack
    inbox: Inbox
    clock: Clock
    say: Callable[[str], None]
    opened: int = 0
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    _trouble: str = ""

    async def run(self) -> None:
        """Keep the connections, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(CONNECTIONS):
                group.create_task(self._keep())

    async def _keep(self) -> None:
        failures = 0
        while True:
            try:
                if await self._connected():
                    failures = 0
            except LimitedError as exc:
                await self.clock.sleep(exc.seconds)
                continue
            except PetopsError as exc:
                self._troubled(exc)
            pause = _PAUSES[min(failures, len(_PAUSES) - 1)]
            failures += 1
            await self.clock.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311

    def _troubled(self, exc: PetopsError) -> None:
        if exc.message != self._trouble:
            self._trouble = exc.message
            self.say(f"{exc.message} ({exc.hint})" if exc.hint else exc.message)

    async def _connected(self) -> bool:
        """Listen on one connection until it ends; say whether it was any good."""
        answer = await self.app.call(SOCKET)
        try:
            async with self.session.ws_connect(
                str(answer["url"]), heartbeat=_HEARTBEAT_SECONDS, max_msg_size=_LARGEST
            ) as socket:
                return await self._listen(socket)
        except (aiohttp.ClientError, TimeoutError, OSError) as exc:
            why = str(exc) or type(exc).__name__
            raise AwayError(f"its socket is closed, {why}", is_unknown=False) from exc

    async def _listen(self, socket: aiohttp.ClientWebSocketResponse) -> bool:
        was_greeted = False
        try:
            async for message in socket:
                if message.type is not aiohttp.WSMsgType.TEXT:
                    continue
                found = _object(message.data)
                match found.get("type"):
                    case "hello":
                        was_greeted = True
                        self.opened += 1
                        self._trouble = ""
                        self.ready.set()
                    case "disconnect":
                        return was_greeted
                    case kind:
                        await self._take(socket, str(kind), found)
        finally:
            if was_greeted:
                self.opened -= 1
        return was_greeted

    async def _take(
        self, socket: aiohttp.ClientWebSocketResponse, kind: str, found: dict[str, Any]
    ) -> None:
        """Acknowledge first."""
        envelope = found.get("envelope_id")
        if not isinstance(envelope, str):
            return
        payload = found.get("payload")
        carries = self.inbox.take(kind, payload if isinstance(payload, dict) else {})
        answer: dict[str, object] = {"envelope_id": envelope}
        if carries and found.get("accepts_response_payload"):
            answer["payload"] = dict(carries)
        await socket.send_str(json.dumps(answer))


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
