"""Where an incident's time went, as spans of a trace. Pure.

One round of an incident is one trace: `incident` from the alarm's change of state to the end, and
below it `detect`, `investigate` with a span for each step, `decide`, `act` and `recover`. A span is
known once it has ended. No text that somebody wrote is in it: objects' names, and our own words.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import dropwhile
from typing import Final

from petops.domain import events as ev
from petops.domain.evidence import Answer, Unknown
from petops.domain.incident import Incident
from petops.domain.phases import OVER, Phase
from petops.domain.subject import Subject

ENDED: Final = OVER | {Phase.MITIGATED}
"""Phases in which a round's trace is whole."""

Value = str | int | float | bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One stretch of time of one incident, both ends in UTC.

    `trace` is the same for all spans of a round, `key` is one span's own within it, `parent` the
    key of the span around it, empty for the outermost. `failed` says in a word what went wrong.
    """

    trace: str
    key: str
    parent: str = ""
    name: str
    start: datetime
    end: datetime
    attributes: Mapping[str, Value] = field(default_factory=dict)
    failed: str = ""


ROOT: Final = "incident"


def ended_spans(before: Incident | None, after: Incident, entry: ev.Entry) -> Iterator[Span]:
    """Yield the spans that ended with this entry, which led from `before` to `after`."""
    event = entry.event
    match event:
        case ev.IncidentOpened():
            yield _span(after, "detect", entry, after.alarm.started_at)
        case ev.Reopened():
            if before is not None and before.phase not in ENDED:
                yield _whole(before, event.at)
            yield _span(after, "detect", entry, after.alarm.started_at)
        case ev.Diagnosed():
            yield from _investigation(after, entry)
        case ev.RemedyApproved(by=by) | ev.RemedyRejected(by=by) if before is not None:
            decision = "approved" if isinstance(event, ev.RemedyApproved) else "rejected"
            said: dict[str, Value] = {"petops.decision": decision, "petops.channel": by.channel}
            yield _span(after, "decide", entry, before.proposed_at, said)
        case ev.RemedyApplied() | ev.ActFailed() | ev.TakenBack() if before and before.intent:
            failed = "" if isinstance(event, ev.RemedyApplied) else type(event).__name__
            kind: dict[str, Value] = {"petops.change": type(before.intent.change).__name__}
            yield _span(after, "act", entry, before.intent.at, kind, failed=failed)
        case ev.Recovered() | ev.RemedyFailed() if before and before.applied:
            if before.phase is Phase.WATCHING:
                failed = "" if isinstance(event, ev.Recovered) else type(event).__name__
                yield _span(after, "recover", entry, before.applied.at, failed=failed)
        case _:
            pass
    if before is not None and before.phase not in ENDED and after.phase in ENDED:
        yield _whole(after, event.at)


def _investigation(incident: Incident, entry: ev.Entry) -> Iterator[Span]:
    """Yield the investigation that ended with this entry, and its steps."""
    started = [one for one in incident.history if isinstance(one.event, ev.InvestigationStarted)]
    if not started:
        return
    first = started[-1]
    cause = incident.diagnosis.cause if incident.diagnosis else None
    said: dict[str, Value] = {
        "petops.cause": cause.mode if cause else "none",
        "petops.confidence": cause.confidence if cause else 0.0,
        "petops.steps": len(incident.asked),
        "petops.steps.unknown": len(incident.unknowns),
    }
    if cause is not None and cause.subject is not None:
        said |= _about(cause.subject, "petops.cause.")
    whole = _span(incident, "investigate", entry, first.event.at, said)
    yield whole
    for one in dropwhile(lambda one: one.number <= first.number, incident.history):
        match one.event:
            case ev.StepAnswered(answer=told) | ev.StepUnanswered(unknown=told):
                yield _step(whole, one, told)


def _step(whole: Span, entry: ev.Entry, told: Answer | Unknown) -> Span:
    end = entry.event.at
    return Span(
        trace=whole.trace,
        key=f"step/{entry.number}",
        parent=whole.key,
        name=told.step,
        start=max(whole.start, end - timedelta(seconds=told.seconds)),
        end=end,
        attributes={"petops.sources": ",".join(sorted({one.source for one in told.asked}))},
        failed="unanswered" if isinstance(told, Unknown) else "",
    )


def _span(
    incident: Incident,
    name: str,
    entry: ev.Entry,
    start: datetime | None,
    attributes: Mapping[str, Value] | None = None,
    *,
    failed: str = "",
) -> Span:
    end = entry.event.at
    return Span(
        trace=_trace(incident),
        key=f"{name}/{entry.number}",
        parent=ROOT,
        name=name,
        # Two clocks may differ by a little: time does not run backwards for that.
        start=min(start or end, end),
        end=end,
        attributes=attributes or {},
        failed=failed,
    )


def _whole(incident: Incident, end: datetime) -> Span:
    """Return the span around a round of an incident."""
    alarm = incident.alarm
    said: dict[str, Value] = {
        "petops.incident": incident.id,
        "petops.phase": incident.phase.value,
        "petops.category": incident.assessment.category.value,
        "petops.priority": incident.assessment.priority.value,
        "petops.alarms": len(incident.alarms),
    }
    if alarm.subject is not None:
        said |= _about(alarm.subject, "")
    return Span(
        trace=_trace(incident),
        key=ROOT,
        name=ROOT,
        start=min(alarm.started_at, incident.cycle_began_at),
        end=end,
        attributes=said,
        failed="failed" if incident.phase is Phase.FAILED else "",
    )


def _about(subject: Subject, prefix: str) -> dict[str, Value]:
    """Return an object by the names that OpenTelemetry's conventions have for it."""
    said: dict[str, Value] = {f"{prefix}k8s.{subject.kind.value.lower()}.name": subject.name}
    if subject.namespace:
        said[f"{prefix}k8s.namespace.name"] = subject.namespace
    return said


def _trace(incident: Incident) -> str:
    return f"{incident.alarm.cluster}/{incident.id}/{incident.cycle_began_at.isoformat()}"
