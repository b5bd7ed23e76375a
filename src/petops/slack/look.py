"""How incidents read in Slack: signs and words of phases, links, and what the engine's side tells.

Colour and signs repeat what the words say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Protocol
from urllib.parse import quote

from petops.domain import events as ev
from petops.domain.alarm import Category, Priority
from petops.domain.change import Risk
from petops.domain.facts import Fact
from petops.domain.incident import Incident
from petops.domain.phases import Phase
from petops.domain.policy import Identity
from petops.domain.subject import Subject
from petops.errors import UsageError
from petops.slack.text import Writer, date

SURFACE: Final = "slack"
NEEDS_PERSON: Final = frozenset({Phase.WAITING, Phase.UNEXPLAINED, Phase.HANDED_OVER, Phase.FAILED})

PHASES: Final[Mapping[Phase, tuple[str, str]]] = {
    Phase.OPEN: (":hourglass_flowing_sand:", "opened"),
    Phase.INVESTIGATING: (":mag:", "investigating"),
    Phase.DIAGNOSED: (":mag:", "diagnosed, looking for a change"),
    Phase.UNEXPLAINED: (":grey_question:", "no cause found, a person has to look"),
    Phase.WAITING: (":raised_hand:", "needs approval"),
    Phase.HANDED_OVER: (":raised_hand:", "handed over to a person"),
    Phase.REPAIRING: (":wrench:", "repairing"),
    Phase.WATCHING: (":eyes:", "changed, waiting for recovery"),
    Phase.RECOVERED: (":large_green_circle:", "recovered, watched for a relapse"),
    Phase.VERIFIED: (":white_check_mark:", "verified"),
    Phase.MITIGATED: (":warning:", "mitigated, the cause goes on"),
    Phase.FAILED: (":x:", "the repair failed"),
    Phase.RESOLVED: (":white_check_mark:", "resolved by itself"),
    Phase.CLOSED: (":black_square_button:", "closed"),
    Phase.JOINED: (":arrow_right_hook:", "goes on in another incident"),
}
PRIORITIES: Final[Mapping[Priority, str]] = {
    Priority.P1: ":red_circle:",
    Priority.P2: ":large_orange_circle:",
    Priority.P3: ":large_yellow_circle:",
    Priority.P4: ":white_circle:",
}
RISKS: Final[Mapping[Risk, str]] = {
    Risk.GREEN: "low risk",
    Risk.YELLOW: "some risk",
    Risk.RED: "high risk, takes two people",
}
EMOJI: Final = frozenset({sign for sign, _ in PHASES.values()} | set(PRIORITIES.values()))


class Spoken(Protocol):
    """One line of a told event: how deep it stands, and its text."""

    @property
    def text(self) -> str: ...

    @property
    def depth(self) -> int: ...


Tell = Callable[[ev.Event], Sequence[Spoken]]
Summarise = Callable[[Fact], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class GrafanaLink:
    """The dashboard for incidents of a category; `path` has places for what it is opened with."""

    category: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What is needed to write an incident: masks, links, and the words for events and facts."""

    tell: Tell
    summarise: Summarise
    writer: Writer = field(default_factory=Writer)
    grafana_url: str = ""
    grafana_links: tuple[GrafanaLink, ...] = ()
    incident_url: str = ""


def grafana_links(tables: Iterable[Mapping[str, Any]]) -> tuple[GrafanaLink, ...]:
    """Return the `[[grafana_link]]` rules; raise UsageError for nonsense."""
    found = []
    for table in tables:
        path, category = table.get("path"), table.get("category", "*")
        if not isinstance(path, str) or category not in {"*", *(str(one) for one in Category)}:
            raise UsageError(
                f"a [[grafana_link]] rule in the settings makes no sense: {str(table)[:80]}",
                hint="for example: category = 'memory', path = '/d/pods?var-namespace={namespace}"
                "&var-workload={workload}&from={from}&to={to}'",
            )
        found.append(GrafanaLink(category=str(category), path=path))
    return tuple(found)


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


def symptom(incident: Incident) -> str:
    """Return the cause in its short name, or what the alarm is about."""
    cause = incident.diagnosis.cause if incident.diagnosis else None
    return cause.mode if cause else f"{incident.assessment.category} alarm"


def number_told(incident: Incident) -> int:
    """Return the number of the latest entry that says something, those about mirrors left out."""
    for entry in reversed(incident.history):
        if not isinstance(entry.event, ev.Mirrored):
            return entry.number
    return 0


def signed(by: Identity) -> str:
    """Return who it was, and by which way."""
    return f"{by.user or 'nobody'} ({by.channel})"


def state(incident: Incident, look: Look) -> str:  # noqa: PLR0911 - one flat table of cases
    """Return where it stands in a few words, with the time that matters then. Is mrkdwn."""
    words = PHASES[incident.phase][1]
    match incident.phase:
        case Phase.WAITING:
            ends = min((one.expires_at for one in incident.on_offer), default=None)
            return f"{words} until {date(ends, '{time}')}" if ends else words
        case Phase.FAILED if incident.on_offer:
            return f"{words}; what takes it back is on offer"
        case Phase.RECOVERED if incident.watch:
            return f"{words} until {date(incident.watch.until, '{time}')}"
        case Phase.MITIGATED:
            match incident.outcome:
                case ev.Mitigated(forecast=ahead) if ahead and ahead.next_kill_at:
                    return f"{words}: next kill at {date(ahead.next_kill_at, '{time}')}"
        case Phase.JOINED:
            return f"goes on in {look.writer.code(incident.merged_into)}"
        case Phase.CLOSED | Phase.RESOLVED if incident.ended_because:
            return f"{words}: {look.writer.said(incident.ended_because, 200)}"
        case _:
            pass
    return words


def links(incident: Incident, look: Look, now: datetime) -> str:
    """Return links to Grafana and to the incident; empty where none is set. Is mrkdwn."""
    found = []
    grafana = _grafana(incident, look, now)
    if grafana:
        found.append(f"<{grafana}|Grafana>")
    if look.incident_url:
        base = look.incident_url.rstrip("/")
        url = base if "{incident}" in base else f"{base}/incidents/{{incident}}"
        found.append(f"<{_safe(url.replace('{incident}', quote(incident.id)))}|Incident>")
    return "  ·  ".join(found)


def _grafana(incident: Incident, look: Look, now: datetime) -> str:
    category = str(incident.assessment.category)
    fitting = (one for one in look.grafana_links if one.category in {category, "*"})
    chosen = next(fitting, None)
    if chosen is None or not look.grafana_url:
        return ""
    subject = about(incident)
    start = incident.window.start if incident.window else incident.opened_at - timedelta(hours=1)
    end = incident.recovered.at if incident.recovered else now
    places = {
        "namespace": subject.namespace if subject else "",
        "workload": subject.name if subject else "",
        "kind": str(subject.kind) if subject else "",
        "cluster": incident.alarm.cluster.name,
        "from": str(int(start.timestamp() * 1000)),
        "to": str(int(end.timestamp() * 1000)),
    }
    path = chosen.path
    for name, value in places.items():
        path = path.replace(f"{{{name}}}", quote(value, safe=""))
    return _safe(look.grafana_url.rstrip("/") + "/" + path.lstrip("/"))


def _safe(url: str) -> str:
    """Return a URL that cannot end the link that it stands in."""
    return quote(url, safe=":/?#[]@!$&'()*+,;=%~-._").replace("&", "&amp;")
