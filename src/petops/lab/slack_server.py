"""The lab's Slack on one address: Web API, Socket Mode, and a page with what people see.

It may be made to fail as the real one does: `away` refuses everything, `lose` makes calls whose
answer never arrives, `limits` answers 429.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from importlib import resources
from typing import Any, Final

from aiohttp import web

from petops.lab.children import listening_socket
from petops.lab.slack_acting import Acting
from petops.lab.slack_api import WebApi, arguments
from petops.lab.slack_delivery import Delivery
from petops.lab.slack_limits import RateLimits
from petops.lab.slack_workspace import (
    APP_TOKEN,
    BOT_TOKEN,
    CHANNEL,
    PEOPLE,
    Json,
    Workspace,
)
from petops.ports import Clock

_LARGEST: Final = 8 * 1024 * 1024
_PAGE: Final = {
    "/": ("page.html", "text/html"),
    "/page.js": ("page.js", "text/javascript"),
    "/page.css": ("page.css", "text/css"),
}


@dataclass(slots=True)
class LabSlack:
    """A Slack that runs."""

    url: str
    workspace: Workspace
    api: WebApi
    limits: RateLimits
    delivery: Delivery
    acting: Acting
    away: bool = False
    lose: int = 0
    after_effect: bool = True
    _streams: set[asyncio.Task[Any]] = field(default_factory=set)

    @classmethod
    @asynccontextmanager
    async def started(cls, clock: Clock) -> AsyncIterator[LabSlack]:
        """Serve a new workspace on the loopback for as long as the block lasts."""
        listening = listening_socket()
        host, port = listening.getsockname()
        url = f"http://{host}:{port}"
        workspace = Workspace(clock.now)
        delivery = Delivery(workspace, clock.now)
        slack = cls(
            url=url,
            workspace=workspace,
            api=WebApi(workspace, url),
            limits=RateLimits(clock.now),
            delivery=delivery,
            acting=Acting(workspace, delivery, url),
        )
        runner = web.AppRunner(slack._app(), access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        try:
            await web.SockSite(runner, listening).start()
            yield slack
        finally:
            for one in slack._streams:
                one.cancel()
            with suppress(ConnectionError, RuntimeError):
                await delivery.hang_up(politely=False)
            await runner.cleanup()

    def environment(self) -> dict[str, str]:
        """Return the variables that point petops and any client of Slack here."""
        return {
            "SLACK_BOT_TOKEN": BOT_TOKEN,
            "SLACK_APP_TOKEN": APP_TOKEN,
            "PETOPS_SLACK_API_URL": f"{self.url}/api/",
            "PETOPS_SLACK_CHANNEL": CHANNEL,
            "PETOPS_SLACK_PEOPLE": PEOPLE,
        }

    def _app(self) -> web.Application:
        app = web.Application(client_max_size=_LARGEST)
        app.add_routes(
            [
                web.post("/api/{method}", self._call),
                web.get("/api/{method}", self._call),
                web.get("/lab/socket", self._socket),
                web.post("/lab/upload/{name}", self._upload),
                web.post("/lab/response/{name}", self._respond),
                web.get("/lab/state", self._state),
                web.get("/lab/events", self._events),
                web.get("/lab/files/{name}", self._file),
                web.post("/lab/act", self._act),
                *(web.get(path, _static) for path in _PAGE),
            ]
        )
        return app

    async def _call(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        if self.away:
            return web.json_response({"ok": False, "error": "service_unavailable"}, status=503)
        body = await request.read()
        form = {key: str(value) for key, value in (await request.post()).items()}
        form |= dict(request.query)
        try:
            given = arguments(request.content_type, body, form)
        except ValueError:
            return web.json_response({"ok": False, "error": "invalid_json"})
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if method == "apps.connections.open":
            return self._open(token)
        wait = self.limits.retry_after(method, str(given.get("channel", "")))
        if wait:
            return web.json_response(
                {"ok": False, "error": "ratelimited"},
                status=429,
                headers={"Retry-After": str(wait)},
            )
        if self.lose and method in {"chat.postMessage", "files.completeUploadExternal"}:
            return self._lost(request, method, token, given)
        answer = self.api.answer(method, token, given)
        headers = {"x-oauth-scopes": ",".join(sorted(self.api.granted))}
        return web.json_response(answer, headers=headers)

    def _lost(self, request: web.Request, method: str, token: str, given: Json) -> web.Response:
        """Let the answer get lost, after the call had its effect or before it had any."""
        self.lose -= 1
        if self.after_effect:
            self.api.answer(method, token, given)
        assert request.transport is not None  # noqa: S101
        request.transport.close()
        return web.Response(status=500)

    def _open(self, token: str) -> web.Response:
        if token == BOT_TOKEN:
            return web.json_response({"ok": False, "error": "not_allowed_token_type"})
        if token != APP_TOKEN:
            return web.json_response({"ok": False, "error": "invalid_auth"})
        base = self.url.replace("http://", "ws://")
        ticket = self.delivery.ticket()
        return web.json_response({"ok": True, "url": f"{base}/lab/socket?ticket={ticket}"})

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        if self.away:
            return web.Response(status=503)
        return await self.delivery.serve(request)

    async def _upload(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if self.away or name not in self.workspace.files:
            return web.Response(status=503 if self.away else 404)
        self.workspace.contents[name] = await request.read()
        return web.Response(text=f"OK - {len(self.workspace.contents[name])}")

    async def _respond(self, request: web.Request) -> web.Response:
        found = self.workspace.responses.get(request.match_info["name"])
        if found is None or found["left"] <= 0:
            return web.Response(status=404, text="expired_url")
        message = await request.json()
        found["left"] -= 1
        if message.get("response_type") == "in_channel":
            self.workspace.post(found["channel"], {"text": message.get("text", "")})
        else:
            kept = {key: message[key] for key in ("text", "blocks") if key in message}
            self.workspace.whisper(found["user"], found["channel"], kept)
        return web.Response(text="ok")

    async def _state(self, request: web.Request) -> web.Response:
        user = request.query.get("user", "")
        space = self.workspace
        shown = {
            "version": space.version,
            "me": user,
            "members": [
                {"id": one.id, "name": one.real_name, "deleted": one.deleted, "team": one.team}
                for one in space.members.values()
            ],
            "channels": [one for one in space.channels.values() if one["is_member"]],
            "messages": {
                channel: [
                    {key: value for key, value in one.items() if key != "metadata"}
                    for one in found.values()
                ]
                for channel, found in space.messages.items()
            },
            "private": [one for one in space.private if one["user"] == user],
            "modal": space.modals.get(user),
            "home": space.homes.get(user),
            "connected": self.delivery.connections > 0 or bool(self.delivery.request_url),
        }
        return web.json_response(shown)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        """Say that something changed; the page then asks what."""
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"}
        )
        await response.prepare(request)
        task = asyncio.current_task()
        assert task is not None  # noqa: S101
        self._streams.add(task)
        version = -1
        try:
            while True:
                version = await self.workspace.beyond(version)
                await response.write(f"data: {version}\n\n".encode())
                await asyncio.sleep(0.05)
        except (ConnectionError, asyncio.CancelledError):
            return response
        finally:
            self._streams.discard(task)

    async def _file(self, request: web.Request) -> web.Response:
        found = self.workspace.contents.get(request.match_info["name"])
        if found is None:
            return web.Response(status=404)
        return web.Response(body=found, content_type="image/png")

    async def _act(self, request: web.Request) -> web.Response:
        """Do what somebody did on the page."""
        try:
            given = json.loads(await request.read())
            trouble = await self._acted(given)
        except (ValueError, KeyError, TypeError) as exc:
            return web.json_response({"trouble": f"the page sent nonsense: {exc}"}, status=400)
        return web.json_response({"trouble": trouble})

    async def _acted(self, given: Json) -> str:
        user = str(given["user"])
        match given["do"]:
            case "press":
                return await self.acting.press(
                    user, given["where"], given["action"], str(given.get("value") or "")
                )
            case "send":
                return await self.acting.send(user, given["filled"])
            case "close":
                self.acting.close(user)
                return ""
            case "type":
                return await self.acting.type(user, given["channel"], given["text"])
            case "home":
                return await self.acting.look_home(user)
            case other:
                raise ValueError(other)


async def _static(request: web.Request) -> web.Response:
    name, kind = _PAGE[request.path]
    text = resources.files("petops.lab").joinpath("slack_page", name).read_text(encoding="utf-8")
    return web.Response(text=text, content_type=kind, headers={"Cache-Control": "no-store"})
