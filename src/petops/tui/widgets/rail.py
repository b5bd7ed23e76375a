"""Where an incident's time goes, stage by stage, on one line."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from rich.text import Text
from textual.reactive import reactive
from textual.widget import Widget

from petops.domain import events as ev
from petops.domain.incident import Incident
from petops.domain.phases import Phase
from petops.domain.stages import stages
from petops.tui.palette import Palette, palette
from petops.tui.times import countdown, duration

DONE: Final = "●"
NOW: Final = "◐"
AHEAD: Final = "○"
STOPPED: Final = "✗"
SKIPPED: Final = "·"
_SHORT: Final = {"detect": "det", "diagnose": "diag", "decide": "dec", "recover": "rec"}


@dataclass(frozen=True, slots=True)
class Stop:
    """One stage: how it stands, and its time as far as it has one."""

    name: str
    sign: str
    took: str
    tone: str


_DECIDED: Final = frozenset(
    {
        Phase.REPAIRING,
        Phase.WATCHING,
        Phase.RECOVERED,
        Phase.VERIFIED,
        Phase.MITIGATED,
        Phase.FAILED,
    }
)


def stops(incident: Incident, now: datetime) -> tuple[Stop, ...]:
    """Return the six stages from alarm to the end of the watch."""
    took = stages(incident)
    phase = incident.phase
    investigating = phase in {Phase.OPEN, Phase.INVESTIGATING}
    return (
        _stop("detect", took.detect_seconds),
        _stop(
            "diagnose",
            took.investigate_seconds,
            since=incident.cycle_began_at if investigating else None,
            now=now,
        ),
        _stop(
            "decide",
            took.approval_seconds,
            since=incident.proposed_at if phase is Phase.WAITING else None,
            now=now,
            skipped=phase not in _DECIDED
            and phase not in {Phase.WAITING, Phase.DIAGNOSED}
            and not investigating,
        ),
        _acting(incident, took.act_seconds, now),
        _recovering(incident, took.recover_seconds, now),
        _watching(incident, now),
    )


def _stop(
    name: str,
    seconds: float | None,
    *,
    since: datetime | None = None,
    now: datetime | None = None,
    skipped: bool = False,
) -> Stop:
    if seconds is not None:
        return Stop(name, DONE, duration(seconds), "good")
    if since is not None and now is not None:
        return Stop(name, NOW, countdown((now - since).total_seconds()), "accent")
    return Stop(name, SKIPPED if skipped else AHEAD, "", "faint")


def _acting(incident: Incident, seconds: float | None, now: datetime) -> Stop:
    if isinstance(incident.outcome, ev.ActFailed):
        return Stop("act", STOPPED, "not made", "bad")
    since = incident.approved.at if incident.approved else None
    return _stop(
        "act", seconds, since=since if incident.phase is Phase.REPAIRING else None, now=now
    )


def _recovering(incident: Incident, seconds: float | None, now: datetime) -> Stop:
    if isinstance(incident.outcome, ev.RemedyFailed) and seconds is None:
        return Stop("recover", STOPPED, "did not help", "bad")
    since = incident.applied.at if incident.applied else None
    watching = incident.phase is Phase.WATCHING
    return _stop("recover", seconds, since=since if watching else None, now=now)


def _watching(incident: Incident, now: datetime) -> Stop:
    match incident.outcome:
        case ev.RemedyVerified():
            return Stop("verify", DONE, "gone", "good")
        case ev.Mitigated():
            return Stop("verify", NOW, "it will be back", "warn")
        case ev.RemedyFailed() if incident.recovered:
            return Stop("verify", STOPPED, "relapsed", "bad")
        case _:
            pass
    if incident.phase is Phase.RECOVERED and incident.watch:
        left = (incident.watch.until - now).total_seconds()
        return Stop("verify", NOW, f"{countdown(left)} left", "accent")
    return Stop("verify", AHEAD, "", "faint")


def rail(incident: Incident, now: datetime, width: int, paint: Palette) -> Text:
    """Return the stages as a line that fits: with names, with fewer, or as signs and times."""
    found = stops(incident, now)
    mttr = stages(incident).mttr_seconds
    if mttr is not None:
        total = Text.assemble(("  MTTR ", paint.dim), (duration(mttr), paint.strong))
    elif incident.phase in {Phase.RESOLVED, Phase.CLOSED, Phase.JOINED}:
        total = Text()
    else:
        so_far = max(0.0, (now - incident.alarm.started_at).total_seconds())
        total = Text.assemble(("  so far ", paint.dim), (countdown(so_far), paint.strong))
    for form in ("wide", "close", "tight", "bare", "short", "signs"):
        text = _drawn(found, form, paint)
        if text.cell_len + total.cell_len <= width:
            text.append_text(total)
            return text
    text.truncate(max(1, width))
    return text


def _drawn(found: tuple[Stop, ...], form: str, paint: Palette) -> Text:
    """Return the stages in one form, from roomy to signs alone.

    `bare` says of what is done only how long it took, and `short` shortens names, too.
    """
    text = Text()
    gap = " " if form in {"wide", "close"} else ""
    is_bare = form in {"bare", "short"}
    for index, stop in enumerate(found):
        if index:
            line = "━" if stop.sign not in {AHEAD, SKIPPED} else "┄"
            between = {"wide": f" {line * 3} ", "close": f" {line} "}.get(form, " ")
            text.append(between, paint.faint)
        style = paint.tone(stop.tone)
        if not is_bare or stop.sign != DONE:
            text.append(stop.sign, style)
        if form != "signs" or stop.sign in {NOW, STOPPED}:
            name = _SHORT.get(stop.name, stop.name) if form == "short" else stop.name
            text.append(f"{gap}{name}", style if stop.sign != AHEAD else paint.dim)
        if stop.took and not (is_bare and stop.name == "verify"):
            took = stop.took if gap else stop.took.replace(" s", "s")
            text.append(f" {took}", paint.text)
    return text


class Rail(Widget):
    """The stages of one incident."""

    DEFAULT_CSS = "Rail { height: 1; padding: 0 1; }"

    incident: reactive[Incident | None] = reactive[Incident | None](None, always_update=True)
    now: reactive[datetime | None] = reactive[datetime | None](None)

    def render(self) -> Text:
        if self.incident is None or self.now is None:
            return Text()
        return rail(self.incident, self.now, self.content_size.width, palette(self.app.theme))
