"""`petops demo`: one incident, from a fault to its recovery."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated

import typer


def demo(
    headless: Annotated[
        bool, typer.Option("--headless", help="Approve by itself, and tell it line by line.")
    ] = False,
) -> None:
    """Tell one incident on the lab: a leak is injected, found, repaired, and watched.

    Nothing of AWS, Slack or a cluster is needed. Exit status 0 says that it recovered.
    """
    from petops.programs.demo import told_live

    sys.exit(asyncio.run(told_live(headless=headless or not sys.stdin.isatty())))
