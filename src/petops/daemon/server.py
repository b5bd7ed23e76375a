"""An engine's three methods over HTTP, and the alarms that are posted to it.

Errors are `{"error": …, "hint": …}`, never a traceback. Bodies are bounded in size and in time.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any, Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from petops import wire
from petops.daemon import openapi
from petops.daemon.forwarding import forwarded
from petops.daemon.health import Metrics
from petops.daemon.identity import (
    AnyOf,
    Authenticated,
    Caller,
    Reviewed,
    SocketOwner,
    Tokens,
    Who,
    hashed,
)
from petops.daemon.limits import Limits
from petops.daemon.lingering import Lingering
from petops.daemon.listen import serve_http, serve_socket
from petops.daemon.reading import Pages
from petops.daemon.serves import ElsewhereError, ParseAlarms, Serves
from petops.daemon.sse import KEEP_ALIVE_SECONDS, EntryStream
from petops.daemon.summary import summary
from petops.domain.access import Role, role_for
from petops.domain.events import ApprovalRefused, Entry, RequestRefused
from petops.domain.requests import AnyRequest, ReportAlarm
from petops.errors import PetopsError, UsageError

__all__ = [
    "AnyOf",
    "ElsewhereError",
    "Limits",
    "ParseAlarms",
    "Reviewed",
    "Serves",
    "SocketOwner",
    "Tokens",
    "hashed",
    "serve_http",
    "serve_socket",
    "server",
]

BODY_SECONDS: Final = 10.0
_READY_SECONDS: Final = 2.0
_EXAMINE_SECONDS: Final = 60.0
_JSON: Final = "application/json"

Examine = Callable[[], Awaitable[Sequence[Mapping[str, Any]]]]
"""Looks at everything that is set up, as `petops doctor` does."""


def server(
    engine: Serves,
    who: Who,
    alarms: Mapping[str, ParseAlarms],
    *,
    about: Mapping[str, str] | None = None,
    body_seconds: float = BODY_SECONDS,
    keep_alive_seconds: float = KEEP_ALIVE_SECONDS,
    more: Sequence[Route] = (),
    limits: Limits | None = None,
    metrics: Metrics | None = None,
    examine: Examine | None = None,
) -> Starlette:
    """Return the API of `engine` for one listener: `who` says who sends what comes in there.

    `alarms` has the parser for each `/api/v1/alarms/NAME`; `about` says which engine this is;
    `more` are doors of others, which say for themselves who may come in. Without `limits` there are
    none.
    """
    api = _Api(engine, alarms, dict(about or {}), body_seconds, keep_alive_seconds)
    api.limits, api.examine = limits, examine
    api.counted = metrics or Metrics()
    app = Starlette(
        routes=[
            Route("/healthz", api.alive),
            Route("/health", api.alive),
            Route("/readyz", api.ready),
            Route("/metrics", api.metrics),
            Route("/api/v1/engine", api.about),
            Route(openapi.PATH, api.described),
            Route("/api/v1/board", api.board),
            Route("/api/v1/incidents", api.incidents),
            Route("/api/v1/incidents/{id}", api.incident),
            Route("/api/v1/entries", api.entries),
            Route("/api/v1/doctor", api.doctor),
            Route("/api/v1/requests", api.request, methods=["POST"]),
            Route("/api/v1/alarms/{source}", api.alarms, methods=["POST"]),
            *more,
            *Pages(engine, who).routes,
        ],
        middleware=[Middleware(Lingering), Middleware(Authenticated, who=who)],
        exception_handlers={HTTPException: _http, PetopsError: _petops, Exception: _mistake},
    )
    app.router.redirect_slashes = False  # to an address that the sender's Host header makes up
    app.state.stopping = api.stopping
    return app


class _Api:
    """The endpoints of one listener."""

    def __init__(
        self,
        engine: Serves,
        alarms: Mapping[str, ParseAlarms],
        about: Mapping[str, str],
        body_seconds: float,
        keep_alive_seconds: float,
    ) -> None:
        self._engine = engine
        self._alarms = alarms
        self._about = about
        self._body_seconds = body_seconds
        self._keep_alive_seconds = keep_alive_seconds
        self.counted = Metrics()
        self.limits: Limits | None = None
        self.examine: Examine | None = None
        self.stopping = asyncio.Event()

    async def alive(self, _: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def ready(self, _: Request) -> Response:
        """Answer for the journal and the engine only; what else is wrong, `doctor` finds."""
        if self.stopping.is_set():
            return _error(503, "the engine is stopping")
        try:
            async with asyncio.timeout(_READY_SECONDS):
                board = await self._engine.board()
        except TimeoutError:
            return _error(503, "the engine does not answer")
        return JSONResponse({"ready": True, "seq": board.seq})

    async def metrics(self, _: Request) -> Response:
        board = await self._engine.board()
        text = await asyncio.to_thread(self.counted.text, board)
        return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")

    async def about(self, request: Request) -> Response:
        self._allowed(request)
        return JSONResponse(self._about)

    async def described(self, request: Request) -> Response:
        self._allowed(request)
        return JSONResponse(openapi.document())

    async def doctor(self, request: Request) -> Response:
        """Look at everything that is set up; that takes a while."""
        self._allowed(request)
        if self.examine is None:
            return _error(501, "this engine cannot look at what is set up", "petops doctor")
        try:
            async with asyncio.timeout(_EXAMINE_SECONDS):
                checks = await self.examine()
        except TimeoutError:
            return _error(503, f"the doctor took longer than {_EXAMINE_SECONDS:g} s")
        return JSONResponse({"checks": list(checks)})

    def _allowed(self, request: Request, role: Role = Role.VIEWER) -> Caller:
        """Return who asks; raise HTTPException where they may not, or not so often."""
        caller: Caller = request.state.caller
        if not caller.may(role):
            raise HTTPException(403, f"{caller.identity.user or 'nobody'} has no role {role} here")
        wait = self.limits.wait(_client(caller)) if self.limits else 0.0
        if wait:
            head = {"Retry-After": str(max(1, round(wait)))}
            raise HTTPException(429, "too many requests: wait a moment", head)
        return caller

    async def board(self, request: Request) -> Response:
        """Send the board; it may be large, so that it is written in another thread."""
        self._allowed(request)
        board = await self._engine.board()
        return Response(await asyncio.to_thread(wire.board_to_json, board), media_type=_JSON)

    async def incidents(self, request: Request) -> Response:
        self._allowed(request)
        board = await self._engine.board()
        return JSONResponse({"incidents": [summary(one) for one in board.incidents.values()]})

    async def incident(self, request: Request) -> Response:
        self._allowed(request)
        wanted = request.path_params["id"]
        found = (await self._engine.board()).incident(wanted)
        if found is None:
            return _error(
                404, f"there is no incident {wanted[:80]!r}", "petops incidents lists them"
            )
        return Response(wire.incident_to_json(found), media_type=_JSON)

    async def entries(self, request: Request) -> Response:
        caller = self._allowed(request)
        given = request.headers.get("last-event-id") or request.query_params.get("after", "0")
        if not (given.isascii() and given.isdigit() and len(given) < 19):
            raise UsageError(f"{given[:40]!r} is no entry's number")
        entries = self._engine.entries(int(given))
        held = ExitStack()
        if self.limits and not held.enter_context(self.limits.stream(_client(caller))):
            raise HTTPException(429, "too many streams at once: close one", {"Retry-After": "5"})
        return EntryStream(entries, self.stopping, self._keep_alive_seconds, held.close)

    async def request(self, request: Request) -> Response:
        body = await self._body(request)
        wanted = wire.request_from_json(body)
        self._allowed(request, role_for(wanted))
        try:
            entry = await self._submit(wanted, request)
        except ElsewhereError as exc:
            return await forwarded(request, body, exc)
        status = 409 if _is_refusal(entry) else 202
        return Response(wire.entry_to_json(entry), status, media_type=_JSON)

    async def alarms(self, request: Request) -> Response:
        """Report each alarm in the body; its change's own id makes that idempotent."""
        caller: Caller = request.state.caller
        if not caller.may(Role.RESPONDER):
            raise HTTPException(403, f"{caller.identity.user} has no role {Role.RESPONDER} here")
        parse = self._alarms.get(request.path_params["source"])
        if parse is None:
            known = ", ".join(self._alarms) or "none"
            return _error(404, f"alarms are taken in these forms: {known}")
        with ExitStack() as held:
            if self.limits and not held.enter_context(self.limits.alarms()):
                raise HTTPException(429, "too many alarms at once", {"Retry-After": "2"})
            return await self._reported(parse, await self._body(request), request)

    async def _reported(self, parse: ParseAlarms, body: bytes, request: Request) -> Response:
        """Report all alarms of one body at the same time: one that waits holds up no other."""
        reports = [
            ReportAlarm(id=f"{alarm.source}:{alarm.event_id}", alarm=alarm) for alarm in parse(body)
        ]
        for report in reports:
            _written(report)
        try:
            entries = await asyncio.gather(*(self._submit(one, request) for one in reports))
        except ElsewhereError as exc:
            return await forwarded(request, body, exc)
        told = ",".join(wire.entry_to_json(entry) for entry in entries)
        return Response(f'{{"entries":[{told}]}}', 202, media_type=_JSON)

    async def _submit(self, wanted: AnyRequest, request: Request) -> Entry:
        entry = await self._engine.submit(wanted, request.state.caller.identity)
        self.counted.took(wire.kind_of(type(wanted)), refused=_is_refusal(entry))
        return entry

    async def _body(self, request: Request) -> bytes:
        """Return the whole body, of one kind, not too large, in good time."""
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _JSON:
            raise HTTPException(415, "the body must be application/json")
        length = request.headers.get("content-length", "0")
        if length.isdigit() and int(length) > wire.MAX_REQUEST_BYTES:
            raise _too_large()
        body = bytearray()
        try:
            async with asyncio.timeout(self._body_seconds):
                async for piece in request.stream():
                    body += piece
                    if len(body) > wire.MAX_REQUEST_BYTES:
                        raise _too_large()
        except TimeoutError:
            raise HTTPException(408, "the body took too long", {"Connection": "close"}) from None
        except ClientDisconnect:
            raise HTTPException(400, "the body is not whole") from None
        return bytes(body)


