"""`petops ask`: questions in plain words about the metrics."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer


def ask(
    context: typer.Context,
    question: Annotated[
        str | None, typer.Argument(help='In words: "memory of checkout over the last hour".')
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    time: Annotated[
        str | None, typer.Option(metavar="T", help="Ask as of a time: RFC 3339 or Unix seconds.")
    ] = None,
    prometheus_url: Annotated[
        str | None, typer.Option(help="Prometheus' address, in place of PROMETHEUS_URL.")
    ] = None,
    batch: Annotated[
        bool, typer.Option("--batch", help="Read questions as JSON lines; answer one a line.")
    ] = False,
) -> None:
    """Ask Prometheus in plain words; see the PromQL, the result and what stands out.

    Without a question, on a terminal, it asks for one after another.
    """
    from petops.programs.asking import asked

    status = asyncio.run(
        asked(
            context.obj,
            question,
            as_json=as_json,
            time=time,
            prometheus_url=prometheus_url,
            batch=batch,
        )
    )
    raise typer.Exit(status)
