"""What is wrong with an answer of Prometheus, or with a request to it, in one sentence. Pure."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from pydantic_core import from_json
from requests import exceptions as http
from urllib3.exceptions import HTTPError

from petops.errors import ForbiddenError, SourceError
from petops.mcp_server.exchange import Reply

_QUOTED_CHARACTERS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """The `data` of a good answer as Prometheus sent it: NaN and +Inf are strings, and stay so."""

    data: Any
    warnings: tuple[str, ...] = ()


def answered(reply: Reply, where: str) -> Answered:
    """Return what Prometheus answered; raise SourceError for anything else that came back."""
    if 300 <= reply.status < 400:
        raise SourceError(
            f"{where} redirects to {reply.location or 'nowhere'} instead of answering",
            hint="give that address, if it is the intended Prometheus",
        )
    envelope = _envelope(reply)
    if reply.status == HTTPStatus.OK and envelope is not None:
        if envelope.get("status") == "success" and "data" in envelope:
            return Answered(data=envelope["data"], warnings=_texts(envelope.get("warnings")))
        if "error" not in envelope:
            raise SourceError(f"what {where} answered is JSON, but not of Prometheus' API")
    if envelope is not None and "error" in envelope:
        raise refused(reply.status, envelope, where)
    raise _no_envelope(reply, where)


def refused(status: int, envelope: dict[str, Any], where: str) -> SourceError:
    """Return Prometheus' own words: for a bad query the parser's message, with its position."""
    words = str(envelope["error"])
    if envelope.get("errorType") == "bad_data":
        return SourceError(f"Prometheus refused the query: {words}")
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return ForbiddenError(f"{where} does not let petops ask: {words}")
    return SourceError(f"Prometheus could not answer: {words}")


def _no_envelope(reply: Reply, where: str) -> SourceError:
    status = f"{reply.status} {reply.reason}".strip()
    if reply.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return ForbiddenError(
            f"{where} does not let petops ask: it answered {status}",
            hint="check the token, or user and password, for Prometheus",
        )
    if _is_html(reply):
        return SourceError(
            f"{where} answered {status} with a web page, not with Prometheus' JSON",
            hint="is this Prometheus' own address and path, with no login page in front?",
        )
    if reply.status == HTTPStatus.NOT_FOUND:
        return SourceError(
            f"{where} answered {status}: there is no Prometheus API there",
            hint="check the path of the address: Prometheus may be served under a prefix",
        )
    if reply.status == HTTPStatus.OK:
        return SourceError(
            f"{where} answered with something that is not Prometheus' JSON, or not all of it"
        )
    words = reply.body[:_QUOTED_CHARACTERS].decode(errors="replace").strip()
    return SourceError(
        f"{where} answered {status}" + (f": {words.splitlines()[0]}" if words else "")
    )


def unreachable(exc: HTTPError | OSError, where: str, seconds: float) -> SourceError:
    """Return why no answer came at all, or not a whole one."""
    if isinstance(exc, http.Timeout):
        return too_slow(where, seconds)
    if isinstance(exc, (http.ChunkedEncodingError, http.ContentDecodingError)):
        return SourceError(f"{where} broke its answer off half way")
    known = (_from_system(cause, where) for cause in _causes(exc))
    closed = SourceError(f"{where} closed the connection without an answer")
    return next((error for error in known if error is not None), closed)


def _from_system(cause: BaseException, where: str) -> SourceError | None:
    """Return what the operating system or TLS says; None for the wrappers around it."""
    if isinstance(cause, ssl.SSLError):
        return SourceError(
            f"{where} has no TLS certificate that is trusted here: {cause.reason or cause}",
            hint="name the authority's certificate file for Prometheus",
        )
    if isinstance(cause, socket.gaierror):
        return SourceError(f"the host of {where} is not known", hint="check the name")
    if isinstance(cause, ConnectionRefusedError):
        return SourceError(
            f"{where} refused the connection", hint="is it running, and is this its port?"
        )
    if isinstance(cause, OSError) and cause.strerror:
        return SourceError(f"{where} cannot be reached: {cause.strerror.lower()}")
    return None


def too_slow(where: str, seconds: float) -> SourceError:
    """Return the error of an answer that took too long."""
    return SourceError(
        f"{where} did not answer within {seconds:g} s",
        hint="ask for fewer series or a shorter time, or allow more seconds",
    )


def _causes(exc: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception and what lies under it: requests hides causes in arguments, too."""
    seen: set[int] = set()
    waiting = [exc]
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        waiting += [one.__cause__, one.__context__, getattr(one, "reason", None)]
        waiting += [argument for argument in one.args if isinstance(argument, BaseException)]


def _envelope(reply: Reply) -> dict[str, Any] | None:
    try:
        parsed = from_json(reply.body)  # five times as fast as json's
    except ValueError:
        return None
    return parsed if isinstance(parsed, dict) else None


def _is_html(reply: Reply) -> bool:
    start = reply.body[:100].lstrip().lower()
    return "html" in reply.content_type or start.startswith((b"<!doctype", b"<html"))


def _texts(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else ()
