"""`petops eval`: score a folder of cases."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer

from petops.commands.incidents import AsJson
from petops.errors import UsageError


def evaluate(
    folder: Annotated[
        Path | None, typer.Argument(help="A folder of case folders, or one case.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Investigate each case anew, and set the verdict against the expected one.

    Exit status 0 says that every one was right.
    """
    from petops.programs import evaluating, printing

    if folder is None:
        raise UsageError(
            "give a folder of cases",
            hint="docs/cases.md says what a case holds; `make bench` scores the lab's scenarios",
        )
    scores = asyncio.run(evaluating.evaluated(folder))
    if as_json:
        printing.print_json(evaluating.document(scores))
    else:
        printer = printing.Printer()
        for text, style in evaluating.lines(scores):
            printer.say(text, style)
    sys.exit(0 if all(one.is_right for one in scores) else 1)
