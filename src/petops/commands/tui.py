"""`petops tui`: the dashboard."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer


def tui(
    context: typer.Context,
    attach: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[NAME=]URL",
            help="A running engine, or kubernetes; give it again for more.",
        ),
    ] = None,
    lab: Annotated[bool, typer.Option("--lab", help="On the lab, started if none runs.")] = False,
    incident: Annotated[str, typer.Option(help="Open this incident.")] = "",
    utc: Annotated[bool, typer.Option("--utc", help="Show times in UTC.")] = False,
    web: Annotated[
        bool, typer.Option("--web", help="Serve it to a browser on this machine.")
    ] = False,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port for --web.")] = 8000,
) -> None:
    """Open the dashboard, by keyboard, on the engine that holds the local journal.

    Where none runs, one is started beside it. `?` shows the keys.
    """
    if web:
        from petops.programs.dashboard_web import served_on_loopback

        words = ["--config", str(context.obj)] if context.obj else []
        words += ["tui", *(part for one in attach or [] for part in ("--attach", one))]
        words += ["--incident", incident] if incident else []
        words += [flag for flag, wanted in (("--lab", lab), ("--utc", utc)) if wanted]
        served_on_loopback(words, port)
        return
    from petops.programs.dashboard import Wish, shown_until_left
    from petops.programs.ending import until_told

    wish = Wish(config=context.obj, attach=tuple(attach or ()), lab=lab, incident=incident, utc=utc)
    asyncio.run(until_told(shown_until_left(wish)))
