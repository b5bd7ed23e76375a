"""A prompt for questions, with history and completion of the names that are there."""

from __future__ import annotations

import asyncio
import contextlib
import readline
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from petops.config import state_folder
from petops.errors import PetopsError
from petops.programs.asking_shown import show
from petops.programs.printing import note

PROMPT: Final = "petops> "
MOST_HISTORY: Final = 1_000
_ENDS: Final = frozenset({"exit", "quit", "q"})

Answered = Callable[[str], Awaitable[Mapping[str, Any]]]
"""Returns the answer to a question; raises PetopsError if it cannot be had."""


async def prompted(suggested: Mapping[str, Any], answered: Answered) -> int:
    """Answer questions until the input ends.

    `suggested` has `names`, which TAB completes, and `questions` as examples.
    """
    history = state_folder() / "questions"
    _prepare(history, suggested["names"])
    note("Ask in words; TAB completes names, an empty line or Ctrl-D ends. For example:")
    for question in suggested["questions"][:3]:
        note(f"  {question}")
    try:
        while line := await asyncio.to_thread(_read):
            await _answer(answered, line)
    finally:
        _keep(history)
    return 0


async def _answer(answered: Answered, line: str) -> None:
    try:
        show(await answered(line))
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
