"""Reports one alarm by hand, and tells what comes of it."""

from __future__ import annotations

import sys
import uuid
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

from petops.app import alarm_mapping, running_engine
from petops.config import Settings
from petops.domain.alarm import Alarm, AlarmState
from petops.domain.events import AlarmTurnedAway, Entry
from petops.domain.incident import Incident
from petops.domain.requests import ReportAlarm
from petops.engine.embedded import Embedded
from petops.errors import RefusedError, UsageError
from petops.journal.sqlite import SqliteJournal
from petops.ports import EngineHandle
from petops.programs.attach import found_engine, settings_here
from petops.programs.following import until_decidable
from petops.programs.printing import Printer, note, print_json
from petops.programs.telling import Line
from petops.remote import socket_is_alive
from petops.sources.alarm_events import parse_document
from petops.sources.cloudwatch_alarms import CloudWatchAlarms
from petops.wire.report import report

NO_CAUSE = 3
_MOST_BYTES = 1024 * 1024


async def investigated(
    config: Path | None, attach: str | None, alarm: str, *, quiet: bool, wait: bool
) -> Incident:
    """Report `alarm`, and return its incident once it is diagnosed (or at once, without `wait`)."""
    settings = settings_here(config).settings
    found = await _alarm(settings, alarm)
    printer = Printer()

    def tell(entry: Entry, lines: Iterable[Line]) -> None:
        del entry
        if not quiet:
            printer.lines(lines)

    async with _engine(settings, attach) as engine:
        entry = await engine.submit(ReportAlarm(id=str(uuid.uuid4()), alarm=found))
        if isinstance(entry.event, AlarmTurnedAway):
            raise RefusedError(f"the alarm led to nothing: {entry.event.because}")
        note(f"incident {entry.incident}")
        if not wait:
            return (await engine.board()).incidents[entry.incident]
        return await until_decidable(engine, entry.incident, tell, after=entry.seq - 1)


def ended(incident: Incident, *, as_json: bool, waited: bool) -> int:
    """Print the result; return the exit status."""
    if as_json:
        print_json(report(incident))
    elif not waited:
        Printer().say(incident.id)
    if not waited:
        return 0
    return 0 if incident.diagnosis and incident.diagnosis.cause else NO_CAUSE


@asynccontextmanager
async def _engine(settings: Settings, attach: str | None) -> AsyncIterator[EngineHandle]:
    """Use the engine that runs, or one of our own for as long as the block lasts."""
    async with AsyncExitStack() as stack:
        if attach or settings.daemon.attach or socket_is_alive(settings.socket_path):
            yield await stack.enter_async_context(found_engine(settings, attach))
            return
        journal = await stack.enter_async_context(SqliteJournal.open(settings.journal_path))
        running = await stack.enter_async_context(
            running_engine(settings, journal, channel="terminal")
        )
        running.warm()
        yield Embedded(running.engine, running.myself())


async def _alarm(settings: Settings, given: str) -> Alarm:
    """Return the alarm that the command line means, as if it fired now where it was named."""
    mapping = await alarm_mapping(settings)
    if given == "-" or given.startswith("@"):
        found = [
            one
            for one in parse_document(_document(given), mapping)
            if one.state is AlarmState.ALARM
        ]
        if not found:
            raise UsageError("the document holds no alarm that fires")
        return found[0]
    source = CloudWatchAlarms(region=settings.cluster.region)
    alarm = await source.find(given, mapping)
    return replace(alarm, state=AlarmState.ALARM, event_id=str(uuid.uuid4()))


def _document(given: str) -> bytes:
    try:
        with sys.stdin.buffer if given == "-" else Path(given[1:]).open("rb") as stream:
            document = stream.read(_MOST_BYTES + 1)
    except OSError as exc:
        raise UsageError(f"{given[1:]} cannot be read: {exc.strerror or exc}") from exc
    if len(document) > _MOST_BYTES:
        raise UsageError("the document is larger than 1 MiB")
    return document
