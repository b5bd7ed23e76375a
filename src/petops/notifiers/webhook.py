"""A plain webhook: one JSON document for each phase, signed where a secret is set."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass, field
from typing import Any

from petops.domain.incident import Incident
from petops.notifiers.base import Mask, cause_of, place_of, post


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """`Notifier` for one address."""

    url: str
    secret: str = field(default="", repr=False)
    mask: Mask
    priorities: tuple[str, ...] = ("P1", "P2")
    name: str = "webhook"

    def wanted(self, incident: Incident) -> str:
        """Return the phase that it has to know of."""
        known = incident.mirror(self.name, "event") is not None
        return str(incident.phase) if known or self._is_due(incident) else ""

    def _is_due(self, incident: Incident) -> bool:
        return str(incident.assessment.priority) in self.priorities

    async def tell(self, incident: Incident, what: str) -> None:
        """Post the document; `Idempotency-Key` tells one that comes again."""
        body = self.document(incident, what)
        headers = {"Idempotency-Key": f"{incident.id}-{incident.number}-{what}"}
        if self.secret:
            content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
            mark = hmac.new(self.secret.encode(), content, hashlib.sha256).hexdigest()
            headers["X-Petops-Signature"] = f"sha256={mark}"
        await post(self.url, body, headers, "the webhook")

    def document(self, incident: Incident, what: str) -> dict[str, Any]:
        """Return what is posted; keys stand always."""
        mode, because = cause_of(incident)
        cause = incident.diagnosis.cause if incident.diagnosis else None
        return {
            "incident": incident.id,
            "phase": what,
            "priority": str(incident.assessment.priority),
            "category": str(incident.assessment.category),
            "alarm": self.mask(incident.alarm.name),
            "cluster": str(incident.alarm.cluster),
            "subject": self.mask(place_of(incident)),
            "mode": mode if cause else None,
            "confidence": cause.confidence if cause else None,
            "because": self.mask(because),
            "opened_at": incident.opened_at.isoformat(),
        }
