"""`petops eval`: score a folder of cases, or the lab's drills."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from petops.commands.incidents import AsJson
from petops.errors import UsageError

if TYPE_CHECKING:
    from petops.programs.drilling import Drilled


def evaluate(
    context: typer.Context,
    folder: Annotated[
        Path | None,
        typer.Argument(help="A folder of case folders, or one case; else the lab's drills."),
    ] = None,
    drill: Annotated[
        list[str] | None, typer.Option(help="A drill of the lab, by name. Repeat for several.")
    ] = None,
    seeds: Annotated[
        int, typer.Option(min=1, max=1000, help="In how many worlds each drill is run.")
    ] = 1,
    as_json: AsJson = False,
) -> None:
    """Investigate each case anew, and set the verdict against the expected one.

    Without a folder, each of the lab's drills: faults, and what only looks like one. Exit status 0
    says that every verdict was right.
    """
    if folder is not None and drill:
        raise UsageError("give a folder or drills, not both")
    is_right = (
        _folder(context.obj, folder, as_json) if folder else _drills(drill or (), seeds, as_json)
    )
    sys.exit(0 if is_right else 1)


def _folder(config: Path | None, folder: Path, as_json: bool) -> bool:
    from petops.config.environment import settings_from
    from petops.programs import evaluating, printing

    scores = asyncio.run(evaluating.evaluated(folder, settings_from(config).settings))
    if as_json:
        printing.print_json(evaluating.document(scores))
    else:
        printer = printing.Printer()
        for text, style in evaluating.lines(scores):
            printer.say(text, style)
    return all(one.is_right for one in scores)


def _drills(names: Sequence[str], seeds: int, as_json: bool) -> bool:
    from petops.programs import calibration, evaluating_lab, printing

    printer = printing.Printer()

    async def run() -> list[Drilled]:
        found = []
        async for one in evaluating_lab.drilled(evaluating_lab.chosen(names), range(seeds)):
            found.append(one)
            if not as_json:
                printer.say(*evaluating_lab.line(one))
        return found

    results = asyncio.run(run())
    right = sum(one.is_right for one in results)
    if as_json:
        printing.print_json(evaluating_lab.document(results))
    else:
        printer.say(f"{right} of {len(results)} right", "bold")
        rows = calibration.calibrated(evaluating_lab.stated(results))
        for text, style in calibration.calibration_lines(rows):
            printer.say(text, style)
    return right == len(results)
