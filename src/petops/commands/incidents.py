"""`petops incidents`: what is open, and one incident whole."""

from __future__ import annotations

import asyncio
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from petops.errors import UsageError

if TYPE_CHECKING:
    from petops.domain.incident import Board

Attach = Annotated[str | None, typer.Option(help="Address of a running engine.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]

app = typer.Typer(
    help="List incidents, show one whole, export its record.",
    invoke_without_command=True,
    rich_markup_mode=None,
)


def complete_incident(context: typer.Context, incomplete: str) -> list[str]:
    """Complete incident ids from the journal that stands here."""
    from petops.errors import PetopsError

    config: Path | None = context.find_root().params.get("config_file")
    try:
        board = asyncio.run(_board(config, None))
    except PetopsError:
        return []
    return [one for one in board.incidents if one.startswith(incomplete)]


Incident = Annotated[
    str,
    typer.Argument(
        help="Incident id, as `petops incidents` prints it.", autocompletion=complete_incident
    ),
]


@app.callback()
def incidents(context: typer.Context, attach: Attach = None, as_json: AsJson = False) -> None:
    """List incidents that nobody has ended yet; `list --all` has all."""
    if context.invoked_subcommand is None:
        listed(context, attach, as_json=as_json)


@app.command("list")
def listed(
    context: typer.Context,
    attach: Attach = None,
    as_json: AsJson = False,
    every: Annotated[bool, typer.Option("--all", help="Those that are over, too.")] = False,
) -> None:
    """List incidents, the latest last."""
    from petops.programs.records import table

    table(asyncio.run(_board(context.obj, attach)), every=every, as_json=as_json)


@app.command()
def show(
    context: typer.Context, incident: Incident, attach: Attach = None, as_json: AsJson = False
) -> None:
    """Show one incident whole: what happened, on what evidence, and what was done."""
    from petops.programs.records import whole

    board = asyncio.run(_board(context.obj, attach))
    found = board.incidents.get(incident)
    if found is None:
        raise UsageError(f"there is no incident {incident}", hint="`petops incidents list --all`")
    whole(found, as_json=as_json)


@app.command()
def split(
    context: typer.Context,
    incident: Incident,
    alarm: Annotated[
        str, typer.Argument(help="The alarm's name or fingerprint, or a joined incident's id.")
    ],
    attach: Attach = None,
) -> None:
    """Undo a grouping: an alarm, or an incident that went on in this one, stands alone again."""
    from petops.domain.requests import SplitOff
    from petops.programs.deciding import submitted

    asyncio.run(
        submitted(
            context.obj,
            attach,
            lambda request: SplitOff(id=request, incident=incident, part=alarm),
        )
    )


class Format(StrEnum):
    """What a postmortem is written as."""

    MD = "md"
    JSON = "json"


@app.command()
def export(
    context: typer.Context,
    incident: Incident,
    format_: Annotated[Format, typer.Option("--format", help="md or json.")] = Format.MD,
    case: Annotated[
        Path | None, typer.Option(help="Write a case into this folder, in place of a postmortem.")
    ] = None,
    attach: Attach = None,
) -> None:
    """Write a postmortem: what happened and why, what was changed by whom, what is left to do."""
    from petops.programs.records import postmortem
    from petops.programs.replaying import export_case

    board = asyncio.run(_board(context.obj, attach))
    found = board.incidents.get(incident)
    if found is None:
        raise UsageError(f"there is no incident {incident}", hint="`petops incidents list --all`")
    if case is not None:
        export_case(found, case)
        typer.echo(f"{case}: `petops investigate --case {case}` concludes it again", err=True)
        return
    postmortem(found, as_json=format_ is Format.JSON)


def replay(
    context: typer.Context, incident: Incident, attach: Attach = None, as_json: AsJson = False
) -> None:
    """Conclude an incident again from its record, with the failure modes of this version.

    Exit status 1 says that the verdict is another one now.
    """
    from petops.programs import catalogue
    from petops.programs.replaying import print_replay

    board = asyncio.run(_board(context.obj, attach))
    found = board.incidents.get(incident)
    if found is None:
        raise UsageError(f"there is no incident {incident}", hint="`petops incidents list --all`")
    known = catalogue.every_mode(catalogue.own_knowledge(context.obj))
    sys.exit(print_replay(found, known, as_json=as_json))


async def _board(config: Path | None, attach: str | None) -> Board:
    from petops.programs.records import board_here

    return await board_here(config, attach)
