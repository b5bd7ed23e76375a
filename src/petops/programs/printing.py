"""Lines on a terminal: colour repeats what the words say, and cluster text is never markup."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import Any, TextIO

from rich.console import Console
from rich.text import Text

from petops.programs.telling import Line


class Printer:
    """Prints lines to one stream, in colour where it is a terminal that has any."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._console = Console(
            file=self._stream, highlight=False, markup=False, emoji=False, soft_wrap=True
        )

    def lines(self, lines: Iterable[Line], prefix: str = "") -> None:
        """Print lines, each indented to its depth; the first one after `prefix`."""
        lead = prefix
        for line in lines:
            text = Text(lead + "  " * line.depth + plain(line.text), style=line.style)
            self._console.print(text)
            lead = " " * len(prefix)

    def say(self, text: str, style: str = "") -> None:
        """Print one line."""
        self.lines([Line(text=text, style=style)])


def plain(text: str) -> str:
    """Return text without what a terminal would obey: control characters are shown as such."""
    return "".join(one if one.isprintable() or one == "\t" else repr(one)[1:-1] for one in text)


def print_json(document: Any) -> None:
    """Print one JSON document on standard output."""
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def note(text: str) -> None:
    """Say something that is no result, on standard error."""
    sys.stderr.write(plain(text) + "\n")
