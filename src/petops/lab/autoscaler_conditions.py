"""What an autoscaler says of itself, and the bounds that it keeps."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from petops.lab.quantities import stamp
from petops.lab.store import Json

_FASTEST: Final = (2.0, 4)
"""In one step at most to twice as many, or to four."""


class Conditions:
    """An autoscaler's conditions while they are being brought up to date."""

    def __init__(self, found: Json, now: datetime) -> None:
        self._now = now
        self.listed: list[Json] = [
            dict(one) for one in (found.get("status") or {}).get("conditions") or ()
        ]

    def put(self, kind: str, holds: str, reason: str, message: str) -> None:
        """Set a condition; its time moves only when its status does."""
        made = {
            "type": kind,
            "status": holds,
            "lastTransitionTime": stamp(self._now),
            "reason": reason,
            "message": message,
        }
        for position, one in enumerate(self.listed):
            if one["type"] == kind:
                if one["status"] == holds:
                    made["lastTransitionTime"] = one["lastTransitionTime"]
                self.listed[position] = made
                return
        self.listed.append(made)


def bounded(found: Json, current: int, wanted: int, conditions: Conditions) -> int:
    """Return the replicas that may be asked for now, and say what limits them."""
    least, most = int(found["spec"].get("minReplicas", 1)), int(found["spec"]["maxReplicas"])
    fastest = max(int(current * _FASTEST[0]), _FASTEST[1])
    if wanted > most:
        reason = "TooManyReplicas"
        text = "the desired replica count is more than the maximum replica count"
        conditions.put("ScalingLimited", "True", reason, text)
    elif wanted < least:
        reason = "TooFewReplicas"
        text = "the desired replica count is less than the minimum replica count"
        conditions.put("ScalingLimited", "True", reason, text)
    elif wanted > fastest:
        text = "the desired replica count is increasing faster than the maximum scale rate"
        conditions.put("ScalingLimited", "True", "ScaleUpLimit", text)
    else:
        text = "the desired count is within the acceptable range"
        conditions.put("ScalingLimited", "False", "DesiredWithinRange", text)
    return max(min(wanted, most, fastest), least)
