"""`petops daemon`: the headless engine."""

from __future__ import annotations

import asyncio
from enum import StrEnum
from typing import Annotated

import typer


class LogFormat(StrEnum):
    """How the daemon's log is written."""

    TEXT = "text"
    JSON = "json"


def daemon(
    context: typer.Context,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port of the API; 0 takes a free one.")
    ] = None,
    log_format: Annotated[
        LogFormat, typer.Option(help="Lines for people, or JSON with incident ids.")
    ] = LogFormat.TEXT,
    embedded: Annotated[
        bool, typer.Option("--embedded", hidden=True, help="For one person's own machine.")
    ] = False,
) -> None:
    """Run the engine without a screen: alarms in, incidents out, until it is told to end."""
    from dataclasses import replace

    from petops.config.environment import settings_from
    from petops.programs.daemon import embedded_only
    from petops.programs.ending import until_told
    from petops.programs.printing import note

    settings = settings_from(context.obj).settings
    if port is not None:
        settings = replace(settings, daemon=replace(settings.daemon, port=port))
    if embedded:
        settings = embedded_only(settings)
    if settings.daemon.lease:
        from petops.programs.replicas import run_replica as run
    else:
        from petops.programs.daemon import run
    if log_format is LogFormat.JSON:
        from petops.programs.logging_json import as_json

        asyncio.run(until_told(run(settings, as_json(), json_lines=True)))
        return
    asyncio.run(until_told(run(settings, note)))
