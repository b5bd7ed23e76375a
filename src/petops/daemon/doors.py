"""Doors of others on the API's port, such as Slack's: they open and close while the API serves."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route


class Doors:
    """Routes that say for themselves who may come in; only the leading replica has them open."""

    def __init__(self) -> None:
        self.open: Sequence[Route] = ()

    @property
    def routes(self) -> list[Route]:
        """Where they are found."""
        return [Route("/slack/{name}", self.enter, methods=["POST"])]

    def close(self) -> None:
        """Let nobody in any more."""
        self.open = ()

    async def enter(self, request: Request) -> Response:
        for one in self.open:
            if one.path == request.url.path:
                answer: Response = await one.endpoint(request)
                return answer
        told = {"error": "nobody is behind this door here", "hint": None}
        return JSONResponse(told, 503 if not self.open else 404)
