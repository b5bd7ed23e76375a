"""What the board shows when all is well: how sources fare, the last alarm, where time went."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from statistics import median
from typing import Final

from rich.text import Text

from petops.domain.incident import Incident
from petops.domain.stages import Stages, stages
from petops.tui.desk import Desk
from petops.tui.feed import Feed, Link
from petops.tui.palette import Palette
from petops.tui.plain import fitted, plain
from petops.tui.times import age, duration
from petops.tui.wording import HEALTH, health, workload

_CELLS: Final = 23
WEEK: Final = timedelta(days=7)
_NAMES: Final = ("detect", "diagnose", "decide", "act", "recover", "MTTR")
_TONES: Final = ("info", "info", "accent", "info", "good", "strong")


def calm(desk: Desk, width: int, paint: Palette) -> Text:
    """Return the whole of it."""
    now = desk.now()
    held = [one for feed in desk.feeds for one in feed.board.incidents.values()]
    text = Text()
    text.append("✓ All is well. No incident is open.\n", paint.strong + paint.good)
    text.append(last_alarm(held, desk, now) + "\n", paint.dim)
    if desk.given.hint:
        text.append("\n" + desk.given.hint + "\n", paint.accent)
    text.append("\nSources\n", paint.heading)
    for feed in desk.feeds:
        _sources(text, feed, width, paint)
    week = [one for one in held if now - one.opened_at <= WEEK]
    text.append("\nTime to recovery by stage, this week\n", paint.heading)
    text.append_text(stage_chart(week, width, paint))
    return text


def _sources(text: Text, feed: Feed, width: int, paint: Palette) -> None:
    """Append the engine, and below it how each of its integrations fares."""
    good = feed.link is Link.FOLLOWING
    text.append("● " if good else "✗ ", paint.good if good else paint.bad)
    text.append(fitted(feed.name, 16) + " ", paint.strong)
    count = len(feed.board.incidents)
    text.append(f"{feed.link}, {count} incidents in its journal\n", paint.dim)
    asked_for = [one for one in feed.health if health(one.verdict) is not HEALTH["off"]]
    for one in asked_for:
        wording = health(one.verdict)
        if wording is not HEALTH["ok"]:
            lead = f"  {wording.sign} {fitted(one.name, 18)} {wording.words}  "
            text.append(lead, paint.tone(wording.tone))
            text.append(fitted(one.says, max(8, width - len(lead))).rstrip() + "\n", paint.dim)
    well = [one.name for one in asked_for if health(one.verdict) is HEALTH["ok"]]
    per_line = max(1, (width - 2) // _CELLS)
    for at in range(0, len(well), per_line):
        line = "".join(f"● {fitted(one, _CELLS - 2)}" for one in well[at : at + per_line])
        text.append(f"  {line.rstrip()}\n", paint.good)


def last_alarm(held: Sequence[Incident], desk: Desk, now: datetime) -> str:
    """Say which alarm was the last, and when."""
    if not held:
        return "No alarm has come yet."
    last = max(held, key=lambda one: one.cycle_began_at)
    ago = age((now - last.cycle_began_at).total_seconds())
    when = desk.times.day(last.cycle_began_at)
    return plain(
        f"Last alarm {ago} ago ({when}): {last.alarm.name}, {workload(last)}, {last.phase}."
    )


def stage_chart(held: Iterable[Incident], width: int, paint: Palette) -> Text:
    """Return the median of each stage as a bar, with its figure."""
    measured = [stages(one) for one in held]
    medians = _medians([one for one in measured if one.mttr_seconds is not None])
    if not medians:
        return Text("No incident recovered yet.\n", paint.dim)
    longest = max(value for value in medians if value is not None) or 1.0
    cells = max(4, min(60, width - 24))
    text = Text()
    for name, value, tone in zip(_NAMES, medians, _TONES, strict=True):
        text.append(f"{name:<9}", paint.dim)
        full = value / longest * cells if value is not None else 0.0
        text.append(blocks(full).ljust(cells), paint.tone(tone))
        text.append(f" {duration(value)}\n", paint.text)
    count = sum(one.mttr_seconds is not None for one in measured)
    text.append(
        f"median of {count} that recovered; by hand it takes 10 to 15 minutes\n", paint.faint
    )
    return text


def _medians(measured: Sequence[Stages]) -> list[float | None]:
    if not measured:
        return []
    found: list[float | None] = []
    for one in fields(Stages):
        values = [value for each in measured if (value := getattr(each, one.name)) is not None]
        found.append(median(values) if values else None)
    return found


def blocks(cells: float) -> str:
    """Return a bar of so many cells, in eighths."""
    whole, rest = divmod(max(0, round(cells * 8)), 8)
    return "█" * whole + ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")[rest]
