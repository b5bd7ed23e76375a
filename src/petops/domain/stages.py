"""Where the time of an incident went, stage by stage."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from petops.domain.incident import Incident


@dataclass(frozen=True, slots=True, kw_only=True)
class Stages:
    """Seconds of each stage; None where it has not ended.

    Detect is from the alarm's change of state to the incident, investigate from there to the
    diagnosis, approval from the first proposal to the decision, act from there to the applied
    change, recover from there to recovered. MTTR is from the alarm's change of state to recovered.
    """

    detect_seconds: float | None
    investigate_seconds: float | None
    approval_seconds: float | None
    act_seconds: float | None
    recover_seconds: float | None
    mttr_seconds: float | None


def stages(incident: Incident) -> Stages:
    """Return the stages of the incident's present round."""
    began, opened = incident.alarm.started_at, incident.cycle_began_at
    approved = incident.approved.at if incident.approved else None
    applied = incident.applied.at if incident.applied else None
    recovered = incident.recovered.at if incident.recovered else None
    return Stages(
        detect_seconds=_between(began, opened),
        investigate_seconds=_between(opened, incident.diagnosed_at),
        approval_seconds=_between(incident.proposed_at, approved),
        act_seconds=_between(approved, applied),
        recover_seconds=_between(applied, recovered),
        mttr_seconds=_between(began, recovered),
    )


def _between(start: datetime | None, end: datetime | None) -> float | None:
    if start is None or end is None:
        return None
    # Two clocks may differ by a little: time does not run backwards for that.
    return round(max(0.0, (end - start).total_seconds()), 3)
