"""`petops daemon`: the headless engine."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer


def daemon(
    context: typer.Context,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port of the API; 0 takes a free one.")
    ] = None,
) -> None:
    """Run the engine without a screen: alarms in, incidents out, until it is told to end."""
    from dataclasses import replace

    from petops.config.environment import settings_from
    from petops.programs.daemon import run
    from petops.programs.ending import until_told
    from petops.programs.printing import note

    settings = settings_from(context.obj).settings
    if port is not None:
        settings = replace(settings, daemon=replace(settings.daemon, port=port))
    asyncio.run(until_told(run(settings, note)))
