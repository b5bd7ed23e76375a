"""`petops setup aws`: queue, rule and policies in an AWS account."""

from __future__ import annotations

import asyncio
import re
from typing import Annotated, Any

import typer

app = typer.Typer(help="Make what petops needs elsewhere.", rich_markup_mode=None)
aws_app = typer.Typer(help="Make what petops needs in an AWS account.", rich_markup_mode=None)
app.add_typer(aws_app, name="aws")

_PREFIX = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,39}")


def _prefix(text: str) -> str:
    if not _PREFIX.fullmatch(text):
        raise typer.BadParameter("a prefix is up to 40 letters, digits and dashes")
    return text


NamePrefix = Annotated[
    str, typer.Option(callback=_prefix, help="What the names of all that is made begin with.")
]
Region = Annotated[str, typer.Option(help="AWS region; empty: the one that is set.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


@app.callback()
def setup() -> None:
    """Make what petops needs elsewhere."""


@aws_app.callback(invoke_without_command=True)
def aws(
    context: typer.Context,
    name_prefix: NamePrefix = "devops-agent",
    alarm_prefix: Annotated[
        str, typer.Option(help="Only alarms whose names begin so; empty: all.")
    ] = "",
    region: Region = "",
    dry_run: DryRun = False,
    adopt: Annotated[
        bool, typer.Option(help="Take over what exists under these names already.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make the queue, its dead-letter queue, the rule and the policies; print what differed.

    Called again it changes only what differs. `teardown` removes what this has made.
    """
    if context.invoked_subcommand is not None:
        return
    from petops.programs.aws_setup import Choice, set_up

    choice = Choice(
        prefix=name_prefix,
        alarm_prefix=alarm_prefix,
        region=region,
        dry_run=dry_run,
        adopt=adopt,
        as_json=as_json,
    )
    asyncio.run(set_up(_config(context), choice))


@aws_app.command()
def teardown(
    context: typer.Context,
    name_prefix: NamePrefix = "devops-agent",
    region: Region = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Remove what `petops setup aws` has made under this prefix, and nothing else."""
    from petops.programs.aws_setup import Choice, tear_down

    choice = Choice(prefix=name_prefix, region=region, dry_run=dry_run, as_json=as_json)
    asyncio.run(tear_down(_config(context), choice))


@aws_app.command()
def policies(
    context: typer.Context, name_prefix: NamePrefix = "devops-agent", region: Region = ""
) -> None:
    """Print the least IAM policies for both ServiceAccounts, as JSON."""
    from petops.programs.aws_setup import Choice, show_policies

    choice = Choice(prefix=name_prefix, region=region)
    asyncio.run(show_policies(_config(context), choice))


def _config(context: typer.Context) -> Any:
    """Return the settings file that was named before all commands."""
    return context.find_root().obj
