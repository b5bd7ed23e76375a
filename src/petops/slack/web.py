"""Slack's Web API by slack-sdk's client. Imported late: it takes 0.4 s."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

from petops.config.network import proxy_for
from petops.errors import UsageError
from petops.slack.calls import Answer, AwayError, LimitedError, TurnedDownError

_TIMEOUT: Final = aiohttp.ClientTimeout(total=10, connect=4)
_LIMITED: Final = 429
_TROUBLE: Final = 500
_OK: Final = 200


class SlackWeb:
    """`Slack` over HTTP. Each call is made once: what to do about a failure its caller knows."""

    def __init__(self, session: aiohttp.ClientSession, url: str, token: str) -> None:
        self._session = session
        self._client = AsyncWebClient(
            token=token, base_url=url, session=session, timeout=10, retry_handlers=[]
        )
        self._client.proxy = proxy_for(url)  # its own reading of HTTPS_PROXY knows no NO_PROXY
        self._home = urlsplit(url)
        self.scopes: tuple[str, ...] = ()

    @property
    def session(self) -> aiohttp.ClientSession:
        """The connections that are kept open, for Socket Mode too."""
        return self._session

    async def call(self, method: str, /, **arguments: object) -> Answer:
        """Return the answer; raise LimitedError, AwayError or TurnedDownError."""
        data = {key: _text(value) for key, value in arguments.items() if value is not None}
        try:
            answer = await self._client.api_call(method, data=data)
        except SlackApiError as exc:
            raise _failure(method, exc) from exc
        except aiohttp.ClientConnectorError as exc:
            raise AwayError(_why(exc), is_unknown=False) from exc
        except (aiohttp.ClientError, TimeoutError, OSError, SlackClientError) as exc:
            raise AwayError(_why(exc), is_unknown=True) from exc
        self._note_scopes(answer.headers)
        found: Any = answer.data
        if not isinstance(found, dict) or not found.get("ok"):
            raise AwayError("its answer was none", is_unknown=True)
        return found

    def _note_scopes(self, headers: Mapping[str, str]) -> None:
        said = {str(key).lower(): value for key, value in headers.items()}.get("x-oauth-scopes", "")
        if said:
            self.scopes = tuple(one.strip() for one in str(said).split(",") if one.strip())

    async def put(self, url: str, content: bytes) -> None:
        """Upload a file to where Slack said."""
        await self._post(url, data=content)

    async def respond(self, url: str, message: Mapping[str, object]) -> None:
        """Answer to a press or a command, at the address that came with it."""
        if not self.is_slacks(url):
            raise TurnedDownError("response_url", "its address is not Slack's")
        await self._post(url, json=dict(message))

    def is_slacks(self, url: str) -> bool:
        """Say whether an address is of the Slack that we speak to."""
        parts = urlsplit(url)
        host, own = parts.hostname or "", self._home.hostname or ""
        same = host == own or (own.endswith("slack.com") and host.endswith(".slack.com"))
        return parts.scheme == self._home.scheme and same

    async def _post(self, url: str, **body: Any) -> None:
        try:
            async with self._session.post(url, timeout=_TIMEOUT, **body) as answer:
                status = answer.status
                retry = answer.headers.get("Retry-After", "1")
        except aiohttp.ClientConnectorError as exc:
            raise AwayError(_why(exc), is_unknown=False) from exc
        except (aiohttp.ClientError, TimeoutError, OSError) as exc:
            raise AwayError(_why(exc), is_unknown=True) from exc
        if status == _LIMITED:
            raise LimitedError("upload", _seconds(retry))
        if status >= _TROUBLE:
            raise AwayError(f"HTTP {status}", is_unknown=True)
        if status != _OK:
            raise TurnedDownError("post", f"HTTP {status}")


@asynccontextmanager
async def slack_web(url: str, token: str) -> AsyncIterator[SlackWeb]:
    """Connect to Slack for as long as the block lasts; raise UsageError for no address."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise UsageError(f"{url[:80]!r} is no address of Slack", hint="slack.api_url")
    async with aiohttp.ClientSession(timeout=_TIMEOUT, trust_env=True) as session:
        yield SlackWeb(session, url if url.endswith("/") else f"{url}/", token)


def _text(value: object) -> object:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _failure(method: str, exc: SlackApiError) -> Exception:
    response: Any = exc.response
    status = int(getattr(response, "status_code", 0) or getattr(response, "status", 0))
    headers = {str(key).lower(): value for key, value in (response.headers or {}).items()}
    if status == _LIMITED:
        return LimitedError(method, _seconds(headers.get("retry-after", "1")))
    data = getattr(response, "data", None)
    if status >= _TROUBLE or not isinstance(data, dict):
        return AwayError(f"HTTP {status}", is_unknown=True)
    code = str(data.get("error", "unknown_error"))
    if code == "ratelimited":
        return LimitedError(method, _seconds(headers.get("retry-after", "1")))
    if code in {"internal_error", "fatal_error", "service_unavailable", "request_timeout"}:
        return AwayError(code, is_unknown=True)
    messages = (data.get("response_metadata") or {}).get("messages") or ()
    return TurnedDownError(method, code, tuple(str(one) for one in messages))


def _seconds(text: object) -> float:
    try:
        return min(600.0, max(1.0, float(str(text))))
    except ValueError:
        return 1.0


def _why(exc: BaseException) -> str:
    if isinstance(exc, asyncio.TimeoutError):
        return "no answer in time"
    return str(exc) or type(exc).__name__
