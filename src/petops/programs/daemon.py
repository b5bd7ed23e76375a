"""The headless engine: journal, alarms in, socket and API out, until it is told to end.

`working` is what the leading replica alone does: polls, groups, journals, acts, and speaks to
people. Whatever else only one replica may do is begun there, and ends with its leadership.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from petops import __version__
from petops.app import Running, SystemClock, running_engine
from petops.config import Settings
from petops.daemon.doors import Doors
from petops.domain.alarm import Alarm
from petops.domain.policy import Identity
from petops.domain.requests import ReportAlarm
from petops.domain.subject import ClusterName
from petops.engine.engine import Engine
from petops.errors import PetopsError
from petops.journal.postgres import PostgresJournal
from petops.journal.sqlite import SqliteJournal
from petops.ports import Journal
from petops.programs import surfaces
from petops.programs.forecasting import forecasting
from petops.programs.mirroring import slack_beside
from petops.programs.notifying import notifying
from petops.programs.pruning import pruned
from petops.secrets_access import is_read, when_read, with_secrets_at_hand
from petops.sources.prometheus_forecast import PrometheusForecast
from petops.sources.prometheus_mcp import PrometheusMcp
from petops.sources.sqs_alarms import SqsAlarms

INTAKE = Identity(user="intake", channel="queue")
_DRAIN_SECONDS: Final = 10.0

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A daemon at work, and where it is found."""

    running: Running
    socket: Path
    url: str
    token_file: Path | None
    receives: str


@dataclass(slots=True, kw_only=True)
class Beside:
    """What runs beside the engine, as gauges."""

    leads: bool = True
    source: SqsAlarms | None = None
    doors: Doors = field(default_factory=Doors)
    began: float = field(default_factory=time.monotonic)

    def __call__(self) -> Mapping[str, tuple[str, float]]:
        """Return what shows now."""
        found = {
            "leading": ("Whether this replica leads.", float(self.leads)),
            "uptime_seconds": ("Since when it runs.", time.monotonic() - self.began),
        }
        if self.source is not None:
            polled = self.source.last_poll_at or self.began
            found |= {
                "queue_lag_seconds": (
                    "Age of the latest message when it was journaled.",
                    self.source.lag_seconds,
                ),
                "queue_poll_age_seconds": (
                    "Since when the queue was not polled.",
                    time.monotonic() - polled,
                ),
                "queue_dead_lettered": (
                    "Messages that were put aside since the start.",
                    float(self.source.dead_lettered),
                ),
            }
        return found


@asynccontextmanager
async def serving(settings: Settings, say: Say, *, http: bool = True) -> AsyncIterator[Served]:
    """Hold the journal and serve, for as long as the block lasts."""
    settings = await with_secrets_at_hand(settings, say)
    beside = Beside()
    async with AsyncExitStack() as stack:
        journal = await stack.enter_async_context(opened_journal(settings))
        running = await stack.enter_async_context(running_engine(settings, journal))
        await traced(settings, running, stack, say)
        stack.push_async_callback(drained, running.engine)
        served = await surfaces.opened(
            stack,
            settings,
            running.engine,
            mapping=running.mapping,
            myself=running.myself,
            calls=running.calls,
            about=about_engine(settings, running.cluster.name),
            beside=beside,
            doors=beside.doors,
            say=say,
            http=http,
        )
        receives = await working(settings, running, stack, say, beside)
        running.warm()
        yield Served(
            running=running,
            socket=served.socket,
            url=served.url,
            token_file=served.token_file,
            receives=receives,
        )


def about_engine(settings: Settings, cluster: ClusterName) -> Mapping[str, str]:
    """Return which engine this is: what tells production from the rest."""
    return {
        "cluster": str(cluster),
        "environment": settings.cluster.environment,
        "version": __version__,
    }


@asynccontextmanager
async def opened_journal(settings: Settings, *, token: int = 0) -> AsyncIterator[Journal]:
    """Open the journal that is set, for writing; `token` is that of a Lease."""
    if settings.journal.url:
        async with PostgresJournal.open(settings.journal.url, token=token) as shared:
            yield shared
    else:
        async with SqliteJournal.open(settings.journal_path, token=token) as own:
            if settings.journal.retention_days > 0:
                keep = timedelta(days=settings.journal.retention_days)
                await pruned(own, keep, SystemClock().now())
            yield own


async def working(
    settings: Settings, running: Running, stack: AsyncExitStack, say: Say, beside: Beside
) -> str:
    """Begin what the leading replica alone does; return where alarms come from."""

    @asynccontextmanager
    async def slack(complete: Settings) -> AsyncIterator[None]:
        async with slack_beside(complete, running, say) as routes:
            beside.doors.open = routes
            try:
                yield
            finally:
                beside.doors.close()

    def notify(complete: Settings) -> AbstractAsyncContextManager[None]:
        return notifying(complete, running.engine, SystemClock(), say)

    await _once_read("slack", slack, settings, stack, say)
    await _once_read("notify", notify, settings, stack, say)
    _forecasting(settings, running, stack, say)
    return await _receiving(settings, running, stack, say, beside)


