"""`petops demo`: one incident, from a fault to its recovery."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated

import typer


def demo(
    context: typer.Context,
    headless: Annotated[
        bool, typer.Option("--headless", help="Approve by itself, and tell it line by line.")
    ] = False,
) -> None:
    """Open the dashboard on the lab; headless, tell one incident from a fault to its recovery.

    Nothing of AWS, Slack or a cluster is needed. Exit status 0 says that it recovered.
    """
    if not headless and sys.stdin.isatty() and sys.stdout.isatty():
        from petops.programs.dashboard import Wish, shown_until_left
        from petops.programs.ending import until_told

        asyncio.run(until_told(shown_until_left(Wish(config=context.obj, lab=True))))
        return
    from petops.programs.demo import told_live

    sys.exit(asyncio.run(told_live(headless=True)))
