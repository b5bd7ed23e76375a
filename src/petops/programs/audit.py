"""Walks the journal's chain of hashes, and says which lines are not what was written."""

from __future__ import annotations

from pathlib import Path

from petops.errors import PetopsError
from petops.journal.sqlite import SqliteJournal
from petops.programs.attach import NO_ENGINE_HINT, settings_here
from petops.programs.printing import Printer, print_json


async def verify(config: Path | None, expected: str, *, as_json: bool) -> None:
    """Verify the journal that stands here; raise PetopsError where a line was touched."""
    path = settings_here(config).settings.journal_path
    if not path.exists():
        raise PetopsError(f"there is no journal {path}", hint=NO_ENGINE_HINT)
    async with SqliteJournal.open_read_only(path) as journal:
        found = await journal.verified(expected)
    if as_json:
        faults = [{"line": one.seq, "what": one.what} for one in found.faults]
        document = {
            "journal": str(path),
            "ok": not faults,
            "entries": found.entries,
            "head": found.head,
            "faults": faults,
        }
        print_json(document)
    else:
        printer = Printer()
        for one in found.faults:
            printer.say(one.what, "bold red")
        if not found.faults:
            printer.say(f"{found.entries} lines, each as it was written")
        printer.say(f"head {found.head}")
    if found.faults:
        raise PetopsError(
            f"the journal {path} was touched: {found.faults[0].what}",
            hint="compare it with a copy, and ask who can write that file",
        )