def _client(caller: Caller) -> str:
    return f"{caller.identity.channel}/{caller.identity.user}"


def _too_large() -> HTTPException:
    told = f"the body is larger than {wire.MAX_REQUEST_BYTES} bytes"
    return HTTPException(413, told, {"Connection": "close"})


def _written(report: ReportAlarm) -> None:
    """Turn away what no journal could hold: JSON can name characters that are none."""
    try:
        wire.request_to_json(report)
    except ValueError as exc:
        raise UsageError("the alarm holds what cannot be written down as UTF-8") from exc


def _is_refusal(entry: Entry) -> bool:
    return isinstance(entry.event, ApprovalRefused | RequestRefused)


def _error(
    status: int, error: str, hint: str | None = None, headers: Mapping[str, str] | None = None
) -> Response:
    text = json.dumps({"error": error, "hint": hint})
    return Response(text, status, headers, media_type=_JSON)


def _http(_: Request, exc: Exception) -> Response:
    assert isinstance(exc, HTTPException)  # noqa: S101
    return _error(exc.status_code, exc.detail, headers=exc.headers)


def _petops(_: Request, exc: Exception) -> Response:
    assert isinstance(exc, PetopsError)  # noqa: S101
    return _error(400 if isinstance(exc, UsageError) else 503, exc.message, exc.hint)


def _mistake(_: Request, exc: Exception) -> Response:
    return _error(500, "petops made a mistake", "the engine's log says more")
