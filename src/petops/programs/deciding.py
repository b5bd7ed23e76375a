"""Submits what a person decided, and prints the entry that answers."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path

from petops.domain.events import ApprovalRefused, RequestRefused
from petops.domain.requests import AnyRequest
from petops.errors import RefusedError
from petops.programs.attach import found_engine, settings_here
from petops.programs.printing import Printer
from petops.programs.telling import told


async def submitted(
    config: Path | None, attach: str | None, made: Callable[[str], AnyRequest]
) -> None:
    """Submit a request with an id of its own; raise RefusedError where it was turned down."""
    settings = settings_here(config).settings
    async with found_engine(settings, attach) as engine:
        entry = await engine.submit(made(str(uuid.uuid4())))
    if isinstance(entry.event, ApprovalRefused | RequestRefused):
        raise RefusedError(
            f"refused: {entry.event.why}", hint=f"petops incidents show {entry.incident}"
        )
    printer = Printer()
    printer.lines(told(entry.event), prefix=f"{entry.incident}  ")
