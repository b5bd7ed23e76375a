"""An engine in another process, over its Unix socket or over HTTP."""

from __future__ import annotations

import asyncio
import json
import random
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from petops import wire
from petops.config.network import proxy_for
from petops.domain.events import Entry
from petops.domain.incident import Board
from petops.domain.requests import AnyRequest
from petops.errors import PetopsError, RefusedError, UsageError

if TYPE_CHECKING:
    import httpx2

Renew = Callable[[], Awaitable[str]]

_ANSWER_SECONDS: Final = 30.0
_CONNECT_SECONDS: Final = 5.0
_SILENCE_SECONDS: Final = 45.0  # three signs of life missed
_FIRST_PAUSE_SECONDS: Final = 0.1
_LONGEST_PAUSE_SECONDS: Final = 5.0
_ATTEMPTS: Final = 3
_TAKEN: Final = {202, 409}


class RemoteEngine:
    """`EngineHandle` by way of the daemon's API."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self._client = client
        self._is_following = False
        self.connections = 0
        """How often `entries` got its connection: two looks may miss that it was lost between."""

    @property
    def is_following(self) -> bool:
        """Whether `entries` has its connection; False while it is trying to get it back."""
        return self._is_following

    async def board(self) -> Board:
        """Return every incident as it is now; raise PetopsError if the engine cannot be reached."""
        answer = await self._ask("GET", "/api/v1/board")
        return await asyncio.to_thread(wire.board_from_json, answer.content)

    async def submit(self, request: AnyRequest) -> Entry:
        """Return the entry that answers the request; a refusal is one too."""
        body = wire.request_to_json(request)
        return wire.entry_from_json((await self._ask("POST", "/api/v1/requests", body)).content)

    async def about(self) -> Mapping[str, Any]:
        """Return which engine this is: its cluster, environment and version, where it says so."""
        return await self._told("/api/v1/engine")

    async def doctor(self) -> Sequence[Mapping[str, Any]]:
        """Return how its integrations fare: each with name, verdict, what is told, and a fix."""
        checks = (await self._told("/api/v1/doctor")).get("checks")
        return [one for one in checks if isinstance(one, dict)] if isinstance(checks, list) else []

    async def _told(self, path: str) -> Mapping[str, Any]:
        try:
            told: Any = json.loads((await self._ask("GET", path)).content)
        except ValueError as exc:
            raise PetopsError(f"the engine's answer at {path} is no JSON") from exc
        return told if isinstance(told, dict) else {}

    async def entries(self, after: int) -> AsyncGenerator[Entry, None]:
        """Follow the journal, and come back by itself where the connection is lost.

        Raise PetopsError where coming back is of no use: the engine refuses.
        """
        lost = 0
        try:
            while True:
                async with aclosing(self._followed(after)) as followed:
                    async for entry in followed:
                        after, lost = entry.seq, 0
                        yield entry
                self._is_following = False
                await asyncio.sleep(_pause(lost))
                lost += 1
        finally:
            self._is_following = False

    async def _followed(self, after: int) -> AsyncGenerator[Entry, None]:
        """Yield entries for as long as one connection lasts."""
        import httpx2  # noqa: PLC0415 (late, so that commands start fast)

        head = {"Accept": "text/event-stream", "Last-Event-ID": str(after)}
        timeout = httpx2.Timeout(_CONNECT_SECONDS, read=_SILENCE_SECONDS)
        try:
            stream = self._client.stream("GET", "/api/v1/entries", headers=head, timeout=timeout)
            async with stream as answer:
                if answer.status_code >= httpx2.codes.INTERNAL_SERVER_ERROR:
                    return
                if not answer.is_success:
                    await answer.aread()
                    raise _refused(answer)
                self._is_following = True
                self.connections += 1
                async with aclosing(_events(answer.aiter_bytes())) as events:
                    async for data in events:
                        entry = wire.entry_from_json(data)
                        if entry.seq > after:
                            yield entry
        except httpx2.TransportError:
            return

    async def _ask(self, method: str, path: str, body: bytes | None = None) -> httpx2.Response:
        """Return the answer. Asked again where it got lost: a request has one effect by its id."""
        import httpx2  # noqa: PLC0415 (late, so that commands start fast)

        head = {"Content-Type": "application/json"} if body is not None else {}
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                answer = await self._client.request(method, path, content=body, headers=head)
                break
            except (httpx2.ReadError, httpx2.WriteError, httpx2.RemoteProtocolError) as exc:
                if attempt == _ATTEMPTS:
                    raise _unreachable(self._client.base_url, exc) from exc
                await asyncio.sleep(_pause(attempt))
            except httpx2.TransportError as exc:
                raise _unreachable(self._client.base_url, exc) from exc
        if not answer.is_success and answer.status_code not in _TAKEN:
            raise _refused(answer)
        return answer


@asynccontextmanager
async def connected(
    where: Path | str, token: str = "", renew: Renew | None = None
) -> AsyncIterator[RemoteEngine]:
    """Connect to the engine at a socket's path or a base URL; raise PetopsError if none answers.

    `renew` gives another token in place of one that has expired.
    """
    import httpx2  # noqa: PLC0415 (late, so that commands start fast)

    timeout = httpx2.Timeout(_ANSWER_SECONDS, connect=_CONNECT_SECONDS)
    base = "http://petops" if isinstance(where, Path) else where
    secure = base.lower().startswith("https:")  # reading the certificates takes 40 ms
    uds = str(where) if isinstance(where, Path) else None
    try:
        transport = httpx2.AsyncHTTPTransport(
            uds=uds,
            verify=secure,
            trust_env=secure,  # SSL_CERT_FILE
            proxy=None if uds else proxy_for(base),
        )
        client = httpx2.AsyncClient(
            base_url=base,
            transport=transport,
            auth=_auth(token, renew) if token else None,
            timeout=timeout,
            trust_env=False,
        )
    except (httpx2.InvalidURL, ValueError) as exc:
        raise UsageError(f"{where} is no address of an engine") from exc
    async with client:
        await _probe(client, where)
        yield RemoteEngine(client)


def _auth(token: str, renew: Renew | None) -> httpx2.Auth:
    """Return what sends the bearer token, and a renewed one where it is turned away."""
    import httpx2  # noqa: PLC0415 (late, so that commands start fast)

    class Bearer(httpx2.Auth):
        def __init__(self) -> None:
            self._token = token
            self._renewing = asyncio.Lock()

        async def async_auth_flow(
            self, request: httpx2.Request
        ) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
            sent = self._token
            request.headers["Authorization"] = f"Bearer {sent}"
            answer = yield request
            if answer.status_code != httpx2.codes.UNAUTHORIZED or renew is None:
                return
            async with self._renewing:
                if self._token == sent:  # else another request has just done it
                    self._token = await renew() or sent
            if self._token != sent:
                request.headers["Authorization"] = f"Bearer {self._token}"
                yield request

    return Bearer()


def socket_is_alive(path: Path) -> bool:
    """Say whether some process listens on the Unix socket at `path`."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


