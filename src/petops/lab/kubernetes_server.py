"""The lab's Kubernetes API over HTTP: an ASGI application for uvicorn."""

from __future__ import annotations

from typing import Final, Protocol

from starlette.applications import Starlette
from starlette.datastructures import URL, Headers, QueryParams
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from petops.lab import kubernetes_status as says
from petops.lab.kubernetes_request import ApiAnswer, ApiRequest
from petops.lab.kubernetes_status import ApiError
from petops.lab.port_forwarding import CHANNELS, SPDY, Dial, Wire, over_channels, over_spdy

_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
_HIGHEST_PORT: Final = (1 << 16) - 1


class Handler(Protocol):
    """What answers: a `World`, or a `KubernetesApi` of its own."""

    async def handle(self, request: ApiRequest) -> ApiAnswer:
        """Answer one request."""

    def forward(self, request: ApiRequest) -> Dial | None:
        """Return who answers at a pod's ports; None for a request that is for something else."""


def kubernetes_app(api: Handler) -> Starlette:
    """Return the application that serves an API at every path."""

    async def answer(request: Request) -> Response:
        body = await request.body()
        return _response(
            await api.handle(_asked(request.method, request.url, request, body)),
        )

    async def upgrade(socket: WebSocket) -> None:
        """Let a client talk to a pod's ports; everything else is answered as without upgrade."""
        request = _asked("GET", socket.url, socket)
        try:
            dial = api.forward(request)
            ports = _ports(socket.query_params) if dial else []
        except ApiError as exc:
            await socket.send_denial_response(_response(ApiAnswer.of(exc.status, exc.code)))
            return
        offered = socket.scope["subprotocols"]
        chosen = next((one for one in offered if one in {SPDY, CHANNELS}), None)
        if dial is None or (chosen is None and offered):
            answered = await api.handle(request)
            if not isinstance(answered.body, bytes) or answered.status < 400:
                refused = says.bad_request("this is not served over a WebSocket")
                answered = ApiAnswer.of(refused.status, refused.code)
            await socket.send_denial_response(_response(answered))
            return
        await socket.accept(subprotocol=chosen)
        if chosen == SPDY:
            await over_spdy(dial, _wire(socket))
        else:
            await over_channels(dial, ports, _wire(socket))
        await _close(socket)

    every = "/{path:path}"
    return Starlette(
        routes=[Route(every, answer, methods=_METHODS), WebSocketRoute(every, upgrade)],
        exception_handlers={405: _unknown_method},
    )


def _unknown_method(_: Request, __: Exception) -> Response:
    refused = says.method_not_allowed()
    return _response(ApiAnswer.of(refused.status, refused.code))


class _Asked(Protocol):
    @property
    def query_params(self) -> QueryParams: ...

    @property
    def headers(self) -> Headers: ...


def _asked(method: str, url: URL, asked: _Asked, body: bytes = b"") -> ApiRequest:
    return ApiRequest(
        method=method,
        path=url.path,
        query=dict(asked.query_params),
        headers={name.lower(): value for name, value in asked.headers.items()},
        body=body,
    )


def _response(found: ApiAnswer) -> Response:
    headers = dict(found.headers)
    if isinstance(found.body, bytes):
        return Response(found.body, found.status, headers)
    return StreamingResponse(found.body, found.status, headers)


def _ports(query: QueryParams) -> list[int]:
    """Return the ports that a client of channels names; raise ApiError for what is none."""
    texts = [each for one in query.getlist("ports") for each in one.split(",") if each]
    ports = [int(text) if text.isdecimal() and len(text) < 6 else 0 for text in texts]
    if any(not 0 < port <= _HIGHEST_PORT for port in ports):
        raise says.bad_request("port must be between 1 and 65535, inclusive")
    return ports


def _wire(socket: WebSocket) -> Wire:
    async def receive() -> bytes | None:
        try:
            message = await socket.receive()
        except (WebSocketDisconnect, RuntimeError):
            return None
        if message["type"] == "websocket.disconnect":
            return None
        return message.get("bytes") or (message.get("text") or "").encode()

    async def send(data: bytes) -> None:
        try:
            await socket.send_bytes(data)
        except (WebSocketDisconnect, RuntimeError) as exc:
            raise ConnectionResetError("the client is gone") from exc

    return Wire(receive=receive, send=send)


async def _close(socket: WebSocket) -> None:
    try:
        await socket.close()
    except (WebSocketDisconnect, RuntimeError):
        return
