"""`petops runbooks` and `petops modes`: what petops knows, and what your organisation added."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from petops.commands.incidents import AsJson

if TYPE_CHECKING:
    from petops.programs.catalogue import Known, KnownRemedy

app = typer.Typer(help="Your organisation's runbooks.", no_args_is_help=True)

Folder = Annotated[
    Path | None, typer.Argument(help="A folder of runbooks; else the one in the settings.")
]


@app.command("list")
def list_runbooks(context: typer.Context, as_json: AsJson = False) -> None:
    """List the runbooks, and the failure modes that they are about."""
    from petops.programs import catalogue, printing

    own = catalogue.own_knowledge(context.obj)
    if as_json:
        printing.print_json([asdict(one) for one in own.runbooks])
        return
    printer = printing.Printer()
    for one in own.runbooks:
        printer.say(f"{one.name}  {', '.join(one.modes)}  {one.title}  ({one.origin})")
    if not own.runbooks:
        printing.note("there are none: set knowledge.folder, or install a package that brings some")


@app.command("show")
def show_runbook(
    context: typer.Context, name: Annotated[str, typer.Argument(help="The runbook's name.")]
) -> None:
    """Print one runbook."""
    from petops.programs import catalogue, printing

    printer = printing.Printer()
    for line in catalogue.named(name, catalogue.own_knowledge(context.obj)).text.splitlines():
        printer.say(line)


@app.command("check")
def check_runbooks(context: typer.Context, folder: Folder = None, as_json: AsJson = False) -> None:
    """Check that each runbook can be read, and names only what there is.

    Exit status 0 says that all are in order.
    """
    from petops.programs import catalogue, printing

    own = catalogue.own_knowledge(context.obj, folder)
    wrong = {one.name: catalogue.problems_of(one, own) for one in own.runbooks}
    if as_json:
        rows = [{"runbook": name, "problems": list(found)} for name, found in wrong.items()]
        printing.print_json({"runbooks": rows, "troubles": list(own.troubles)})
    else:
        printer = printing.Printer()
        for name, found in wrong.items():
            said = f": {'; '.join(found)}" if found else ""
            printer.say(f"{'WRONG' if found else 'right'}  {name}{said}")
        for trouble in own.troubles:
            printer.say(f"WRONG  {trouble}")
        if not wrong and not own.troubles:
            printing.note("there are no runbooks to check")
    sys.exit(1 if own.troubles or any(wrong.values()) else 0)


def modes(
    context: typer.Context,
    name: Annotated[
        str | None, typer.Argument(help="A failure mode's name: what petops asks for it.")
    ] = None,
    remedies: Annotated[
        bool, typer.Option("--remedies", help="List the remedies, in place of failure modes.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List the failure modes that petops tells apart, its own and your organisation's."""
    from petops.programs import catalogue, printing

    own = catalogue.own_knowledge(context.obj)
    if remedies:
        _remedies(catalogue.known_remedies(own), as_json=as_json)
        return
    found = catalogue.failure_modes(own)
    if name is not None:
        found = (catalogue.mode_named(name, found),)
    if as_json:
        printing.print_json([asdict(one) for one in found])
        return
    if name is not None:
        _one_mode(found[0])
        return
    wide = max(len(one.name) for one in found)
    printer = printing.Printer()
    for one in found:
        pages = f"  runbook {', '.join(one.runbooks)}" if one.runbooks else ""
        where = "" if one.origin == catalogue.OURS else f"  ({one.origin})"
        printer.say(f"{one.name:<{wide}}  {one.title}{where}{pages}")


def _one_mode(one: Known) -> None:
    """Print a failure mode with its questions: a runbook's `steps` may name them."""
    from petops.programs import printing

    printer = printing.Printer()
    printer.say(f"{one.name}: {one.title} ({one.origin})")
    wide = max((len(step) for step, _ in one.steps), default=0)
    for step, question in one.steps:
        printer.say(f"  {step:<{wide}}  {question}")
    for page in one.runbooks:
        printer.say(f"  runbook {page}")


def _remedies(found: Sequence[KnownRemedy], *, as_json: bool) -> None:
    from petops.programs import printing

    if as_json:
        printing.print_json([asdict(one) for one in found])
        return
    wide = max(len(one.name) for one in found)
    printer = printing.Printer()
    for one in found:
        where = "" if one.origin == "petops" else f"  ({one.origin})"
        printer.say(f"{one.name:<{wide}}  {one.risk:<6}{where}".rstrip())
