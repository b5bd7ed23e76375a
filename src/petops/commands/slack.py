"""`petops slack`: what Slack has to be told about petops."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(help="Set up Slack.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def slack() -> None:
    """Set up Slack."""


@app.command()
def manifest(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON in place of YAML.")] = False,
    url: Annotated[
        str,
        typer.Option(help="Where Slack reaches the daemon, for HTTP in place of Socket Mode."),
    ] = "",
) -> None:
    """Print the app's manifest: paste it at api.slack.com/apps, 'From a manifest'."""
    import json
    import sys

    from petops.slack.manifest import manifest as made

    del context
    found = made(url)
    if as_json:
        text = json.dumps(found, indent=2)
    else:
        import yaml

        text = yaml.safe_dump(found, sort_keys=False).rstrip()
    sys.stdout.write(f"{text}\n")
