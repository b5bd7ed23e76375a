"""A prompt for questions, with history and completion of the names that are there."""

from __future__ import annotations

import asyncio
import contextlib
import readline
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from petops.config import state_folder
from petops.errors import PetopsError
from petops.programs.asking import ask
from petops.programs.asking_shown import show
from petops.programs.printing import note
from petops.sources.mcp_caller import McpCaller

PROMPT: Final = "petops> "
MOST_HISTORY: Final = 1_000
_SUGGEST_SECONDS: Final = 10.0
_ENDS: Final = frozenset({"exit", "quit", "q"})


async def prompted(server: McpCaller, time: str | None) -> int:
    """Answer questions until the input ends."""
    known = await server.call("suggest_queries", {"time": time} if time else {}, _SUGGEST_SECONDS)
    history = state_folder() / "questions"
    _prepare(history, known["names"])
    note("Ask in words; TAB completes names, an empty line or Ctrl-D ends. For example:")
    for question in known["questions"][:3]:
        note(f"  {question}")
    try:
        while line := await asyncio.to_thread(_read):
            await _answer(server, line, time)
    finally:
        _keep(history)
    return 0


async def _answer(server: McpCaller, line: str, time: str | None) -> None:
    try:
        show(await ask(server, line, time))
    except PetopsError as exc:
        note(f"error: {exc.message}")
        if exc.hint:
            note(f"hint: {exc.hint}")


def _read() -> str:
    """Return the next question; nothing at the end."""
    try:
        line = input(PROMPT).strip()
    except (EOFError, KeyboardInterrupt):
        sys.stdout.write("\n")
        return ""
    return "" if line.lower() in _ENDS else line


def completions(names: Sequence[str], text: str) -> list[str]:
    """Return the names that begin with the text, then those that hold it."""
    wanted = text.lower()
    first = [one for one in names if one.lower().startswith(wanted)]
    return first or [one for one in names if wanted and wanted in one.lower()]


def _prepare(history: Path, names: Sequence[str]) -> None:
    with contextlib.suppress(OSError):
        readline.read_history_file(history)

    def complete(text: str, state: int) -> str | None:
        found = completions(names, text)
        return found[state] if state < len(found) else None

    readline.set_completer(complete)
    readline.set_completer_delims(" \t\n,?")
    readline.parse_and_bind("tab: complete")


def _keep(history: Path) -> None:
    readline.set_history_length(MOST_HISTORY)
    with contextlib.suppress(OSError):
        history.parent.mkdir(parents=True, exist_ok=True)
        readline.write_history_file(history)
