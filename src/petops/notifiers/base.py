"""What a notifier is, and how it posts."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from petops.domain.incident import Incident
from petops.errors import DeniedError, SourceError

SECONDS: Final = 10.0
_TAKEN: Final = range(200, 300)
_AGAIN: Final = frozenset({408, 425, 429})
_TROUBLE: Final = 500

Mask = Callable[[str], str]
"""Takes out of a text what must not leave the cluster."""


class Notifier(Protocol):
    """Tells one service about incidents."""

    @property
    def name(self) -> str:
        """What it is called in the journal."""

    def wanted(self, incident: Incident) -> str:
        """Return what the service has to know now, in one word; empty if nothing of this."""

    async def tell(self, incident: Incident, what: str) -> None:
        """Tell it; the same twice has one effect there. Raise SourceError."""


async def post(url: str, body: Mapping[str, Any], headers: Mapping[str, str], name: str) -> None:
    """Post a document once; raise SourceError, or DeniedError where it will never be taken."""
    import httpx2  # noqa: PLC0415 - late: most engines have no notifier

    content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    head = {"Content-Type": "application/json", **headers}
    try:
        async with httpx2.AsyncClient(timeout=SECONDS) as client:
            answer = await client.post(url, content=content, headers=head)
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as exc:
        raise SourceError(f"{name} does not answer: {str(exc) or type(exc).__name__}") from exc
    if answer.status_code in _TAKEN:
        return
    told = f"{name} answered HTTP {answer.status_code}"
    if answer.status_code in _AGAIN or answer.status_code >= _TROUBLE:
        raise SourceError(told)
    raise DeniedError(told, hint=f"is {name}'s key or address right?")


def cause_of(incident: Incident) -> tuple[str, str]:
    """Return the cause's name and reason, or the alarm's category and nothing."""
    cause = incident.diagnosis.cause if incident.diagnosis else None
    return (cause.mode, cause.because) if cause else (f"{incident.assessment.category} alarm", "")


def place_of(incident: Incident) -> str:
    """Return what it is about."""
    cause = incident.diagnosis.cause if incident.diagnosis else None
    subject = (cause.subject if cause else None) or incident.alarm.subject
    return str(subject) if subject else incident.alarm.name
