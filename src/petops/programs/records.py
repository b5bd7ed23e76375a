"""Incidents for reading: from the engine that runs, or from the journal itself."""

from __future__ import annotations

from pathlib import Path

from petops.domain.incident import Board, Incident
from petops.domain.phases import OVER
from petops.errors import PetopsError
from petops.journal.sqlite import SqliteJournal
from petops.programs.attach import NO_ENGINE_HINT, found_engine, settings_here
from petops.programs.postmortem import document, markdown
from petops.programs.printing import Printer, print_json
from petops.programs.telling import Line, stage_lines, state, timeline
from petops.remote import socket_is_alive
from petops.wire.report import report

_PAGE = 1000


async def board_here(config: Path | None, attach: str | None) -> Board:
    """Return the board of the running engine; without one, what the journal holds."""
    settings = settings_here(config).settings
    if attach or settings.daemon.attach or socket_is_alive(settings.socket_path):
        async with found_engine(settings, attach) as engine:
            return await engine.board()
    if not settings.journal_path.exists():
        raise PetopsError(f"there is no journal {settings.journal_path}", hint=NO_ENGINE_HINT)
    board = Board()
    async with SqliteJournal.open_read_only(settings.journal_path) as journal:
        while page := await journal.read(board.seq, _PAGE):
            board = board.after(*page)
    return board


def table(board: Board, *, every: bool, as_json: bool) -> None:
    """Print one line an incident."""
    found = [one for one in board.incidents.values() if every or one.phase not in OVER]
    if as_json:
        print_json([report(one) for one in found])
        return
    printer = Printer()
    if not found:
        printer.say("no open incidents" if not every else "no incidents")
        return
    rows = [_row(one) for one in found]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        printer.say("  ".join(cells).rstrip())


def _row(incident: Incident) -> tuple[str, ...]:
    cause = incident.diagnosis.cause if incident.diagnosis else None
    about = cause.subject if cause and cause.subject else incident.alarm.subject
    return (
        incident.id,
        str(incident.assessment.priority),
        state(incident),
        str(incident.assessment.category),
        str(about) if about else incident.alarm.name,
        f"{cause.mode} {cause.confidence:.2f}" if cause else "",
        f"{incident.opened_at:%Y-%m-%d %H:%M:%S}Z",
    )


def postmortem(incident: Incident, *, as_json: bool) -> None:
    """Print the incident's postmortem."""
    if as_json:
        print_json(document(incident))
    else:
        Printer().lines(Line(text=one) for one in markdown(incident).splitlines())


def whole(incident: Incident, *, as_json: bool) -> None:
    """Print one incident: its state, what is on offer, everything that happened.

    Where time went.
    """
    if as_json:
        print_json(report(incident))
        return
    printer = Printer()
    title = f"{incident.id}  {incident.assessment.priority}  {state(incident)}"
    printer.say(title, "bold")
    printer.say(f"cluster {incident.alarm.cluster}")
    printer.lines(timeline(incident))
    printer.lines(stage_lines(incident))
    if incident.on_offer:
        printer.say(f"decide: petops approve {incident.id} DIGEST, or petops reject", "bold")
