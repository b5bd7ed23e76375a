"""The lab's Kubernetes API over HTTP: an ASGI application for uvicorn."""

from __future__ import annotations

from typing import Protocol

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from petops.lab.kubernetes_request import ApiAnswer, ApiRequest

_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


class Handler(Protocol):
    """What answers: a `World`, or a `KubernetesApi` of its own."""

    async def handle(self, request: ApiRequest) -> ApiAnswer:
        """Answer one request."""


def kubernetes_app(api: Handler) -> Starlette:
    """Return the application that serves an API at every path."""

    async def answer(request: Request) -> Response:
        found = await api.handle(
            ApiRequest(
                method=request.method,
                path=request.url.path,
                query=dict(request.query_params),
                headers={name.lower(): value for name, value in request.headers.items()},
                body=await request.body(),
            )
        )
        headers = dict(found.headers)
        if isinstance(found.body, bytes):
            return Response(found.body, found.status, headers)
        return StreamingResponse(found.body, found.status, headers)

    return Starlette(routes=[Route("/{path:path}", answer, methods=_METHODS)])
