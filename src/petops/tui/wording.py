"""How phases, priorities and verdicts read: a sign, a word and a tone, always all three."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from rich.text import Text

from petops.domain import events as ev
from petops.domain.change import Risk
from petops.domain.diagnosis import Verdict, Weighs
from petops.domain.incident import Incident
from petops.domain.phases import OVER, Phase
from petops.domain.subject import Subject
from petops.tui.palette import Palette
from petops.tui.times import Times, countdown


@dataclass(frozen=True, slots=True)
class Wording:
    """A sign, what it stands for, and the tone that repeats it."""

    sign: str
    words: str
    tone: str


PHASES: Final[Mapping[Phase, Wording]] = {
    Phase.OPEN: Wording("○", "opened", "info"),
    Phase.INVESTIGATING: Wording("◔", "investigating", "info"),
    Phase.DIAGNOSED: Wording("◑", "diagnosed", "info"),
    Phase.UNEXPLAINED: Wording("?", "unexplained", "warn"),
    Phase.WAITING: Wording("▶", "needs approval", "accent"),
    Phase.HANDED_OVER: Wording("!", "handed over", "warn"),
    Phase.REPAIRING: Wording("↻", "repairing", "info"),
    Phase.WATCHING: Wording("◕", "recovering?", "info"),
    Phase.RECOVERED: Wording("●", "recovered", "good"),
    Phase.VERIFIED: Wording("✓", "verified", "good"),
    Phase.MITIGATED: Wording("◐", "mitigated", "warn"),
    Phase.FAILED: Wording("✗", "repair failed", "bad"),
    Phase.RESOLVED: Wording("✓", "resolved", "good"),
    Phase.CLOSED: Wording("■", "closed", "dim"),
    Phase.JOINED: Wording("↳", "joined", "dim"),
}

WEIGHS: Final[Mapping[Weighs, Wording]] = {
    Weighs.FOR: Wording("+", "for", "good"),
    Weighs.AGAINST: Wording("-", "against", "bad"),
    Weighs.NOT_MEASURED: Wording("?", "unknown", "warn"),
}

VERDICTS: Final[Mapping[Verdict, Wording]] = {
    Verdict.SUPPORTED: Wording("+", "supported", "good"),
    Verdict.REFUTED: Wording("✗", "refuted", "dim"),
    Verdict.UNDECIDED: Wording("?", "undecided", "warn"),
}

RISKS: Final[Mapping[Risk, Wording]] = {
    Risk.GREEN: Wording("●", "low risk", "good"),
    Risk.YELLOW: Wording("▲", "some risk", "warn"),
    Risk.RED: Wording("■", "high risk, takes two", "bad"),
}

HEALTH: Final[Mapping[str, Wording]] = {
    "ok": Wording("●", "good", "good"),
    "warning": Wording("!", "warning", "warn"),
    "broken": Wording("✗", "broken", "bad"),
    "unknown": Wording("?", "unknown", "warn"),
    "off": Wording("○", "not set", "faint"),
}

CONFIRMED: Final = 0.9
LIKELY: Final = 0.7

NEEDS_PERSON: Final = frozenset({Phase.WAITING, Phase.UNEXPLAINED, Phase.HANDED_OVER, Phase.FAILED})
"""Phases in which the incident waits for somebody."""


def about(incident: Incident) -> Subject | None:
    """Return what the incident is about: what the diagnosis blames, else what the alarm names."""
    cause = incident.diagnosis.cause if incident.diagnosis else None
    return cause.subject if cause and cause.subject else incident.alarm.subject


def workload(incident: Incident) -> str:
    """Return namespace and name; the alarm's name where no object is known."""
    subject = about(incident)
    if subject is None:
        return incident.alarm.name
    return f"{subject.namespace}/{subject.name}" if subject.namespace else subject.name


def cause_of(incident: Incident) -> tuple[str, float | None]:
    """Return the cause's name and its confidence, or a dash."""
    if incident.diagnosis is None:
        return "", None
    cause = incident.diagnosis.cause
    return (cause.mode, cause.confidence) if cause else ("no cause found", None)


def is_snoozed(incident: Incident, now: datetime) -> bool:
    """Say whether nobody is called for it now."""
    return incident.snoozed_until is not None and incident.snoozed_until > now


def is_over(incident: Incident) -> bool:
    """Say whether nobody needs to look at it any more."""
    return incident.phase in OVER


def state_words(incident: Incident, now: datetime, times: Times) -> str:
    """Return where it stands in a few words, with the time that matters in that phase."""
    words = PHASES[incident.phase].words
    match incident.phase:
        case Phase.WAITING:
            ends = min((one.expires_at for one in incident.on_offer), default=None)
            left = f", offer ends in {countdown((ends - now).total_seconds())}" if ends else ""
            return words + left
        case Phase.FAILED if incident.on_offer:
            return f"{words}, take it back?"
        case Phase.RECOVERED if incident.watch:
            left = countdown((incident.watch.until - now).total_seconds())
            return f"{words}, watched for another {left}"
        case Phase.MITIGATED:
            match incident.outcome:
                case ev.Mitigated(forecast=ahead) if ahead and ahead.next_kill_at:
                    kill = times.clock(ahead.next_kill_at)
                    told = "a kill was due" if ahead.next_kill_at < now else "next kill"
                    return f"{words}, {told} at {kill}"
        case _:
            pass
    return words


def bar(share: float, cells: int) -> str:
    """Return a share of one as blocks."""
    full = max(0, min(cells, round(share * cells)))
    return "▰" * full + "▱" * (cells - full)


def confidence(value: float, paint: Palette, cells: int = 5) -> Text:
    """Return a confidence as blocks and figure."""
    tone = "good" if value >= LIKELY else "warn"
    return Text.assemble((bar(value, cells), paint.tone(tone)), (f" {value:.2f}", paint.text))


def badge(incident: Incident, paint: Palette) -> Text:
    """Return the priority as a badge."""
    priority = incident.assessment.priority
    return Text(f" {priority} ", paint.badges[priority])


def health(verdict: str) -> Wording:
    """Return how a verdict on an integration reads; one that is not known is unknown."""
    return HEALTH.get(verdict, HEALTH["unknown"])