async def _once_read(
    section: str,
    opening: Callable[[Settings], AbstractAsyncContextManager[None]],
    settings: Settings,
    stack: AsyncExitStack,
    say: Say,
) -> None:
    """Open what needs a section's secrets: at once where they are there, else as soon as they are.

    Alarms are taken meanwhile.
    """
    if is_read(settings, section):
        await stack.enter_async_context(opening(settings))
        return

    async def later() -> None:
        try:
            async with opening(await when_read(settings, section, say)):
                await asyncio.Event().wait()
        except PetopsError as exc:
            say(exc.message)

    stack.push_async_callback(_ended, asyncio.create_task(later()))


def _forecasting(settings: Settings, running: Running, stack: AsyncExitStack, say: Say) -> None:
    """Look ahead in a task of its own, where there is a Prometheus."""
    minutes = settings.alarms.forecast_minutes
    if minutes <= 0 or not isinstance(running.metrics, PrometheusMcp):
        return
    hours = settings.alarms.forecast_hours
    ahead = PrometheusForecast(running.metrics.server, running.cluster.name, hours)
    looking = forecasting(running.engine, ahead.look, SystemClock(), minutes, say)
    stack.push_async_callback(_ended, asyncio.create_task(looking))


async def traced(settings: Settings, running: Running, stack: AsyncExitStack, say: Say) -> None:
    """Send each incident as a trace until the stack is left, where a collector is set."""
    endpoint = settings.daemon.otlp_endpoint
    if not endpoint:
        return
    try:
        from petops.daemon.otel import incidents_traced  # noqa: PLC0415 (an extra)
    except ModuleNotFoundError:
        say("no traces are sent: OpenTelemetry is not installed; `pip install petops[otel]`")
        return
    about = about_engine(settings, running.cluster.name)
    await stack.enter_async_context(incidents_traced(running.engine, endpoint, about))


async def _receiving(
    settings: Settings, running: Running, stack: AsyncExitStack, say: Say, beside: Beside
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
    beside.source = source
    return queue


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait({task})


async def drained(engine: Engine, lost: asyncio.Event | None = None) -> None:
    """Let a change that is being made come to its end, for as long as that is short.

    Whose Lease is `lost` waits for nothing: another one leads, and settles it.
    """
    waited: set[asyncio.Task[None]] = {asyncio.create_task(engine.settled())}
    if lost is not None:
        waited.add(asyncio.create_task(_set(lost)))
    try:
        await asyncio.wait(waited, timeout=_DRAIN_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in waited:
            one.cancel()
        await asyncio.gather(*waited, return_exceptions=True)


async def _set(event: asyncio.Event) -> None:
    await event.wait()


def embedded_only(settings: Settings) -> Settings:
    """Return the settings of an engine on one person's own machine, which is not there for others.

    It takes nothing from a queue that others share, leads nobody, and does not look ahead. A queue
    on this very machine is nobody else's.
    """
    queue = settings.alarms.sqs_queue_url
    is_own = urlsplit(queue).hostname in {"127.0.0.1", "::1", "localhost"}
    return replace(
        settings,
        alarms=replace(
            settings.alarms, sqs_queue_url=queue if is_own else "", forecast_minutes=0.0
        ),
        daemon=replace(settings.daemon, lease=""),
    )


async def run(settings: Settings, say: Say, *, json_lines: bool = False) -> None:
    """Serve until cancelled; say where. With `json_lines` each entry is logged as well.

    One of several replicas is run by `programs/replicas.py`.
    """
    async with AsyncExitStack() as stack:
        served = await stack.enter_async_context(serving(settings, say))
        if json_lines:
            log_entries(served.running, stack)
        say(f"engine at work on {settings.journal_place}")
        say(f"cluster   {served.running.cluster.name}")
        say(f"socket    {served.socket}")
        say(f"API       {served.url}")
        if served.token_file:
            say(f"token     {served.token_file}")
        say(f"alarms    {served.receives or 'by HTTP and petops investigate only'}")
        say("ready")
        await asyncio.Event().wait()


def log_entries(running: Running, stack: AsyncExitStack) -> None:
    """Log each entry in a task of its own, until the stack is left."""
    from petops.programs.logging_json import entries_logged  # noqa: PLC0415 (where it is asked for)

    stack.push_async_callback(_ended, asyncio.create_task(entries_logged(running.engine)))
