"""`petops doctor`: every integration and permission, with its fix."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer


def doctor(
    context: typer.Context,
    test_alarm: Annotated[
        bool,
        typer.Option(
            "--test-alarm", help="Make an alarm, set it, and see it arrive; then remove it."
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Look at everything that petops leans on; say in one line each how it is and what mends it.

    Exits with 1 if something that the settings ask for does not work.
    """
    from petops.programs.doctor import run

    status = asyncio.run(run(context.obj, test_alarm=test_alarm, as_json=as_json))
    if status:
        raise typer.Exit(status)
