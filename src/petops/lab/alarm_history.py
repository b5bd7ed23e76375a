"""What happened to alarms, as DescribeAlarmHistory tells it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from petops.lab.alarm_judging import Contributor, Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """One line of an alarm's history."""

    alarm: str
    is_composite: bool
    at: datetime
    kind: str
    summary: str
    data: str
    contributor: Contributor | None = None


def historic(standing: Standing) -> dict[str, Any]:
    """Return a state as the history writes it."""
    made: dict[str, Any] = {"stateValue": str(standing.state), "stateReason": standing.reason}
    try:
        return made | ({"stateReasonData": json.loads(standing.data)} if standing.data else {})
    except ValueError:
        return made
