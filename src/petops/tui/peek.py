"""The heart of one incident in a few lines, below the board."""

from __future__ import annotations

from rich.text import Text

from petops.domain.alarm import Category
from petops.domain.incident import Incident
from petops.tui import offer
from petops.tui.desk import Desk
from petops.tui.palette import Palette
from petops.tui.plain import plain, wrapped
from petops.tui.plots import Plot, memory_of
from petops.tui.widgets.chart import chart, curve_line
from petops.tui.widgets.rail import rail
from petops.tui.wording import WEIGHS, confidence, state_words

_LIVES = 2
_OF_MEMORY = frozenset({Category.MEMORY, Category.RESTARTS})
_CHART_WIDTH = 120
_CHART_HEIGHT = 8
_ROOM_FOR_REASONS = 4


def peek(incident: Incident, desk: Desk, size: tuple[int, int], paint: Palette) -> Text:
    """Return where it stands, why, and what is on offer; with a chart where there is room."""
    width, height = size
    now, times = desk.now(), desk.times
    head = Text.assemble((f"{incident.id}  ", paint.strong))
    head.append(state_words(incident, now, times), paint.text)
    head.append(
        f"  {plain(incident.alarm.name)} on {plain(str(incident.alarm.cluster))}", paint.dim
    )
    head.truncate(width, overflow="ellipsis")
    lines = [head, rail(incident, now, width, paint), Text()]
    lines += _why(incident, width, paint)
    for number, one in enumerate(incident.on_offer[:3], start=1):
        lines.append(offer.head(one, number, width, paint))
    lines += offer.progress(incident, now, times, width, paint)[-3:]
    memory = memory_of(incident)
    if memory is not None and incident.assessment.category in _OF_MEMORY:
        lines += _drawn(memory, desk, (min(width, _CHART_WIDTH), height - len(lines) - 1), paint)
    if height - len(lines) >= _ROOM_FOR_REASONS:
        lines += _reasons(incident, (width, height - len(lines) - 1), paint)
    return Text("\n").join(lines)


def _reasons(incident: Incident, size: tuple[int, int], paint: Palette) -> list[Text]:
    """Return what spoke for and against the cause, as far as there is room."""
    width, height = size
    cause = incident.diagnosis.cause if incident.diagnosis else None
    lines: list[Text] = [Text()] if cause else []
    for row in cause.rows if cause else ():
        wording = WEIGHS[row.weighs]
        line = Text.assemble((f"{wording.sign} ", paint.tone(wording.tone)))
        line.append(plain(row.statement), paint.text)
        line.append(f"  {plain(row.seen)}", paint.dim)
        line.truncate(width, overflow="ellipsis")
        lines.append(line)
    return lines[:height]


def _drawn(plot: Plot, desk: Desk, size: tuple[int, int], paint: Palette) -> list[Text]:
    width, height = size
    if height >= _CHART_HEIGHT:
        return [Text(), *chart(plot, (width, height), desk.times, paint)]
    order = sorted(enumerate(plot.curves), key=lambda pair: pair[1].last.at)
    room = max(0, min(height, _LIVES))
    return [curve_line(one, plot, index, width, paint) for index, one in order[len(order) - room :]]


def _why(incident: Incident, width: int, paint: Palette) -> list[Text]:
    diagnosis = incident.diagnosis
    if diagnosis is None:
        known, asked = len(incident.answers) + len(incident.unknowns), len(incident.asked)
        return [Text(f"{known} of {asked} questions have come back", paint.dim)]
    if diagnosis.cause is None:
        because = diagnosis.because or incident.ended_because
        return [Text(one, paint.warn) for one in wrapped(because, width)[:2]]
    head = Text.assemble((plain(diagnosis.cause.mode) + "  ", paint.strong + paint.accent))
    head.append_text(confidence(diagnosis.cause.confidence, paint, 10))
    return [head, *(Text(one, paint.text) for one in wrapped(diagnosis.cause.because, width)[:2])]
