"""The headless engine: journal, alarms in, socket and API out, until it is told to end."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from petops import __version__
from petops.app import Running, running_engine
from petops.config import Settings
from petops.daemon.server import Tokens, hashed, serve_http, serve_socket, server
from petops.domain.alarm import Alarm
from petops.domain.policy import Identity
from petops.domain.requests import ReportAlarm
from petops.errors import UsageError
from petops.journal.sqlite import SqliteJournal
from petops.metrics_access import with_secrets
from petops.programs.mirroring import slack_beside
from petops.sources.alarm_events import parse_document
from petops.sources.sqs_alarms import SqsAlarms

API_USER = "api"
INTAKE = Identity(user="intake", channel="queue")


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A daemon at work, and where it is found."""

    running: Running
    socket: Path
    url: str
    token_file: Path | None
    receives: str


@asynccontextmanager
async def serving(
    settings: Settings, say: Callable[[str], None], *, http: bool = True
) -> AsyncIterator[Served]:
    """Hold the journal and serve, for as long as the block lasts."""
    settings = await with_secrets(settings, say)
    async with AsyncExitStack() as stack:
        journal = await stack.enter_async_context(SqliteJournal.open(settings.journal_path))
        running = await stack.enter_async_context(running_engine(settings, journal))

        def parsed(body: bytes) -> Sequence[Alarm]:
            return parse_document(body, running.mapping)

        parsers = {"eventbridge": parsed, "alertmanager": parsed}
        about = about_engine(settings, running)
        beside = server(running.engine, running.myself, parsers, about=about)
        socket = await stack.enter_async_context(serve_socket(beside, settings.socket_path))
        doors = await stack.enter_async_context(slack_beside(settings, running, say))
        url, token_file = "", None
        if http:
            token, token_file = _token(settings)
            tokens = Tokens({hashed(token): API_USER})
            api = server(running.engine, tokens, parsers, about=about, more=doors)
            url = await stack.enter_async_context(
                serve_http(api, settings.daemon.host, settings.daemon.port)
            )
        receives = await _receiving(settings, running, stack, say)
        yield Served(
            running=running, socket=socket, url=url, token_file=token_file, receives=receives
        )


def about_engine(settings: Settings, running: Running) -> Mapping[str, str]:
    """Return which engine this is: what tells production from the rest."""
    return {
        "cluster": str(running.cluster.name),
        "environment": settings.cluster.environment,
        "version": __version__,
    }


async def _receiving(
    settings: Settings, running: Running, stack: AsyncExitStack, say: Callable[[str], None]
) -> str:
    """Poll the queue for alarms in a task of its own, where one is set."""
    queue = settings.alarms.sqs_queue_url
    if not queue:
        return ""

    async def submit(alarm: Alarm) -> None:
        request = ReportAlarm(id=f"{alarm.source}:{alarm.event_id}", alarm=alarm)
        await running.engine.submit(request, INTAKE)

    source = SqsAlarms(
        queue, dead_letter_url=settings.alarms.dead_letter_url, region=settings.cluster.region
    )
    await stack.enter_async_context(source)
    polling = asyncio.create_task(source.run(submit, running.mapping, say))
    stack.push_async_callback(_ended, polling)
    return queue


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait({task})


def _token(settings: Settings) -> tuple[str, Path | None]:
    """Return the API's bearer token.

    One that is made here stands in a file that only we can read.
    """
    if settings.daemon.token:
        return settings.daemon.token, None
    if settings.daemon.host not in {"127.0.0.1", "::1", "localhost"}:
        raise UsageError(
            f"off loopback ({settings.daemon.host}) the API needs a token", hint="set PETOPS_TOKEN"
        )
    token, file = secrets.token_urlsafe(32), settings.journal_path.with_suffix(".token")
    file.unlink(missing_ok=True)
    file.touch(mode=0o600)
    file.write_text(token, encoding="ascii")
    return token, file


async def run(settings: Settings, say: Callable[[str], None]) -> None:
    """Serve until cancelled; say where."""
    async with serving(settings, say) as served:
        say(f"engine at work on {settings.journal_path}")
        say(f"cluster   {served.running.cluster.name}")
        say(f"socket    {served.socket}")
        say(f"API       {served.url}")
        if served.token_file:
            say(f"token     {served.token_file}")
        say(f"alarms    {served.receives or 'by HTTP and petops investigate only'}")
        say("ready")
        await asyncio.Event().wait()
