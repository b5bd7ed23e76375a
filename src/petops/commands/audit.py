"""`petops audit`: whether the record is what was written."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from petops.commands.incidents import AsJson

app = typer.Typer(help="Check the record of what was decided and done.", rich_markup_mode=None)


@app.callback()
def audit() -> None:
    """Check the record of what was decided and done."""


@app.command()
def verify(
    context: typer.Context,
    expect: Annotated[
        str, typer.Option(help="A hash that was noted earlier and must still be in the chain.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Walk the journal's chain of hashes; name each line that was edited, added or is missing.

    Note the head that it prints somewhere else: given to --expect later, it shows that nobody wrote
    the whole journal anew.
    """
    from petops.programs.audit import verify as verified

    asyncio.run(verified(context.obj, expect, as_json=as_json))
