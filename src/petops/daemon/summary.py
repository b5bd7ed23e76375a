"""What a list shows of an incident."""

from __future__ import annotations

from typing import Any

from petops.domain.incident import Incident


def summary(incident: Incident) -> dict[str, Any]:
    """Return what a list shows of an incident; keys stand always."""
    cause = incident.diagnosis.cause if incident.diagnosis else None
    return {
        "id": incident.id,
        "phase": incident.phase,
        "priority": incident.assessment.priority,
        "category": incident.assessment.category,
        "alarm": incident.alarm.name,
        "alarm_state": incident.alarm_state,
        "cluster": str(incident.alarm.cluster),
        "subject": str(incident.alarm.subject or ""),
        "opened_at": incident.opened_at.isoformat().replace("+00:00", "Z"),
        "joined": incident.joined,
        "goes_on_in": incident.merged_into or None,
        "mode": cause.mode if cause else None,
        "on_offer": [one.digest for one in incident.on_offer],
        "acknowledged_by": incident.acknowledged.by.user if incident.acknowledged else None,
    }
