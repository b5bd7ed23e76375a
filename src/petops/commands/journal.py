"""`petops journal`: keeps the record of a size."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from petops.commands.incidents import AsJson

app = typer.Typer(help="Keep the journal of a size.", rich_markup_mode=None)


@app.callback()
def journal() -> None:
    """Keep the journal of a size."""


@app.command()
def prune(
    context: typer.Context,
    older_than: Annotated[
        float | None,
        typer.Option(help="Days since it ended; without it journal.retention_days."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Take out incidents that ended longer ago; no engine may be at work on the journal.

    The chain of hashes goes on from the last line that was taken out, which the journal notes.
    """
    from petops.programs.pruning import prune as pruned

    asyncio.run(pruned(context.obj, older_than, as_json=as_json))
