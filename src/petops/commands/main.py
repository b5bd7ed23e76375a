"""`petops`: the command line. Here alone errors are printed; everything heavy is imported late."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from petops import __version__
from petops.commands import (
    ask,
    audit,
    chaos,
    config,
    daemon,
    decide,
    demo,
    doctor,
    incidents,
    investigate,
    journal,
    lab,
    manifests,
    mcp,
    runbooks,
    setup,
    slack,
    tui,
)
from petops.commands.eval import evaluate
from petops.errors import PetopsError, first_problem
from petops.programs import own_log

app = typer.Typer(
    name="petops",
    help="From an alarm on Amazon EKS to a verified recovery.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"petops {__version__}")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    config_file: Annotated[
        Path | None, typer.Option("--config", help="Settings file, in place of the usual one.")
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """From an alarm on Amazon EKS to a verified recovery."""
    del version
    context.obj = config_file


app.command("demo")(demo.demo)
app.add_typer(lab.app, name="lab")
app.command("daemon")(daemon.daemon)
app.command("investigate")(investigate.investigate)
app.command("eval")(evaluate)
app.add_typer(incidents.app, name="incidents")
app.command("replay")(incidents.replay)
app.command("approve")(decide.approve)
app.command("reject")(decide.reject)
app.command("stop")(decide.stop)
app.command("ack")(decide.ack)
app.command("snooze")(decide.snooze)
app.command("close")(decide.close)
app.command("correct")(decide.correct)
app.add_typer(chaos.app, name="chaos")
app.command("ask")(ask.ask)
app.command("tui")(tui.tui)
app.command("mcp")(mcp.mcp)
app.command("doctor")(doctor.doctor)
app.command("manifests")(manifests.manifests)
app.add_typer(setup.app, name="setup")
app.add_typer(config.app, name="config")
app.add_typer(audit.app, name="audit")
app.add_typer(journal.app, name="journal")
app.add_typer(slack.app, name="slack")
app.add_typer(runbooks.app, name="runbooks")
app.command("modes")(runbooks.modes)


def main() -> None:
    """Run a command; print what went wrong as one sentence and a hint, and exit with its code."""
    own_log.kept()
    try:
        app()
    except (PetopsError, BaseExceptionGroup) as raised:
        problem = first_problem(raised)
        if problem is None:
            raise
        typer.echo(f"error: {problem.message}", err=True)
        if problem.hint:
            typer.echo(f"hint: {problem.hint}", err=True)
        sys.exit(problem.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(141)
