"""Takes out of the journal what has long been over: whole incidents, from its beginning on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from petops.domain.events import Event, JournalPruned
from petops.domain.incident import Board
from petops.domain.phases import OVER
from petops.errors import UsageError
from petops.journal.sqlite import SqliteJournal
from petops.programs.attach import settings_here
from petops.programs.printing import Printer, print_json

_PAGE = 1000


async def prune(config: Path | None, days: float | None, *, as_json: bool) -> None:
    """Prune the journal that stands here; no engine may be at work on it."""
    settings = settings_here(config).settings
    if settings.journal.url:
        raise UsageError(
            "a journal in PostgreSQL is not pruned by petops yet",
            hint="partition or archive petops_entries with the database's own means",
        )
    keep = settings.journal.retention_days if days is None else days
    if keep <= 0:
        raise UsageError("say how long to keep what is over", hint="--older-than 90")
    async with SqliteJournal.open(settings.journal_path) as journal:
        lines = await pruned(journal, timedelta(days=keep), datetime.now(UTC))
    if as_json:
        print_json({"journal": str(settings.journal_path), "lines": lines})
    else:
        Printer().say(f"{lines} lines were taken out" if lines else "there is nothing to take out")


async def pruned(journal: SqliteJournal, keep: timedelta, now: datetime) -> int:
    """Take out what ended longer ago; return how many lines that were."""
    board = Board()
    last: dict[int, datetime] = {}
    while page := await journal.read(board.seq, _PAGE):
        board = board.after(*page)
        last |= {entry.seq: entry.event.at for entry in page}
    until = cut(board, last, now - keep)
    if not until:
        return 0

    def marker(lines: int, head: str) -> Event:
        return JournalPruned(at=now, lines=lines, until=until, head=head, incidents=board.highest)

    entry = await journal.prune(until, marker)
    return entry.event.lines if entry and isinstance(entry.event, JournalPruned) else 0


def cut(board: Board, at: dict[int, datetime], before: datetime) -> int:
    """Return the last line that may go; 0 is none. Pure.

    Nothing goes of an incident that is not over, or of one that ended after `before`; and nothing
    that stands behind the first line of such a one, since the journal is cut at one place.
    """
    kept = [
        one.history[0].seq
        for one in board.incidents.values()
        if one.phase not in OVER or one.history[-1].event.at >= before
    ]
    young = [seq for seq, when in at.items() if when >= before]
    return max(0, min([*kept, *young, board.seq + 1]) - 1)
