"""Who asks: what the channel vouches for, never what a request claims."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from petops.domain.access import (
    EVERY_ROLE,
    AccessRule,
    AccessToken,
    Role,
    holds,
    roles_of,
)
from petops.domain.policy import Identity
from petops.errors import PetopsError, SourceError

_GUARDED: Final = "/api/"
_NOBODY: Final = {
    "error": "a bearer token that this engine knows is needed",
    "hint": "send it as 'Authorization: Bearer …', or use the engine's Unix socket",
}
_SHORTEST_TOKEN: Final = 16
_LONGEST_TOKEN: Final = 16_384


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Somebody who is known, and what they may."""

    identity: Identity
    roles: tuple[Role, ...] = EVERY_ROLE

    def may(self, wanted: Role) -> bool:
        """Say whether they have the role, or one above it."""
        return holds(self.roles, wanted)


class Who(Protocol):
    """Tells who sends a request."""

    async def __call__(self, authorization: str) -> Caller | None:
        """Return the sender by the Authorization header; None is nobody that is known.

        Raise PetopsError where that cannot be found out now.
        """


class SocketOwner:
    """Whoever can open the Unix socket is its owner: the user that Kubernetes says we are."""

    def __init__(self, identity: Identity | Callable[[], Identity]) -> None:
        self._identity = identity

    async def __call__(self, authorization: str) -> Caller | None:
        del authorization
        known = self._identity
        return Caller(identity=known if isinstance(known, Identity) else known())


@dataclass(frozen=True, slots=True)
class Tokens:
    """Bearer tokens. `users` maps a token's SHA-256 to its user; tokens themselves are not kept."""

    users: Mapping[str, str] = field(repr=False)
    further: Sequence[AccessToken] = field(default=(), repr=False)

    async def __call__(self, authorization: str) -> Caller | None:
        """Look at every token, so that the time taken tells nothing about any of them."""
        token = bearer(authorization)
        given = hashed(token)
        found: Caller | None = None
        for known, user in self.users.items():
            if hmac.compare_digest(known.lower().encode(), given.encode()):
                found = Caller(identity=Identity(user=user, channel="token"))
        for one in self.further:
            if hmac.compare_digest(one.sha256.encode(), given.encode()):
                found = Caller(identity=Identity(user=one.user, channel="token"), roles=one.roles)
        return found if token else None


class Pending:
    """A token that is still being read: whom `others` do not know is told to come again later."""

    def __init__(self, token: asyncio.Future[str], user: str, others: Who) -> None:
        self._token = token
        self._user = user
        self._others = others

    async def __call__(self, authorization: str) -> Caller | None:
        if self._token.done() and not self._token.cancelled():
            own = Tokens({hashed(self._token.result()): self._user})
            return await AnyOf(own, self._others)(authorization)
        caller = await self._others(authorization)
        if caller is None and bearer(authorization):
            raise SourceError("this engine's own token is still being read", hint="petops doctor")
        return caller


class Reviewed:
    """Tokens of Kubernetes, by its own word; what it said is remembered for a little while."""

    def __init__(
        self,
        review: Callable[[str], Awaitable[Identity | None]],
        rules: Sequence[AccessRule],
        *,
        known_seconds: float = 30.0,
        unknown_seconds: float = 10.0,
        at_most: int = 1000,
        at_once: int = 8,
    ) -> None:
        self._review = review
        self._rules = rules
        self._seconds = (unknown_seconds, known_seconds)
        self._at_most = at_most
        self._slots = asyncio.Semaphore(at_once)
        self._said: OrderedDict[str, tuple[float, Caller | None]] = OrderedDict()

    async def __call__(self, authorization: str) -> Caller | None:
        token = bearer(authorization)
        if len(token) < _SHORTEST_TOKEN:  # Kubernetes need not be asked
            return None
        key = hashed(token)
        known = self._said.get(key)
        if known is not None and time.monotonic() < known[0]:
            return known[1]
        async with self._slots:
            by = await self._review(token)
        caller = None
        if by is not None and by.is_known:
            caller = Caller(identity=by, roles=roles_of(by.user, by.groups, self._rules))
        until = time.monotonic() + self._seconds[caller is not None]
        self._said[key] = (until, caller)
        self._said.move_to_end(key)
        while len(self._said) > self._at_most:
            self._said.popitem(last=False)
        return caller


class AnyOf:
    """The first that knows who it is."""

    def __init__(self, *ways: Who) -> None:
        self._ways = ways

    async def __call__(self, authorization: str) -> Caller | None:
        for way in self._ways:
            caller = await way(authorization)
            if caller is not None:
                return caller
        return None


def bearer(authorization: str) -> str:
    """Return the token of an Authorization header, empty where it has none that could be one."""
    scheme, _, token = authorization.partition(" ")
    token = token.strip()
    fits = scheme.lower() == "bearer" and len(token) <= _LONGEST_TOKEN and token.isascii()
    return token if fits else ""


def hashed(token: str) -> str:
    """Return what settings hold in place of a token."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


class Authenticated:
    """Middleware: nobody passes to /api/ unknown; the rest learns who it is as `state.caller`."""

    def __init__(self, app: ASGIApp, who: Who) -> None:
        self._app = app
        self._who = who

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(_GUARDED):
            await self._app(scope, receive, send)
            return
        answer: JSONResponse | None = None
        caller: Caller | None = None
        try:
            caller = await self._who(Headers(scope=scope).get("authorization", ""))
        except PetopsError as exc:
            told = {"error": f"who asks cannot be found out now: {exc.message}", "hint": exc.hint}
            answer = JSONResponse(told, 503, headers={"Retry-After": "5"})
        if answer is None and caller is None:
            answer = JSONResponse(_NOBODY, 401, headers={"WWW-Authenticate": "Bearer"})
        elif caller is not None and not caller.may(Role.VIEWER):
            told = {"error": f"{caller.identity.user} has no role here", "hint": "see [[access]]"}
            answer = JSONResponse(told, 403)
        if answer is not None:
            await answer(scope, receive, send)
            return
        scope.setdefault("state", {})["caller"] = caller
        await self._app(scope, receive, send)
