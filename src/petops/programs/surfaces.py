"""What serves an engine: the socket, the API with its pages, and who may use them."""

from __future__ import annotations

import asyncio
import importlib
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from petops.config import Settings
from petops.daemon.doors import Doors
from petops.daemon.health import Metrics, Readings
from petops.daemon.identity import (
    AnyOf,
    Pending,
    Reviewed,
    SocketOwner,
    Tokens,
    Who,
    hashed,
)
from petops.daemon.limits import Limits
from petops.daemon.server import serve_http, serve_socket, server
from petops.daemon.serves import Serves
from petops.domain.access import OWN_USER, access_rules, access_tokens
from petops.domain.alarm import Alarm
from petops.domain.alarm_mapping import AlarmMapping
from petops.domain.policy import Identity
from petops.errors import UsageError
from petops.ports import KubernetesCalls
from petops.secrets_access import is_read, when_read
from petops.sources.alarm_events import UnreadableAlarmError, parse_document
from petops.sources.kubernetes_reviews import TokenReviews

_LOOPBACK: Final = {"127.0.0.1", "::1", "localhost"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Surfaces:
    """Where an engine is served."""

    socket: Path
    url: str = ""
    token_file: Path | None = None


async def opened(
    stack: AsyncExitStack,
    settings: Settings,
    engine: Serves,
    *,
    mapping: AlarmMapping,
    myself: Callable[[], Identity],
    calls: KubernetesCalls,
    about: Mapping[str, str],
    beside: Readings,
    doors: Doors,
    say: Callable[[str], None],
    http: bool,
) -> Surfaces:
    """Serve `engine` on its socket and, with `http`, on its port, until the stack is left."""

    def parsed(body: bytes) -> Sequence[Alarm]:
        return webhook(body, mapping)

    parsers = {"eventbridge": parsed, "alertmanager": parsed}
    metrics = Metrics(beside)
    examine = _examination(settings)
    near = server(
        engine, SocketOwner(myself), parsers, about=about, metrics=metrics, examine=examine
    )
    socket = await stack.enter_async_context(serve_socket(near, settings.socket_path))
    if not http:
        return Surfaces(socket=socket)
    who, token_file = _who(settings, stack, calls, say)
    limits = Limits(
        requests_a_minute=max(1, settings.daemon.requests_a_minute),
        streams_each=max(1, settings.daemon.streams_each),
    )
    api = server(
        engine,
        who,
        parsers,
        about=about,
        more=doors.routes,
        limits=limits,
        metrics=metrics,
        examine=examine,
    )
    url = await stack.enter_async_context(
        serve_http(api, settings.daemon.host, settings.daemon.port)
    )
    return Surfaces(socket=socket, url=url, token_file=token_file)


def webhook(body: bytes, mapping: AlarmMapping) -> Sequence[Alarm]:
    """Return the alarms of a webhook's body; raise UsageError for what is none."""
    try:
        return parse_document(body, mapping)
    except UnreadableAlarmError as exc:
        raise UsageError(exc.message, hint=exc.hint) from exc


def _who(
    settings: Settings,
    stack: AsyncExitStack,
    calls: KubernetesCalls,
    say: Callable[[str], None],
) -> tuple[Who, Path | None]:
    """Return how the API learns who asks: its own token, those set, and those of Kubernetes.

    An own token that is kept elsewhere is read meanwhile. One that is made here stands in a file.
    """
    others: Who = Tokens({}, access_tokens(settings.token))
    rules = access_rules(settings.access)
    if settings.daemon.token_review:
        reviews = TokenReviews(calls, settings.daemon.audience)
        others = AnyOf(others, Reviewed(reviews, rules))
    if is_read(settings, "daemon"):
        token, token_file = _token(settings)
        return AnyOf(Tokens({hashed(token): OWN_USER}), others), token_file

    async def reading() -> str:
        return (await when_read(settings, "daemon", say)).daemon.token

    task = asyncio.create_task(reading())
    stack.callback(task.cancel)
    return Pending(task, OWN_USER, others), None


def _examination(settings: Settings) -> Callable[[], Awaitable[list[Mapping[str, Any]]]]:
    """Return the doctor, loaded when it is first asked: it looks at everything."""

    async def examined() -> list[Mapping[str, Any]]:
        doctor = await asyncio.to_thread(importlib.import_module, "petops.programs.doctor")
        return [asdict(check) for check in await doctor.examine(settings)]

    return examined


def _token(settings: Settings) -> tuple[str, Path | None]:
    """Return the API's bearer token.

    One that is made here stands in a file that only we can read.
    """
    if settings.daemon.token:
        return settings.daemon.token, None
    if settings.daemon.host not in _LOOPBACK:
        if settings.token or settings.daemon.token_review:
            return secrets.token_urlsafe(32), None  # nobody has it: the others are used
        raise UsageError(
            f"off loopback ({settings.daemon.host}) the API needs a token",
            hint="set PETOPS_TOKEN, [[token]], or daemon.token_review",
        )
    token, file = secrets.token_urlsafe(32), settings.journal_path.with_suffix(".token")
    file.unlink(missing_ok=True)
    file.touch(mode=0o600)
    file.write_text(token, encoding="ascii")
    return token, file
