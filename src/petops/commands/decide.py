"""`petops approve`, `reject`, `ack`, `snooze` and so on: what a person decides on an incident."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from petops.commands.incidents import Attach, Incident

if TYPE_CHECKING:
    from petops.domain.requests import AnyRequest

Digest = Annotated[
    str, typer.Argument(help="Digest of the change you have read, or its first 8 characters.")
]
Because = Annotated[str, typer.Option("--because", help="Why; it stands in the record.")]


def approve(
    context: typer.Context,
    incident: Incident,
    digest: Digest,
    break_glass: Annotated[
        str, typer.Option(help="Approve alone what needs two people, for this reason.")
    ] = "",
    attach: Attach = None,
) -> None:
    """Approve a proposed change.

    The change is made only if it is still exactly the one with this digest. A red one waits for a
    second person, unless you break the glass: everybody is told who did, and why.
    """
    from petops.domain.requests import ApproveRemedy, BreakGlass

    if break_glass:
        _submit(
            context,
            attach,
            lambda request: BreakGlass(
                id=request, incident=incident, digest=digest, because=break_glass
            ),
        )
        return
    _submit(
        context, attach, lambda request: ApproveRemedy(id=request, incident=incident, digest=digest)
    )


def reject(
    context: typer.Context,
    incident: Incident,
    digest: Digest,
    because: Because,
    attach: Attach = None,
) -> None:
    """Reject a proposed change, with the reason."""
    from petops.domain.requests import RejectRemedy

    _submit(
        context,
        attach,
        lambda request: RejectRemedy(id=request, incident=incident, digest=digest, because=because),
    )


def stop(
    context: typer.Context, incident: Incident, because: Because, attach: Attach = None
) -> None:
    """End a drain, or another change that goes on pod by pod, where it is."""
    from petops.domain.requests import StopAct

    _submit(
        context,
        attach,
        lambda request: StopAct(id=request, incident=incident, because=because),
    )


def ack(context: typer.Context, incident: Incident, attach: Attach = None) -> None:
    """Say that you are looking at an incident."""
    from petops.domain.requests import Acknowledge

    _submit(context, attach, lambda request: Acknowledge(id=request, incident=incident))


def snooze(
    context: typer.Context,
    incident: Incident,
    minutes: Annotated[int, typer.Option("--for", min=1, help="For how many minutes.")] = 30,
    attach: Attach = None,
) -> None:
    """Be quiet about an incident for a while."""
    from datetime import UTC, datetime, timedelta

    from petops.domain.requests import Snooze

    until = datetime.now(UTC) + timedelta(minutes=minutes)
    _submit(context, attach, lambda request: Snooze(id=request, incident=incident, until=until))


def close(
    context: typer.Context,
    incident: Incident,
    because: Because = "closed by hand",
    attach: Attach = None,
) -> None:
    """End an incident by hand."""
    from petops.domain.requests import CloseIncident

    _submit(
        context,
        attach,
        lambda request: CloseIncident(id=request, incident=incident, because=because),
    )


def correct(
    context: typer.Context,
    incident: Incident,
    mode: Annotated[
        str,
        typer.Argument(help="What it was: a failure mode, 'nothing', or your own words."),
    ],
    about: Annotated[
        str, typer.Option(help="The object at fault: Deployment/default/checkout, Node/name.")
    ] = "",
    because: Because = "",
    attach: Attach = None,
) -> None:
    """Say what the cause really was.

    The verdict stands as it was given; what you say is kept beside it, and goes into the case that
    `petops incidents export ID --case DIR` makes of the incident.
    """
    from petops.programs.deciding import corrected

    asyncio.run(corrected(context.obj, attach, incident, mode, about=about, because=because))


def _submit(context: typer.Context, attach: str | None, made: Callable[[str], AnyRequest]) -> None:
    from petops.programs.deciding import submitted

    asyncio.run(submitted(context.obj, attach, made))