async def _probe(client: httpx2.AsyncClient, where: Path | str) -> None:
    import httpx2  # noqa: PLC0415 (late, so that commands start fast)

    try:
        answer = await client.get("/healthz", timeout=_CONNECT_SECONDS)
    except httpx2.UnsupportedProtocol as exc:
        raise UsageError(
            f"{where} is no address of an engine", hint="an address is like http://127.0.0.1:8080"
        ) from exc
    except httpx2.TransportError as exc:
        raise _unreachable(where, exc) from exc
    if not answer.is_success:
        raise PetopsError(
            f"what answers at {where} is no engine of petops (HTTP {answer.status_code})",
            hint="is that the right address?",
        )


async def _events(pieces: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """Yield the data of each server-sent event.

    Lines end at a newline only: text may hold other characters that `splitlines` takes for ends.
    """
    kept = b""
    async for piece in pieces:
        *whole, kept = (kept + piece).split(b"\n\n")
        for one in whole:
            for line in one.split(b"\n"):
                if line.startswith(b"data: "):
                    yield line.removeprefix(b"data: ")


def _pause(lost: int) -> float:
    """Return how long to wait: longer each time up to a bound, and not the same for everybody."""
    longest = min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * (1 << min(lost, 10)))
    return longest * random.uniform(0.5, 1)  # noqa: S311


def _unreachable(where: object, exc: Exception) -> PetopsError:
    why = str(exc) or type(exc).__name__
    return PetopsError(
        f"no engine answers at {where}: {why}",
        hint="start one with `petops daemon`, or look whether the address is right",
    )


def _refused(answer: httpx2.Response) -> PetopsError:
    """Return the error that an engine (or what stands before it) answered with."""
    try:
        told: Any = json.loads(answer.content)
    except ValueError:
        told = None
    error = told.get("error") if isinstance(told, dict) else None
    hint = told.get("hint") if isinstance(told, dict) else None
    message = str(error or f"the engine answered HTTP {answer.status_code}")
    made = {400: UsageError, 403: RefusedError}.get(answer.status_code, PetopsError)
    return made(message, hint=str(hint) if hint else None)
