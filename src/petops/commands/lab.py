"""`petops lab`: a small simulated cluster with Prometheus and AWS, on this machine."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

app = typer.Typer(
    help="Run the lab: a small cluster with Prometheus and AWS, simulated on this machine.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.callback()
def lab() -> None:
    """Run the lab."""


@app.command()
def up(
    context: typer.Context,
    detach: Annotated[
        bool, typer.Option("--detach", help="Return once it is ready; `petops lab down` ends it.")
    ] = False,
    no_engine: Annotated[
        bool, typer.Option("--no-engine", help="The lab alone, without an engine on it.")
    ] = False,
    size: Annotated[int, typer.Option(help="How many times the application is there.")] = 1,
) -> None:
    """Start the lab and an engine on it, and keep them until Ctrl-C or `petops lab down`."""
    from petops.programs import labs

    if detach:
        labs.detached(context.obj, with_engine=not no_engine, size=size)
    else:
        asyncio.run(labs.kept(with_engine=not no_engine, size=size))


@app.command()
def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Say whether a lab runs, and where."""
    from petops.programs import labs

    labs.status(as_json=as_json)


@app.command()
def env() -> None:
    """Print the environment that points kubectl, boto3 and petops at the lab.

    Use it as: eval "$(petops lab env)".
    """
    from petops.programs import labs

    labs.environment()


@app.command()
def down() -> None:
    """End the lab; nothing of it stays."""
    from petops.programs import labs

    asyncio.run(labs.ended())
