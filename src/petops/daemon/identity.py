"""Who asks: what the channel vouches for, never what a request claims."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from petops.domain.policy import Identity

_GUARDED: Final = "/api/"
_NOBODY: Final = {
    "error": "a bearer token that this engine knows is needed",
    "hint": "send it as 'Authorization: Bearer …', or use the engine's Unix socket",
}


class Who(Protocol):
    """Tells who sends a request."""

    def __call__(self, authorization: str) -> Identity | None:
        """Return the sender by the Authorization header; None is nobody that is known."""


@dataclass(frozen=True, slots=True)
class SocketOwner:
    """Whoever can open the Unix socket is its owner: the user that Kubernetes says we are."""

    identity: Identity

    def __call__(self, authorization: str) -> Identity | None:
        return self.identity


@dataclass(frozen=True, slots=True)
class Tokens:
    """Bearer tokens. `users` maps a token's SHA-256 to its user; tokens themselves are not kept."""

    users: Mapping[str, str] = field(repr=False)

    def __call__(self, authorization: str) -> Identity | None:
        """Look at every token, so that the time taken tells nothing about any of them."""
        scheme, _, token = authorization.partition(" ")
        given = hashed(token.strip())
        found = ""
        for known, user in self.users.items():
            if hmac.compare_digest(known.lower().encode(), given.encode()):
                found = user
        if scheme.lower() != "bearer" or not token.strip() or not found:
            return None
        return Identity(user=found, channel="token")


def hashed(token: str) -> str:
    """Return what settings hold in place of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


class Authenticated:
    """Middleware: nobody passes to /api/ unknown; the rest learns who it is as `state.by`."""

    def __init__(self, app: ASGIApp, who: Who) -> None:
        self._app = app
        self._who = who

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(_GUARDED):
            await self._app(scope, receive, send)
            return
        by = self._who(Headers(scope=scope).get("authorization", ""))
        if by is None:
            answer = JSONResponse(_NOBODY, 401, headers={"WWW-Authenticate": "Bearer"})
            await answer(scope, receive, send)
            return
        scope.setdefault("state", {})["by"] = by
        await self._app(scope, receive, send)
