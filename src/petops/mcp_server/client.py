"""Asks Prometheus over HTTP, off the event loop, in a bounded pool of threads."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlsplit, urlunsplit

from requests.auth import AuthBase, HTTPBasicAuth
from requests.exceptions import RequestException
from urllib3.exceptions import HTTPError

from petops.errors import SourceError, UsageError
from petops.mcp_server.exchange import Bearer, Exchange, PrometheusSession, Reply
from petops.mcp_server.failures import Answered, answered, too_slow, unreachable

CONNECTIONS = 64
CONNECT_SECONDS = 3.0
MOST_BYTES = 64 * 1024**2


@dataclass(frozen=True, slots=True, kw_only=True)
class PrometheusAccess:
    """Where Prometheus is and how to be let in. At most one of user, token and `auth` counts.

    `verify` is False, or the path of a file with the certificate authorities to trust. `auth` signs
    requests in another way (Amazon Managed Prometheus wants SigV4).
    """

    url: str = field(repr=False)  # it may hold a password
    user: str = ""
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    auth: AuthBase | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    verify: bool | str = True
    timeout_seconds: float = 10.0

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UsageError(
                f"{self.where!r} is no address of a Prometheus",
                hint="it looks like http://HOST:9090, perhaps with a path",
            )

    @property
    def where(self) -> str:
        """The address for people to read: without user and password."""
        parts = urlsplit(self.url)
        return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])).rstrip("/")

    @property
    def authentication(self) -> AuthBase | None:
        """What signs each request."""
        if self.auth is not None:
            return self.auth
        if self.token:
            return Bearer(self.token)
        return HTTPBasicAuth(self.user, self.password) if self.user else None


class PrometheusHttp:
    """Prometheus' HTTP API. Each call raises SourceError where there is no good answer.

    A call that is cancelled or takes too long shuts its socket: its thread is free again at once,
    and Prometheus, which sees its client go, stops the query.
    """

    def __init__(self, access: PrometheusAccess) -> None:
        self._access = access
        self._session = PrometheusSession(
            access.url.rstrip("/"),
            headers=access.headers,
            auth=access.authentication,
            verify=access.verify,
            connections=CONNECTIONS,
        )
        self._threads = ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="prometheus")
        self._under_way: set[Exchange] = set()

    @property
    def where(self) -> str:
        """The address for people to read."""
        return self._access.where

    async def query(self, query: str, time: str | None = None) -> Answered:
        """Evaluate at one time (now, where none is given): RFC 3339, or Unix seconds."""
        return await self._ask_query("/api/v1/query", {"query": query, "time": time})

    async def query_range(self, query: str, start: str, end: str, step: str) -> Answered:
        """Evaluate at every step from start to end."""
        params = {"query": query, "start": start, "end": end, "step": step}
        return await self._ask_query("/api/v1/query_range", params)

    async def metric_names(self) -> tuple[str, ...]:
        """Return the names of all metrics, sorted."""
        return _strings((await self._ask("/api/v1/label/__name__/values")).data)

    async def label_values(self, label: str, match: str | None = None) -> tuple[str, ...]:
        """Return the values that a label has, of all series or of those that `match` selects."""
        path = f"/api/v1/label/{quote(label, safe='')}/values"
        return _strings((await self._ask(path, {"match[]": match})).data)

    async def metadata(self, metric: str) -> Answered:
        """Return type, help and unit of one metric, as its targets tell them."""
        return await self._ask("/api/v1/metadata", {"metric": metric})

    async def targets(self) -> Answered:
        """Return the targets that are being scraped."""
        return await self._ask("/api/v1/targets", {"state": "active"})

    async def check(self, timeout_seconds: float = 3.0) -> None:
        """Raise SourceError unless queries are answered (`/-/ready` is not served everywhere)."""
        await self._ask("/api/v1/query", {"query": "vector(1)"}, timeout_seconds=timeout_seconds)

    def close(self) -> None:
        """Break off what is under way, and let the threads go."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for exchange in tuple(self._under_way):
            exchange.abandon()
        self._session.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    async def _ask_query(self, path: str, params: Mapping[str, str | None]) -> Answered:
        """Ask by POST, which has no limit of length; Prometheus keeps the deadline as well."""
        seconds = self._access.timeout_seconds
        return await self._ask(path, {**params, "timeout": f"{seconds:g}"}, method="POST")

    async def _ask(
        self,
        path: str,
        params: Mapping[str, str | None] | None = None,
        *,
        method: str = "GET",
        timeout_seconds: float | None = None,
    ) -> Answered:
        seconds = self._access.timeout_seconds if timeout_seconds is None else timeout_seconds
        given = {name: value for name, value in (params or {}).items() if value is not None}
        exchange = Exchange()
        work = partial(self._answer, exchange, path, method, given, seconds)
        self._under_way.add(exchange)
        try:
            async with asyncio.timeout(seconds):
                return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        except TimeoutError as exc:
            raise too_slow(self.where, seconds) from exc
        finally:
            self._under_way.discard(exchange)
            exchange.abandon()

    def _answer(
        self,
        exchange: Exchange,
        path: str,
        method: str,
        params: Mapping[str, str],
        seconds: float,
    ) -> Answered:
        """Fetch and parse, both in the thread."""
        reply = self._fetch(exchange, path, method, params, seconds)
        return answered(reply, self.where)

    def _fetch(
        self,
        exchange: Exchange,
        path: str,
        method: str,
        params: Mapping[str, str],
        seconds: float,
    ) -> Reply:
        try:
            return self._session.fetch(
                exchange,
                path,
                method=method,
                params=params,
                timeout=(min(CONNECT_SECONDS, seconds), seconds),
                most_bytes=MOST_BYTES,
            )
        except (RequestException, HTTPError, OSError) as exc:
            raise unreachable(exc, self.where, seconds) from exc


def _strings(data: Any) -> tuple[str, ...]:
    if not isinstance(data, list):
        raise SourceError("Prometheus' list of names is not a list")
    return tuple(map(str, data))


def header_lines(given: tuple[str, ...]) -> dict[str, str]:
    """Return `Name: value` lines as headers; raise UsageError for what is none."""
    found = {}
    for line in given:
        name, colon, value = line.partition(":")
        if not colon or not name.strip() or not line.isprintable():
            raise UsageError(
                f"{name.strip()[:40]!r} is no header", hint="prometheus.headers has Name: value"
            )
        found[name.strip()] = value.strip()
    return found
