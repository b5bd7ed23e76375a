"""A postmortem that somebody who was asleep can follow: Markdown, or the same as one JSON document.

Pure. Text of the cluster stays text: nothing in it becomes markup.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, Final

from petops.domain import events as ev
from petops.domain.change import Advice, Proposal
from petops.domain.diagnosis import Finding, Row, Verdict, Weighs
from petops.domain.incident import Incident
from petops.domain.stages import stages
from petops.programs.acts_made import ActMade, acts_made
from petops.programs.left_to_do import left_to_do
from petops.programs.telling import stage_rows, state, told
from petops.wire.report import report, time

_MARKUP: Final = re.compile(r"([\\`*\[\]|]|(?<!\w)_|_(?!\w)|~(?=~)|^#|^>)")
_WEIGHS: Final = {
    Weighs.FOR: "speaks for it",
    Weighs.AGAINST: "speaks against it",
    Weighs.NOT_MEASURED: "not measured",
}


def document(incident: Incident) -> dict[str, Any]:
    """Return the postmortem as one JSON document: the report, and what it does not have."""
    return {
        **report(incident),
        "timeline": [
            {"at": time(entry.event.at), "number": entry.number, "told": _told(entry.event)}
            for entry in incident.history
        ],
        "changes": [_act_as_json(one) for one in acts_made(incident)],
        "left_to_do": list(left_to_do(incident)),
    }


def markdown(incident: Incident) -> str:
    """Return the postmortem as Markdown."""
    parts = (
        _head(incident),
        _summary(incident),
        _cause(incident),
        _changes(incident),
        _times(incident),
        _to_do(incident),
        _timeline(incident),
    )
    return "\n".join(line for part in parts for line in (*part, "")).rstrip() + "\n"


def _head(incident: Incident) -> Iterator[str]:
    cause = incident.diagnosis.cause if incident.diagnosis else None
    about = cause.subject if cause and cause.subject else incident.alarm.subject
    what = cause.mode if cause else "no cause found"
    yield f"# {incident.id}: {what}, {plain(str(about or incident.alarm.name))}"
    yield ""
    alarm = incident.alarm
    rows = (
        ("State", state(incident)),
        ("Priority", f"{incident.assessment.priority}, {incident.assessment.category}"),
        ("Cluster", str(alarm.cluster)),
        ("Alarm", f"{alarm.name} ({alarm.source}), since {_at(alarm.started_at)}"),
        ("Opened", _at(incident.opened_at)),
        ("Alarms that joined", str(incident.joined)),
    )
    yield from _table(("", ""), rows)


def _summary(incident: Incident) -> Iterator[str]:
    yield "## In short"
    yield ""
    alarm, diagnosis = incident.alarm, incident.diagnosis
    about = f" on {plain(str(alarm.subject))}" if alarm.subject else ""
    yield f"- Alarm: {plain(alarm.name)}{about}, {_at(alarm.started_at)}."
    before = sum(isinstance(one.event, ev.Reopened) for one in incident.history)
    if before:
        yield f"- It came back: this is round {before + 1}; the timeline has them all."
    yield f"- Cause: {plain(diagnosis.because) if diagnosis else 'not found yet'}."
    if said := incident.corrected:
        about = f" of {said.subject}" if said.subject else ""
        why = f": {said.because}" if said.because else ""
        yield f"- What it really was, says {plain(said.by.user)}: {plain(said.mode + about + why)}."
    acts = acts_made(incident)
    for one in acts:
        who = " and ".join(one.approvers) or "nobody"
        yield f"- Changed: {plain(one.summary)}; approved by {plain(who)}; {plain(one.outcome)}."
    if not acts:
        yield "- petops changed nothing."
    found = stages(incident)
    if found.mttr_seconds is not None:
        yield f"- Recovered {_span(found.mttr_seconds)} after the alarm's change of state."
    yield f"- Now: {plain(_ending(incident))}."


def _ending(incident: Incident) -> str:
    match incident.outcome:
        case ev.Mitigated(because=because):
            return f"mitigated: {because}"
        case ev.RemedyVerified(signals=signals):
            return f"verified: {'; '.join(signals)}"
        case ev.RemedyFailed(because=why) | ev.ActFailed(why=why):
            back = "; the change was taken back" if incident.taken_back else ""
            return f"failed: {why}{back}"
        case _:
            return f"{incident.phase}" + (
                f": {incident.ended_because}" if incident.ended_because else ""
            )


def _cause(incident: Incident) -> Iterator[str]:
    yield "## Cause, and what it rests on"
    yield ""
    diagnosis = incident.diagnosis
    if diagnosis is None:
        yield "Nothing was concluded."
        return
    cause = diagnosis.cause
    if cause is None:
        yield f"No cause was found: {plain(diagnosis.because)}"
    else:
        yield f"**{plain(cause.mode)}**, confidence {cause.confidence:.2f}: {plain(cause.because)}"
        yield ""
        yield from _evidence(cause.rows)
    refuted = [one for one in diagnosis.rivals if one.verdict is Verdict.REFUTED]
    for finding in diagnosis.rivals:
        if finding not in refuted:
            yield ""
            yield from _rival(finding)
    if refuted:
        yield ""
        yield "Ruled out:"
        yield ""
        for finding in refuted:
            yield f"- {plain(finding.mode)}: {plain(finding.because)}"
    if diagnosis.gaps:
        yield ""
        yield "Not known:"
        yield ""
        for gap in diagnosis.gaps:
            yield f"- {plain(gap.step)}: {plain(gap.why)}"
    for other in diagnosis.also_broken:
        yield ""
        yield f"Also broken, and not explained by this: {plain(other.mode)}: {plain(other.because)}"


def _rival(finding: Finding) -> Iterator[str]:
    yield f"Considered: **{plain(finding.mode)}**, {finding.verdict}: {plain(finding.because)}"
    if finding.rows:
        yield ""
        yield from _evidence(finding.rows)


def _evidence(rows: Iterable[Row]) -> Iterator[str]:
    yield from _table(
        ("", "Statement", "Seen", "Would be refuted if", "By"),
        (
            (
                _WEIGHS[row.weighs],
                row.statement,
                row.seen,
                row.refuted_if,
                ", ".join(dict.fromkeys(one.source for one in row.asked)),
            )
            for row in rows
        ),
    )


def _changes(incident: Incident) -> Iterator[str]:
    yield "## What was changed, and by whom"
    yield ""
    acts = acts_made(incident)
    if not acts:
        yield "Nothing."
    for one in acts:
        yield f"### {plain(one.summary)}"
        yield ""
        rows = (
            ("Risk", one.risk),
            ("Approved by", " and ".join(one.approvers)),
            ("Broke the glass", one.broke_glass),
            ("Began", _at(one.began_at)),
            ("Ended", _at(one.ended_at) if one.ended_at else ""),
            ("Outcome", one.outcome),
            ("Act, on the object", one.act),
            ("Digest", one.digest),
            ("Taken back by", one.inverse),
        )
        yield from _table(("", ""), (row for row in rows if row[1]))
        yield ""
        if one.diff:
            yield "```diff"
            yield from (line.replace("```", "'''") for line in one.diff)
            yield "```"
            yield ""
    made = {one.digest for one in acts}
    others = [one for one in incident.proposals if one.digest not in made]
    if acts and others:
        yield "Offered as well:"
        yield ""
        for other in others:
            risk = "advice" if isinstance(other.change, Advice) else str(other.risk)
            yield f"- {plain(other.remedy)} ({risk}): {plain(other.change.summary)}"
        yield ""
    if incident.withheld:
        yield "Considered and not offered:"
        yield ""
        for name, why in incident.withheld:
            yield f"- {plain(name)}: {plain(why)}"


def _times(incident: Incident) -> Iterator[str]:
    yield "## Where the time went"
    yield ""
    yield from _table(("Stage", "Time"), stage_rows(stages(incident)))


def _to_do(incident: Incident) -> Iterator[str]:
    yield "## What is left to do"
    yield ""
    items = left_to_do(incident)
    for one in items:
        head, *rest = one.splitlines()
        yield f"- [ ] {plain(head)}"
        if rest:
            yield ""
            yield "  ```"
            yield from (f"  {line}".replace("```", "'''") for line in rest)
            yield "  ```"
    if not items:
        yield "Nothing."


def _timeline(incident: Incident) -> Iterator[str]:
    yield "## Timeline (UTC)"
    yield ""
    yield from _table(("Time", "What happened"), _moments(incident))


def _moments(incident: Incident) -> Iterator[tuple[str, str]]:
    """Yield what happened; of the questions, asked all at once, only how many were answered."""
    answered = unanswered = 0
    for entry in incident.history:
        event = entry.event
        match event:
            case ev.StepAnswered():
                answered += 1
            case ev.StepUnanswered():
                unanswered += 1
            case ev.Mirrored():
                continue  # where it was shown tells nothing of what happened
            case _:
                if isinstance(event, ev.Diagnosed) and answered + unanswered:
                    text = f"{answered} questions answered, {unanswered} not"
                    yield _at(event.at), text
                    answered = unanswered = 0
                yield _at(event.at), _told(event)


def _told(event: ev.Event) -> str:
    """Return an event in one line."""
    match event:
        case ev.RemediesProposed(proposals=proposals) | ev.InverseOffered(proposals=proposals):
            return f"on offer: {_names(proposals)}"
        case ev.NothingToPropose(because=because):
            return f"no change is on offer: {because}"
        case ev.Diagnosed(diagnosis=diagnosis):
            because = f": {diagnosis.because}" if diagnosis.cause else ""
            return told(event)[0].text + because
        case _:
            return told(event)[0].text


def _names(proposals: Iterable[Proposal]) -> str:
    return ", ".join(
        f"{one.remedy} ({'advice' if isinstance(one.change, Advice) else one.risk})"
        for one in proposals
    )


def _act_as_json(one: ActMade) -> dict[str, Any]:
    return {
        "summary": one.summary,
        "risk": one.risk,
        "approved_by": list(one.approvers),
        "broke_glass": one.broke_glass or None,
        "act": one.act,
        "digest": one.digest,
        "began_at": time(one.began_at),
        "ended_at": time(one.ended_at),
        "outcome": one.outcome,
        "diff": list(one.diff),
        "inverse": one.inverse or None,
    }


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(plain(cell) for cell in row)} |"


def plain(text: str) -> str:
    """Return text that Markdown takes as text, on one line."""
    return _MARKUP.sub(r"\\\1", " ".join(text.split())).replace("<", "&lt;")


def _at(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.1f} min"
