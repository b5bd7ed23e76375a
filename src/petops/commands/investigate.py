"""`petops investigate`: one alarm, or a recorded case, at once."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer

from petops.commands.incidents import AsJson, Attach
from petops.errors import UsageError


def investigate(
    context: typer.Context,
    alarm: Annotated[
        str | None,
        typer.Argument(
            help="A CloudWatch alarm's name or ARN; `-` or `@file` for an EventBridge event or an "
            "Alertmanager payload."
        ),
    ] = None,
    case: Annotated[
        Path | None, typer.Option(help="A folder of recorded answers, in place of an alarm.")
    ] = None,
    as_json: AsJson = False,
    no_wait: Annotated[
        bool, typer.Option("--no-wait", help="Print the incident's id and do not wait.")
    ] = False,
    attach: Attach = None,
) -> None:
    """Investigate an alarm at once, and print steps and diagnosis.

    Exit status 3 says that no cause was found.
    """
    from petops.config.environment import settings_from
    from petops.programs import cases, investigating

    if (alarm is None) == (case is None):
        raise UsageError(
            "give an alarm, or a folder with --case",
            hint="for example `petops investigate ALARM_NAME`, or `petops investigate @event.json`",
        )
    if case is not None:
        found = asyncio.run(
            cases.investigated(case, settings_from(context.obj).settings, quiet=as_json)
        )
    else:
        found = asyncio.run(
            investigating.investigated(
                context.obj, attach, str(alarm), quiet=as_json, wait=not no_wait
            )
        )
    sys.exit(investigating.ended(found, as_json=as_json, waited=not no_wait))
