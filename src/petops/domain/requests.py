"""What surfaces ask of an engine. Who asks comes with the channel, never with the request."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from petops.domain.alarm import Alarm
from petops.domain.subject import Subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """`id` makes the request idempotent: the same one twice has one effect and one answer."""

    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportAlarm(Request):
    """An alarm changed its state."""

    alarm: Alarm


@dataclass(frozen=True, slots=True, kw_only=True)
class ApproveRemedy(Request):
    """Make the change with this digest (or the one digest that begins so)."""

    incident: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakGlass(Request):
    """Make a change that needs two people, alone, for this reason; everybody is told."""

    incident: str
    digest: str
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StopAct(Request):
    """End the act under way where it is."""

    incident: str
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectRemedy(Request):
    """Do not make the change with this digest."""

    incident: str
    digest: str
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledge(Request):
    """A person is looking at it."""

    incident: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Snooze(Request):
    """Stay quiet about it until then."""

    incident: str
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseIncident(Request):
    """A person ends it."""

    incident: str
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectCause(Request):
    """Say what the cause really was.

    `mode` is a failure mode's name, 'nothing' where nothing was broken, or words of their own.
    """

    incident: str
    mode: str
    subject: Subject | None = None
    because: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordMirrored(Request):
    """A surface has posted what an incident shows: where it stands, and up to which entry.

    Only petops' own mirrors may say so; `part` is which of the incident's messages it is.
    """

    incident: str
    surface: str
    part: str
    channel: str
    message: str
    shown: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitOff(Request):
    """Undo a grouping: `part` stands alone, an alarm (name or fingerprint) or a joined incident."""

    incident: str
    part: str


AnyRequest = (
    ReportAlarm
    | ApproveRemedy
    | BreakGlass
    | RejectRemedy
    | StopAct
    | Acknowledge
    | Snooze
    | CloseIncident
    | CorrectCause
    | RecordMirrored
    | SplitOff
)
