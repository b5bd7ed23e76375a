"""`petops chaos`: faults to practise with, on the lab or on a cluster."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from petops.commands.incidents import AsJson

app = typer.Typer(
    help="Inject faults to practise with, and take them back.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def complete_scenario(incomplete: str) -> list[str]:
    """Complete the names of scenarios."""
    from petops.scenarios import CATALOGUE

    return [one for one in CATALOGUE if one.startswith(incomplete)]


Scenario = Annotated[
    str, typer.Argument(help="Name of a scenario.", autocompletion=complete_scenario)
]


@app.callback()
def chaos() -> None:
    """Inject faults to practise with, and take them back."""


@app.command("list")
def listed(as_json: AsJson = False) -> None:
    """List the scenarios."""
    from petops.programs import chaos as program

    program.listed(as_json=as_json)


@app.command()
def inject(
    context: typer.Context,
    scenario: Scenario,
    ttl: Annotated[str, typer.Option(help="When the fault ends by itself: 90s, 10m, 1h.")] = "10m",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Let the server check it only.")
    ] = False,
    wait: Annotated[
        bool, typer.Option("--wait", help="Return once the fault's program runs.")
    ] = False,
) -> None:
    """Start a fault: its manifest is applied, and nothing else is done."""
    from petops.programs import chaos as program

    asyncio.run(program.injected(context.obj, scenario, ttl=ttl, dry_run=dry_run, wait=wait))


@app.command()
def status(context: typer.Context, as_json: AsJson = False) -> None:
    """Say which faults are injected."""
    from petops.programs import chaos as program

    asyncio.run(program.status(context.obj, as_json=as_json))


@app.command()
def clean(
    context: typer.Context,
    scenario: Annotated[
        str | None,
        typer.Argument(help="Only this one.", autocompletion=complete_scenario),
    ] = None,
) -> None:
    """Take faults back, and say whether the service recovered; done twice it does no harm."""
    from petops.programs import chaos as program

    asyncio.run(program.cleaned(context.obj, scenario))


@app.command()
def manifest(scenario: Scenario) -> None:
    """Print a scenario's manifest, as `kubectl apply -f -` takes it."""
    from petops.programs import chaos as program

    program.manifest(scenario)
