"""What became of alarms: opened an incident, joined one, led to nothing; and what undid that."""

from __future__ import annotations

from dataclasses import dataclass

from petops.domain.alarm import Alarm, Assessment
from petops.domain.happened import Happened
from petops.domain.policy import Identity
from petops.domain.subject import Subject


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentOpened(Happened):
    """An alarm opened an incident.

    `origin` is the object that is thought to cause it where that is not the alarm's own; `apart`
    the incident that a person split it off.
    """

    alarm: Alarm
    assessment: Assessment
    origin: Subject | None = None
    apart: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmJoined(Happened):
    """Another report belongs to this incident; `because` says why it opened none of its own."""

    alarm: Alarm
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmTurnedAway(Happened):
    """A report led to nothing; `because` says why. Stands under no incident."""

    alarm: Alarm
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentMerged(Happened):
    """Another incident explains this one: it goes on there, and a person may split it off."""

    into: str
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitApart(Happened):
    """A person undid the merger: this incident goes on by itself, for good."""

    by: Identity
    apart: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmSplitOff(Happened):
    """A person took an alarm out; it has the incident `to` of its own now."""

    by: Identity
    fingerprint: str
    to: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reopened(Happened):
    """The alarm came back after the incident had come to rest."""

    alarm: Alarm
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalPruned(Happened):
    """The oldest `lines` lines were taken out, up to `until`, whose hash is `head`.

    `incidents` is how many incidents there ever were, so that no id is given twice.
    """

    lines: int
    until: int
    head: str
    incidents: int
