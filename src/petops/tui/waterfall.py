"""One slow request as a waterfall: each bar with its own time, and the one that is guilty."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rich.text import Text

from petops.domain.tracing import Bar, SlowTraces, TimeAt, Waterfall
from petops.tui.drawn import Heading, Paragraph, labelled
from petops.tui.palette import Palette
from petops.tui.plain import fitted, plain
from petops.tui.times import Times

_FIGURES: Final = 18
_LEAST_BAR: Final = 12
_MOST_NAME: Final = 44
_MOST_DEPTH: Final = 8
_MOST_PLACES: Final = 6
_SLIGHT_RATIO: Final = 0.5
_URL: Final = re.compile(r"https?://([^/\s:.]+)[^/\s]*(/\S*)?")


def took(seconds: float) -> str:
    """Return a time: in milliseconds below a second."""
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.2f} s"


@dataclass(frozen=True, slots=True)
class BarRow:
    """One bar of a request: name by depth, where on the axis, own and whole time.

    `waits` are the stretches, in seconds from the request's start, that bars below it explain.
    """

    key: str
    bar: Bar
    whole_seconds: float
    waits: tuple[tuple[float, float], ...]
    is_guilty: bool

    is_choosable = True

    def tall(self, width: int) -> int:
        del width
        return 1

    def lines(self, width: int, paint: Palette) -> Sequence[Text]:
        bar = self.bar
        name_cells, bar_cells = split(width)
        sign, tone = self._sign()
        style = paint.strong + paint.bad if self.is_guilty else paint.text
        text = Text(f"{sign} ", paint.tone(tone))
        words = "  " * min(bar.depth, _MOST_DEPTH) + plain(shortened(bar.name))
        text.append(fitted(words, name_cells - 3) + " ", style)
        text.append_text(self._drawn(bar_cells, paint))
        text.append(f" {took(bar.own_seconds):>7}", style if self.is_guilty else paint.dim)
        text.append(f" {took(bar.seconds):>8} ", paint.text)
        return (text,)

    def _sign(self) -> tuple[str, str]:
        if self.is_guilty:
            return "▶", "bad"
        if self.bar.has_fault:
            return "✗", "bad"
        return ("→", "faint") if self.bar.is_call else ("·", "faint")

    def _drawn(self, cells: int, paint: Palette) -> Text:
        """Return the bar on the request's axis: its own time solid, its waiting a line."""
        per_cell = max(self.whole_seconds, 1e-6) / cells
        begin = self.bar.start_seconds
        top = float(cells)
        first = min(cells - 1, int(max(0.0, min(top, begin / per_cell))))
        last = round(max(0.0, min(top, (begin + self.bar.seconds) / per_cell)))
        last = max(first + 1, last)
        text = Text(" " * first)
        tone = paint.bad if self.is_guilty else paint.info
        for cell in range(first, last):
            start, end = max(begin, cell * per_cell), (cell + 1) * per_cell
            waited = sum(max(0.0, min(b, end) - max(a, start)) for a, b in self.waits)
            is_own = waited < (end - start) * _SLIGHT_RATIO
            text.append("█" if is_own else "─", tone if is_own else paint.faint)
        text.append(" " * (cells - last))
        return text

    def detail(self, width: int, paint: Palette) -> Sequence[Text]:
        bar = self.bar
        share = bar.own_seconds / max(self.whole_seconds, 1e-6)
        told = (
            ("service", bar.service),
            ("own time", f"{took(bar.own_seconds)}, {share:.0%} of the whole request"),
            ("began", f"{took(bar.start_seconds)} after the request"),
            ("pod", bar.pod),
            ("says", bar.message),
            ("went wrong", "it failed" if bar.has_fault else ""),
        )
        lines: list[Text] = []
        for name, value in told:
            if value:
                lines += labelled(name, value, width, paint)
        return [*lines, Text()]


def shortened(name: str) -> str:
    """Return a step's name; of a URL on the service that it begins with, the path alone."""
    service, _, url = name.partition(" ")
    match = _URL.fullmatch(url)
    if match and match[1] == service:
        return f"{service} {match[2] or '/'}"
    return name


