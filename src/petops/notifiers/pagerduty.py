"""PagerDuty's Events API v2: trigger, acknowledge, resolve; its dedup key makes one of twice."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from petops.domain.alarm import Priority
from petops.domain.incident import Incident
from petops.domain.phases import OVER, Phase
from petops.notifiers.base import Mask, cause_of, place_of, post

_SEVERITY: Final = {
    Priority.P1: "critical",
    Priority.P2: "error",
    Priority.P3: "warning",
    Priority.P4: "info",
}
_LONGEST: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class PagerDuty:
    """`Notifier` for one PagerDuty service."""

    key: str = field(repr=False)
    url: str
    mask: Mask
    priorities: tuple[str, ...] = ("P1", "P2")
    page: str = ""
    name: str = "pagerduty"

    def wanted(self, incident: Incident) -> str:
        """Return the event's action. What was never triggered needs no end."""
        before = incident.mirror(self.name, "event")
        if incident.phase in OVER:
            return "resolve" if before is not None else ""
        if before is None and str(incident.assessment.priority) not in self.priorities:
            return ""
        if incident.phase is Phase.MITIGATED or incident.acknowledged is not None:
            return (
                "acknowledge" if before is not None and before.message != "resolve" else "trigger"
            )
        return "trigger"

    async def tell(self, incident: Incident, what: str) -> None:
        """Send the event."""
        await post(self.url, self.event(incident, what), {}, "PagerDuty")

    def event(self, incident: Incident, what: str) -> dict[str, Any]:
        """Return the event as PagerDuty takes it."""
        mode, because = cause_of(incident)
        priority = incident.assessment.priority
        summary = self.mask(f"{priority} {mode} on {place_of(incident)}")[:_LONGEST]
        cluster = str(incident.alarm.cluster)
        made: dict[str, Any] = {
            "routing_key": self.key,
            "event_action": what,
            "dedup_key": f"petops/{cluster}/{incident.id}"[:255],
            "client": "petops",
            "payload": {
                "summary": summary,
                "source": cluster,
                "severity": _SEVERITY[priority],
                "timestamp": incident.alarm.started_at.isoformat(),
                "component": self.mask(place_of(incident)),
                "class": str(incident.assessment.category),
                "custom_details": {"incident": incident.id, "because": self.mask(because)},
            },
        }
        if self.page:
            href = f"{self.page.rstrip('/')}/incidents/{incident.id}"
            made["links"] = [{"href": href, "text": "Incident"}]
        return made
