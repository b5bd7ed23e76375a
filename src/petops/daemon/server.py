"""An engine's three methods over HTTP, and the alarms that are posted to it.

Errors are `{"error": …, "hint": …}`, never a traceback. Bodies are bounded in size and in time.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Final, Protocol

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from petops import wire
from petops.daemon.health import Metrics
from petops.daemon.identity import Authenticated, SocketOwner, Tokens, Who, hashed
from petops.daemon.listen import serve_http, serve_socket
from petops.daemon.sse import KEEP_ALIVE_SECONDS, EntryStream
from petops.domain.alarm import Alarm
from petops.domain.events import ApprovalRefused, Entry, RequestRefused
from petops.domain.incident import Board, Incident
from petops.domain.policy import Identity
from petops.domain.requests import AnyRequest, ReportAlarm
from petops.errors import PetopsError, UsageError

__all__ = [
    "ParseAlarms",
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
_JSON: Final = "application/json"

ParseAlarms = Callable[[bytes], Sequence[Alarm]]
"""Reads the body of a webhook; raises UsageError with one sentence for what is malformed."""


class Serves(Protocol):
    """An engine as the server sees it: `EngineHandle`, told who asks."""

    async def board(self) -> Board:
        """Return every incident as it is now."""

    def entries(self, after: int) -> AsyncIterator[Entry]:
        """Follow the journal: what stands after `after`, then what comes, without end."""

    async def submit(self, request: AnyRequest, by: Identity) -> Entry:
        """Return the entry that answers the request; a refusal is one too."""


def server(
    engine: Serves,
    who: Who,
    alarms: Mapping[str, ParseAlarms],
    *,
    about: Mapping[str, str] | None = None,
    body_seconds: float = BODY_SECONDS,
    keep_alive_seconds: float = KEEP_ALIVE_SECONDS,
    more: Sequence[Route] = (),
) -> Starlette:
    """Return the API of `engine` for one listener: `who` says who sends what comes in there.

    `alarms` has the parser for each `/api/v1/alarms/NAME`; `about` says which engine this is;
    `more` are doors of others, which say for themselves who may come in.
    """
    api = _Api(engine, alarms, dict(about or {}), body_seconds, keep_alive_seconds)
    app = Starlette(
        routes=[
            Route("/healthz", api.alive),
            Route("/readyz", api.ready),
            Route("/metrics", api.metrics),
            Route("/api/v1/engine", api.about),
            Route("/api/v1/board", api.board),
            Route("/api/v1/incidents", api.incidents),
            Route("/api/v1/incidents/{id}", api.incident),
            Route("/api/v1/entries", api.entries),
            Route("/api/v1/requests", api.request, methods=["POST"]),
            Route("/api/v1/alarms/{source}", api.alarms, methods=["POST"]),
            *more,
        ],
        middleware=[Middleware(Authenticated, who=who)],
        exception_handlers={HTTPException: _http, PetopsError: _petops, Exception: _mistake},
    )
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
        self._metrics = Metrics()
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
        text = self._metrics.text(await self._engine.board())
        return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")

    async def about(self, _: Request) -> Response:
        return JSONResponse(self._about)

    async def board(self, _: Request) -> Response:
        """Send the board; it may be large, so that it is written in another thread."""
        board = await self._engine.board()
        return Response(await asyncio.to_thread(wire.board_to_json, board), media_type=_JSON)

    async def incidents(self, _: Request) -> Response:
        board = await self._engine.board()
        return JSONResponse({"incidents": [_summary(one) for one in board.incidents.values()]})

    async def incident(self, request: Request) -> Response:
        wanted = request.path_params["id"]
        found = (await self._engine.board()).incident(wanted)
        if found is None:
            return _error(404, f"there is no incident {wanted[:80]}", "petops incidents lists them")
        return Response(wire.incident_to_json(found), media_type=_JSON)

    async def entries(self, request: Request) -> Response:
        given = request.headers.get("last-event-id") or request.query_params.get("after", "0")
        if not (given.isascii() and given.isdigit() and len(given) < 19):
            raise UsageError(f"{given[:40]!r} is no entry's number")
        entries = self._engine.entries(int(given))
        return EntryStream(entries, self.stopping, self._keep_alive_seconds)

    async def request(self, request: Request) -> Response:
        entry = await self._submit(wire.request_from_json(await self._body(request)), request)
        status = 409 if _is_refusal(entry) else 202
        return Response(wire.entry_to_json(entry), status, media_type=_JSON)

    async def alarms(self, request: Request) -> Response:
        """Report each alarm in the body; its change's own id makes that idempotent."""
        parse = self._alarms.get(request.path_params["source"])
        if parse is None:
            known = ", ".join(self._alarms) or "none"
            return _error(404, f"alarms are taken in these forms: {known}")
        found = parse(await self._body(request))
        reports = [
            ReportAlarm(id=f"{alarm.source}:{alarm.event_id}", alarm=alarm) for alarm in found
        ]
        for report in reports:
            _written(report)
        entries = [await self._submit(report, request) for report in reports]
        body = ",".join(wire.entry_to_json(entry) for entry in entries)
        return Response(f'{{"entries":[{body}]}}', 202, media_type=_JSON)

    async def _submit(self, wanted: AnyRequest, request: Request) -> Entry:
        entry = await self._engine.submit(wanted, request.state.by)
        self._metrics.took(wire.kind_of(type(wanted)), refused=_is_refusal(entry))
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


def _summary(incident: Incident) -> dict[str, Any]:
    """Return what a list shows of an incident; keys stand always."""
    cause = incident.diagnosis.cause if incident.diagnosis else None
    return {
        "id": incident.id,
        "phase": incident.phase,
        "priority": incident.assessment.priority,
        "category": incident.assessment.category,
        "alarm": incident.alarm.name,
        "alarm_state": incident.alarm_state,
        "cluster": str(incident.alarm.cluster),
        "subject": str(incident.alarm.subject or ""),
        "opened_at": incident.opened_at.isoformat().replace("+00:00", "Z"),
        "joined": incident.joined,
        "mode": cause.mode if cause else None,
        "on_offer": [one.digest for one in incident.on_offer],
        "acknowledged_by": incident.acknowledged.by.user if incident.acknowledged else None,
    }


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
