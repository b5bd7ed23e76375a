"""`petops config show`: every setting, its origin, secrets masked."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(help="Show the settings.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def config() -> None:
    """Show the settings."""


@app.command()
def show(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Print every setting with its value and where that comes from."""
    from dataclasses import asdict

    from petops.config import shown
    from petops.programs.attach import settings_here
    from petops.programs.printing import Printer, print_json

    rows = shown(settings_here(context.obj))
    if as_json:
        print_json([asdict(one) for one in rows])
        return
    printer = Printer()
    width = max(len(one.name) for one in rows)
    for one in rows:
        printer.say(f"{one.name:<{width}}  {one.value or '-':<28}  {one.origin:<24} {one.about}")
