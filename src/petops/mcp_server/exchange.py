"""One HTTP exchange with Prometheus, in a thread: bounded in time and size, and breakable.

Rule: nothing here knows asyncio; `client.py` runs it in its own threads.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from prometheus_api_client import PrometheusConnect
from requests import PreparedRequest, Response, Session
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase, HTTPBasicAuth
from requests.utils import get_netrc_auth
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from petops.errors import SourceError

_CHUNK_BYTES = 64 * 1024


class Exchange:
    """A request under way. `abandon` shuts its socket: both its thread and Prometheus stop."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connection: _Breakable | None = None
        self.is_abandoned = False

    def runs_on(self, connection: _Breakable) -> None:
        """Remember the connection that the request is about to be sent over."""
        with self._lock:
            self._connection = connection
            connection.exchange = self

    def abandon(self) -> None:
        """Break the request off; nothing happens to one that has ended."""
        with self._lock:
            self.is_abandoned = True
            connection = self._connection
            # Its connection may serve another request by now.
            if connection is None or connection.exchange is not self or connection.sock is None:
                return
            with contextlib.suppress(OSError):
                # The plain socket's method: the TLS one pulls the session from under its reader.
                socket.socket.shutdown(connection.sock, socket.SHUT_RDWR)

    def ended(self) -> None:
        """Let go of the connection."""
        with self._lock:
            if self._connection is not None and self._connection.exchange is self:
                self._connection.exchange = None
            self._connection = None


_under_way: ContextVar[Exchange | None] = ContextVar("exchange", default=None)


class _Breakable(HTTPConnection):
    """A connection that tells the thread's exchange which socket it uses."""

    exchange: Exchange | None = None

    def request(self, *args: Any, **kwargs: Any) -> None:
        if exchange := _under_way.get():
            exchange.runs_on(self)
        super().request(*args, **kwargs)


class _BreakableTls(_Breakable, HTTPSConnection):
    """The same over TLS."""


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Breakable


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _BreakableTls


class _Adapter(HTTPAdapter):
    """Keeps one connection for each thread, and tries nothing twice: whoever asks decides that."""

    def __init__(self, connections: int) -> None:
        super().__init__(pool_connections=1, pool_maxsize=connections, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}


class Bearer(AuthBase):
    """A bearer token, set where a .netrc file of the user's cannot replace it."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came back, whatever it is; `failures.py` judges it."""

    status: int
    reason: str
    content_type: str
    location: str
    body: bytes


class PrometheusSession(PrometheusConnect):  # type: ignore[misc]  # untyped
    """prometheus-api-client's session, asked for whole answers.

    Its own query methods keep only `data.result`: the result's type, Prometheus' warnings and, for
    a bad query, the parser's message would be lost.
    """

    def __init__(
        self,
        url: str,
        *,
        headers: Mapping[str, str],
        auth: AuthBase | None,
        verify: bool | str,
        connections: int,
    ) -> None:
        session = Session()
        session.verify = verify
        auth = auth or _netrc(url)
        _read_environment_once(session, url)
        super().__init__(url=url, headers=dict(headers), auth=auth, session=session)
        session.mount(url, _Adapter(connections))  # in place of the one that the parent has mounted
        self._http = session

    def fetch(
        self,
        exchange: Exchange,
        path: str,
        *,
        method: str,
        params: Mapping[str, str],
        timeout: tuple[float, float],
        most_bytes: int,
    ) -> Reply:
        """Ask, and read the answer until it is complete, too long or abandoned."""
        token = _under_way.set(exchange)
        try:
            if exchange.is_abandoned:  # while it waited for a thread
                raise SourceError("the request was abandoned")
            fields = {"data" if method == "POST" else "params": dict(params)}
            with self._http.request(
                method,
                f"{self.url}{path}",
                headers=self.headers,
                auth=self.auth,
                timeout=timeout,
                allow_redirects=False,
                stream=True,
                **fields,  # type: ignore[arg-type]
            ) as response:
                return self._read(exchange, response, most_bytes)
        finally:
            exchange.ended()
            _under_way.reset(token)

    def _read(self, exchange: Exchange, response: Response, most_bytes: int) -> Reply:
        body = bytearray()
        for chunk in response.iter_content(_CHUNK_BYTES):
            body += chunk
            if exchange.is_abandoned:
                raise SourceError("the request was abandoned")
            if len(body) > most_bytes:
                raise SourceError(
                    f"Prometheus' answer is larger than {most_bytes // 1024**2} MiB",
                    hint="ask for fewer series or a shorter time",
                )
        return Reply(
            status=response.status_code,
            reason=response.reason or "",
            content_type=response.headers.get("content-type", ""),
            location=response.headers.get("location", ""),
            body=bytes(body),
        )


def _read_environment_once(session: Session, url: str) -> None:
    """Settle proxies and certificates now: requests reads the environment anew for each request.

    That takes a quarter of the time of a short query.
    """
    found = session.merge_environment_settings(url, {}, None, None, None)
    session.proxies.update(found["proxies"])
    session.verify, session.cert = found["verify"], found["cert"]
    session.trust_env = False


def _netrc(url: str) -> AuthBase | None:
    """Return user and password that the user's .netrc has for the host."""
    found = get_netrc_auth(url)
    return HTTPBasicAuth(*found) if found else None
