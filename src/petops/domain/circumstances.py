"""What guards look at, read just before they do."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from petops.domain.policy import Identity, Rules
from petops.domain.terrain import Demand, NodeSite, Room


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """How it stands around one change. None is 'could not be found out', never 'nothing'.

    `lacks` is what petops is not allowed of it, empty where it is allowed everything;
    `approver_lacks` the same of who approves. `demand` is what one pod of the workload requests,
    `demand_grows` whether that grows with the limit, since nothing else is requested.
    """

    now: datetime
    rules: Rules = field(default_factory=Rules)
    changed_since: str | None = None
    dry_run_refused: str = ""
    desired_replicas: int = 0
    ready_replicas: int = 0
    unavailable_at_most: int = 0
    disruptions_allowed: int | None = None
    node_headroom_bytes: int | None = None
    room: Room = field(default_factory=Room)
    demand: Demand | None = None
    demand_grows: bool = False
    node: NodeSite | None = None
    managed_by: str = ""
    lacks: str | None = ""
    approver: Identity | None = None
    approver_lacks: str | None = ""
    acts_on_workload: int = 0
    acts_in_cluster: int = 0
    draining: str = ""
    symptom_present: bool | None = None
    takes_back: bool = False

    def why_unknown(self, part: str) -> str:
        """Say why a part of the surroundings is not known."""
        return self.room.why.get(part, "it could not be read")
