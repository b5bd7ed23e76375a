"""What a monitoring system reported: one alarm changing its state."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from petops.domain.subject import ClusterName, Subject


class AlarmSource(StrEnum):
    """Who raised the alarm."""

    CLOUDWATCH = "cloudwatch"
    ALERTMANAGER = "alertmanager"
    PERSON = "person"
    FORECAST = "forecast"


class AlarmState(StrEnum):
    """The state that the alarm changed to."""

    ALARM = "alarm"
    OK = "ok"
    INSUFFICIENT_DATA = "insufficient-data"


class Category(StrEnum):
    """Which kind of symptom; it chooses the failure modes that are suspected first."""

    MEMORY = "memory"
    CPU = "cpu"
    RESTARTS = "restarts"
    LATENCY = "latency"
    ERRORS = "errors"
    NODE = "node"
    AVAILABILITY = "availability"
    OTHER = "other"


class Priority(StrEnum):
    """How soon a person must look: P1 wakes somebody."""

    P1 = "P1"
    P2 = "P2"
    P3 = "P3"
    P4 = "P4"


class Environment(StrEnum):
    """What a cluster is for, as its settings say; UNKNOWN where they say nothing."""

    UNKNOWN = ""
    PRODUCTION = "production"
    STAGING = "staging"
    DEVELOPMENT = "development"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """One change of state of one alarm.

    `fingerprint` names the alarm (not the change): it is the same each time it fires. `event_id`
    names this one change, so that the same message twice is one event. `subject` is None where the
    alarm could not be mapped to an object; `unmapped` then says why. `text` is data for people to
    read: nothing is ever decided by it. `made_of` are the alarms, by name or ARN, whose firing a
    composite alarm is made of.
    """

    name: str
    source: AlarmSource
    fingerprint: str
    event_id: str
    state: AlarmState
    cluster: ClusterName
    started_at: datetime
    subject: Subject | None = None
    unmapped: str = ""
    metric: str = ""
    threshold: float | None = None
    severity: str = ""
    text: str = ""
    labels: tuple[tuple[str, str], ...] = field(default=())
    made_of: tuple[str, ...] = ()

    @property
    def is_forecast(self) -> bool:
        """Whether petops raised it itself, for what is going to happen."""
        return self.source is AlarmSource.FORECAST


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """Category and priority of an alarm, with the reason for people to read.

    `environment` is that of its cluster.
    """

    category: Category
    priority: Priority
    because: str
    environment: Environment = Environment.UNKNOWN
