"""What every event is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """`at` is when, in UTC. `request` is the id of the request that caused it, if one did."""

    at: datetime
    request: str = ""