def split(width: int) -> tuple[int, int]:
    """Return how many cells the name and the bar get."""
    left = max(_LEAST_BAR + 10, width - _FIGURES)
    name = max(10, min(_MOST_NAME, left * 2 // 5))
    return name, left - name


def waits(bars: Sequence[Bar], index: int) -> tuple[tuple[float, float], ...]:
    """Return the stretches of a bar that the bars right below it explain."""
    depth, found = bars[index].depth, []
    for one in bars[index + 1 :]:
        if one.depth <= depth:
            break
        if one.depth == depth + 1:
            found.append((one.start_seconds, one.start_seconds + one.seconds))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class PlaceRow:
    """Where the requests' time went: one service or pod, lately and before."""

    key: str
    lately: TimeAt
    before: TimeAt | None
    top_seconds: float

    is_choosable = False

    def tall(self, width: int) -> int:
        del width
        return 1

    def lines(self, width: int, paint: Palette) -> Sequence[Text]:
        name_cells, bar_cells = split(width)
        one = self.lately
        text = Text("  " + fitted(one.pod or one.service, name_cells - 3) + " ", paint.text)
        room = max(4, bar_cells - 6)
        full = round(one.own_seconds / self.top_seconds * room) if self.top_seconds else 0
        text.append(("▬" * full).ljust(room), paint.accent)
        was = f" was {took(self.before.own_seconds)}" if self.before else ""
        text.append(f" {took(one.own_seconds):>7}{was}", paint.text)
        text.truncate(width, overflow="ellipsis")
        return (text,)

    def detail(self, width: int, paint: Palette) -> Sequence[Text]:
        del width, paint
        return ()


TraceRow = BarRow | PlaceRow | Heading | Paragraph


def trace_rows(found: SlowTraces | None, times: Times) -> list[TraceRow]:
    """Return the slow requests with the guilty bar named, then where the time went in all."""
    if found is None:
        return []
    rows: list[TraceRow] = []
    for number, one in enumerate(found.waterfalls):
        rows += _request(f"trace-{number}", one, times)
    if found.waterfalls:
        legend = "█ its own time   ─ waiting for what it called   right: own time, whole time"
        rows.append(Paragraph("legend", legend, "faint"))
    if found.lately:
        rows.append(Heading("h-places", f"own time a request, of {found.looked_at} traces"))
        rows += _places(found)
    if not rows:
        words = f"{found.looked_at} traces through {found.service} were read; none was slow"
        rows.append(Paragraph("none", words, "dim"))
    return rows


def _request(lead: str, one: Waterfall, times: Times) -> list[TraceRow]:
    when = f" at {times.clock(one.started_at)}" if one.started_at else ""
    rows: list[TraceRow] = [Heading(f"{lead}-h", f"{took(one.seconds)}{when}, trace {one.trace}")]
    guilty = one.guilty_bar
    if guilty is not None:
        share = guilty.own_seconds / max(one.seconds, 1e-6)
        name = shortened(guilty.name)
        says_service = name == guilty.service or name.startswith(f"{guilty.service} ")
        where = name if says_service else f"{guilty.service} · {name}"
        words = "failed" if guilty.has_fault else f"has {share:.0%} of it to itself"
        pod = f", in {guilty.pod}" if guilty.pod else ""
        rows.append(Paragraph(f"{lead}-guilty", f"▶ {where} {words}{pod}", "bad"))
    rows += [
        BarRow(f"{lead}-{at}", bar, one.seconds, waits(one.bars, at), bar.id == one.guilty)
        for at, bar in enumerate(one.bars)
    ]
    notes = [f"{one.left_out} shorter steps are left out"] if one.left_out else []
    notes += ["parts of it are missing"] if one.has_holes else []
    if notes:
        rows.append(Paragraph(f"{lead}-notes", "; ".join(notes), "faint"))
    return rows


def _places(found: SlowTraces) -> list[PlaceRow]:
    known = {(one.service, one.pod): one for one in found.before}
    most = sorted(found.lately, key=lambda one: -one.own_seconds)[:_MOST_PLACES]
    top = max((one.own_seconds for one in most), default=0.0)
    return [
        PlaceRow(f"place-{n}", one, known.get((one.service, one.pod)), top)
        for n, one in enumerate(most)
    ]
