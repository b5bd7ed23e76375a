"""An incident as a message: pure, and always within Slack's limits."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from petops.domain.change import Advice, Proposal
from petops.domain.diagnosis import Finding, Row, Weighs
from petops.domain.incident import Incident
from petops.domain.phases import OVER
from petops.slack.look import (
    PHASES,
    PRIORITIES,
    RISKS,
    Look,
    links,
    signed,
    state,
    symptom,
    workload,
)
from petops.slack.text import (
    BUTTON,
    CONFIRM_BUTTON,
    CONFIRM_TEXT,
    CONFIRM_TITLE,
    Json,
    context,
    cut,
    date,
    header,
    plain,
    section,
)

APPROVE: Final = "petops.approve"
REJECT: Final = "petops.reject"
DETAILS: Final = "petops.details"
ACKNOWLEDGE: Final = "petops.acknowledge"
SNOOZE: Final = "petops.snooze"
WRONG_CAUSE: Final = "petops.wrong-cause"
SNOOZES: Final = (("30m", "30 minutes"), ("1h", "1 hour"), ("4h", "4 hours"), ("12h", "12 hours"))
EVIDENCE: Final = 3
_WEIGHS: Final = {Weighs.FOR: "for", Weighs.AGAINST: "against", Weighs.NOT_MEASURED: "not measured"}


@dataclass(frozen=True, slots=True)
class Message:
    """What is posted: blocks, and the text that a notification shows."""

    text: str
    blocks: tuple[Json, ...] = field(default=())


def card(incident: Incident, look: Look, now: datetime, mention: str = "") -> Message:
    """Return the incident as it is now; `mention` stands in it from its first posting on."""
    priority = incident.assessment.priority
    blocks = [
        *head(incident, look),
        *_change(incident, look),
        *_who(incident, look, now, mention),
        *actions(incident),
    ]
    told = links(incident, look, now)
    if told:
        blocks.append(context(told))
    words = f"{priority} {symptom(incident)} on {workload(incident)}: {PHASES[incident.phase][1]}"
    text = look.writer.said(f"{incident.id} {words}", 280)
    return Message(text=f"{mention} {text}" if mention else text, blocks=tuple(blocks))


def head(incident: Incident, look: Look) -> list[Json]:
    """Return what it is, where it stands, and why."""
    write, priority = look.writer, incident.assessment.priority
    title = write.plain(f"{priority} · {symptom(incident)} · {workload(incident)}", 140)
    return [
        header(title),
        section(f"{PHASES[incident.phase][0]} *{state(incident, look)}*"),
        context(
            f"{PRIORITIES[priority]} {priority}",
            f"cluster {write.code(str(incident.alarm.cluster), 120)}",
            f"since {date(incident.alarm.started_at, '{date_short_pretty} {time}')}",
            f"{write.code(incident.id)}",
            _joined(incident),
        ),
        *_cause(incident, look),
    ]


def _joined(incident: Incident) -> str:
    return f"{incident.joined} more alarms joined" if incident.joined else ""


def _cause(incident: Incident, look: Look) -> list[Json]:
    write, diagnosis = look.writer, incident.diagnosis
    if diagnosis is None:
        return [section(f"Alarm {write.code(incident.alarm.name, 200)}")]
    if diagnosis.cause is None:
        return [section(f"*No cause found.* {write.said(diagnosis.because)}")]
    cause = diagnosis.cause
    head = f"*{write.said(cause.mode, 80)}*, confidence {cause.confidence:.0%}"
    blocks = [section(f"{head}: {write.said(cause.because)}")]
    rows = best_rows(cause)
    if rows:
        blocks.append(section("\n".join(row_text(one, look) for one in rows)))
    if incident.corrected is not None:
        said = f"{signed(incident.corrected.by)} says that it was"
        blocks.append(context(f"{write.said(said)} {write.code(incident.corrected.mode)}"))
    return blocks


def best_rows(cause: Finding) -> tuple[Row, ...]:
    """Return the three rows that say most: what speaks for it, then what speaks against it."""
    order = (Weighs.FOR, Weighs.AGAINST)
    ranked = sorted(
        (one for one in cause.rows if one.weighs in order), key=lambda one: order.index(one.weighs)
    )
    return tuple(ranked[:EVIDENCE])


def row_text(row: Row, look: Look) -> str:
    """Return one row of the ledger."""
    write = look.writer
    weighs = "" if row.weighs is Weighs.FOR else f" _({_WEIGHS[row.weighs]})_"
    return f"•  {write.said(row.statement, 250)}: {write.code(row.seen, 250)}{weighs}"


def decidable(incident: Incident) -> tuple[Proposal, ...]:
    """Return the changes that a button can stand for, best first."""
    return tuple(one for one in incident.on_offer if not isinstance(one.change, Advice))


def _change(incident: Incident, look: Look) -> list[Json]:
    """Return the change that is on offer, or the one that was chosen, as a diff; or the advice."""
    on_offer = decidable(incident)
    if on_offer:
        more = f"  (and {len(on_offer) - 1} more: Details)" if len(on_offer) > 1 else ""
        return [section(f"{offer_text(on_offer[0], look)}{more}"), *_diff(on_offer[0], look)]
    if incident.chosen is not None:
        return [section(offer_text(incident.chosen, look)), *_diff(incident.chosen, look)]
    write = look.writer
    advice = next(
        (one.change for one in incident.proposals if isinstance(one.change, Advice)), None
    )
    if advice is not None and incident.phase not in OVER:
        return [section(f"*Advice*: {write.said(advice.text, 800)}")]
    return []


def offer_text(one: Proposal, look: Look) -> str:
    """Return a change in a line: what, how risky, where."""
    write = look.writer
    against = [guard.name for guard in one.guards if not guard.ok]
    held = f"; held back by {write.said(', '.join(against), 150)}" if against else ""
    return f"*{write.said(one.change.summary, 250)}* ({RISKS[one.risk]}{held})"


def _diff(one: Proposal, look: Look) -> list[Json]:
    text = look.writer.fence(one.dry_run.diff, 1200)
    return [section(text)] if text else []


def _who(incident: Incident, look: Look, now: datetime, mention: str) -> list[Json]:
    """Return who decided what, and where; who looks at it, and until when it is quiet."""
    write, told = look.writer, []
    approved = incident.takes_back or incident.approved
    if approved is None:
        told += [
            f"approved by {write.said(signed(one.by))} at {date(one.at)}: it takes a second person"
            for one in incident.approvals
        ]
    if approved is not None:
        told.append(f"approved by *{write.said(signed(approved.by))}* at {date(approved.at)}")
    if incident.broke_glass is not None:
        told.append(f"{write.said(signed(incident.broke_glass.by))} broke the glass")
    if incident.acknowledged is not None:
        seen = incident.acknowledged
        told.append(f"acknowledged by {write.said(signed(seen.by))} at {date(seen.at)}")
    if incident.snoozed_until is not None and incident.snoozed_until > now:
        told.append(f"snoozed until {date(incident.snoozed_until, '{time}')}")
    line = "  ·  ".join(told)
    return [context(*(one for one in (mention, line) if one))] if mention or line else []


def value(incident: Incident, digest: str = "") -> str:
    """Return what a button carries."""
    return value_of(incident.id, digest)


def value_of(incident: str, digest: str = "") -> str:
    """Return what a button about an incident, and a change of it, carries."""
    return json.dumps({"incident": incident, "digest": digest}, separators=(",", ":"))


def actions(incident: Incident) -> list[Json]:
    """Return the buttons that make sense now."""
    on_offer, elements = decidable(incident), []
    if on_offer:
        elements += [
            approve_button(incident, on_offer[0]),
            button(REJECT, "Reject", value(incident, on_offer[0].digest), "danger"),
        ]
    elements.append(button(DETAILS, "Details", value(incident)))
    if incident.phase not in OVER:
        if incident.acknowledged is None:
            elements.append(button(ACKNOWLEDGE, "Acknowledge", value(incident)))
        elements.append(_snooze(incident))
    if incident.diagnosis is not None:
        elements.append(button(WRONG_CAUSE, "Wrong cause", value(incident)))
    return [{"type": "actions", "block_id": "petops.actions", "elements": elements}]


def button(action: str, text: str, carries: str, style: str = "") -> Json:
    """Return a button."""
    made: Json = {
        "type": "button",
        "action_id": action,
        "text": plain(cut(text, BUTTON)),
        "value": carries,
    }
    return made | ({"style": style} if style else {})


def approve_button(incident: Incident, offer: Proposal, name: str = "Approve") -> Json:
    """Return the button that approves, behind a question that names what is changed where."""
    made = button(APPROVE, name, value(incident, offer.digest), "primary")
    return made | {"confirm": confirmation(offer)}


def confirmation(offer: Proposal) -> Json:
    """Return the question: cluster, namespace and target are named."""
    subject = offer.change.subject
    text = "\n".join(
        (
            f"cluster {cut(str(subject.cluster), 70)}",
            f"namespace {cut(subject.namespace or 'none', 63)}",
            f"{subject.kind} {cut(subject.name, 80)}",
            f"digest {offer.digest.removeprefix('sha256:')[:8]}",
            offer.change.summary,
        )
    )
    return {
        "title": plain(cut("Make this change?", CONFIRM_TITLE)),
        "text": plain(cut(text, CONFIRM_TEXT)),
        "confirm": plain(cut("Approve", CONFIRM_BUTTON)),
        "deny": plain("Cancel"),
        "style": "primary",
    }


def _snooze(incident: Incident) -> Json:
    options = [{"text": plain(words), "value": f"{incident.id} {span}"} for span, words in SNOOZES]
    return {
        "type": "static_select",
        "action_id": SNOOZE,
        "placeholder": plain("Snooze"),
        "options": options,
    }


def line(incident: Incident, look: Look) -> str:
    """Return the incident in one line, for lists."""
    write, phase = look.writer, PHASES[incident.phase]
    name = write.said(f"{symptom(incident)} on {workload(incident)}", 160)
    sign = PRIORITIES[incident.assessment.priority]
    return f"{sign} {write.code(incident.id)} {name}: {phase[0]} {state(incident, look)}"
