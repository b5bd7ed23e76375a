"""Submits what a person decided, and prints the entry that answers."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path

from petops.domain.events import ApprovalRefused, Entry, RequestRefused
from petops.domain.requests import AnyRequest, CorrectCause
from petops.domain.subject import ClusterName, Kind, Subject
from petops.errors import RefusedError, UsageError
from petops.programs.attach import found_engine, settings_here
from petops.programs.printing import Printer
from petops.programs.telling import told


async def submitted(
    config: Path | None, attach: str | None, made: Callable[[str], AnyRequest]
) -> None:
    """Submit a request with an id of its own; raise RefusedError where it was turned down."""
    async with found_engine(settings_here(config).settings, attach) as engine:
        entry = await engine.submit(made(str(uuid.uuid4())))
    _tell(entry)


async def corrected(
    config: Path | None, attach: str | None, incident: str, mode: str, *, about: str, because: str
) -> None:
    """Submit what the cause really was; `about` is Kind/namespace/name, or Node/name."""
    async with found_engine(settings_here(config).settings, attach) as engine:
        known = (await engine.board()).incident(incident)
        if known is None:
            raise UsageError(f"there is no incident {incident[:40]}", hint="petops incidents")
        request = CorrectCause(
            id=str(uuid.uuid4()),
            incident=incident,
            mode=mode,
            subject=subject_from(about, known.alarm.cluster) if about else None,
            because=because,
        )
        entry = await engine.submit(request)
    _tell(entry)


def subject_from(text: str, cluster: ClusterName) -> Subject:
    """Return the object that is written as Kind/namespace/name, or Node/name."""
    kind, *rest = text.split("/")
    kinds = {one.value.casefold(): one for one in Kind}
    if kind.casefold() not in kinds or len(rest) not in {1, 2}:
        raise UsageError(
            f"{text[:80]!r} is no object", hint="for example: Deployment/default/checkout"
        )
    *namespace, name = rest
    return Subject(
        cluster=cluster,
        kind=kinds[kind.casefold()],
        namespace="".join(namespace),
        name=name,
    )


def _tell(entry: Entry) -> None:
    if isinstance(entry.event, ApprovalRefused | RequestRefused):
        raise RefusedError(
            f"refused: {entry.event.why}", hint=f"petops incidents show {entry.incident}"
        )
    printer = Printer()
    printer.lines(told(entry.event), prefix=f"{entry.incident}  ")
