"""The state of an alarm over other alarms, with the reason that CloudWatch gives."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from petops.domain.subject import ClusterName
from petops.lab.alarm_definitions import CompositeAlarm
from petops.lab.alarm_events import alarm_arn, stamp
from petops.lab.alarm_judging import Standing
from petops.lab.alarms import State


@dataclass(frozen=True, slots=True, kw_only=True)
class Composed:
    """A composite alarm with the alarms that its rule asks about, as far as they are there."""

    definition: CompositeAlarm
    children: Mapping[str, Standing]
    cluster: ClusterName

    def standing(
        self, wanted: State, states: Mapping[str, State], now: datetime, *, is_first: bool
    ) -> Standing:
        """Return the state that the rule gives, and which child led to it."""
        reason = (
            f"{alarm_arn(self.definition.name, self.cluster)} was created and its alarm rule "
            f"evaluates to {wanted}"
        )
        if not is_first and self.children:
            name, newest = max(self.children.items(), key=lambda one: one[1].since)
            when = now.strftime("%A %d %B, %Y %H:%M:%S UTC")
            arn = alarm_arn(name, self.cluster)
            reason = f"{arn} transitioned to {newest.state} at {when}"
        data = {"triggeringAlarms": [self._trigger(*one) for one in self.children.items()]}
        return Standing(
            state=wanted,
            reason=reason,
            since=now,
            data=json.dumps(data, separators=(",", ":")),
            suppressed=self._suppressed(states) if wanted is State.ALARM else "",
        )

    def _suppressed(self, states: Mapping[str, State]) -> str:
        """Say what holds the actions back at the moment of the change."""
        if not self.definition.suppressor:
            return ""
        name = self.definition.suppressor.rpartition(":alarm:")[2]
        return "Alarm" if states.get(name) is State.ALARM else "WaitPeriod"

    def _trigger(self, name: str, standing: Standing) -> dict[str, Any]:
        shown = {"value": str(standing.state), "timestamp": stamp(standing.since)}
        return {"arn": alarm_arn(name, self.cluster), "state": shown}
