"""Curves over time: limit, kills and rollouts drawn in, and one sparkline each below.

The one module that speaks plotext, whose figure is one for the whole process.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar, Final

from rich.style import Style
from rich.text import Text
from textual.binding import Binding, BindingType
from textual.reactive import reactive
from textual.widget import Widget

from petops.tui.palette import Palette, palette
from petops.tui.plain import fitted, fitted_end, plain, wrapped
from petops.tui.plots import Curve, Plot, amount
from petops.tui.times import Times

_TICKS: Final = "▁▂▃▄▅▆▇█"
_SMALLEST = (24, 5)
_TONES: Final = ("accent", "info", "good", "warn")
_MOST_CURVES: Final = 12
_ROOM_FOR_A_NAME: Final = 28
ROOM_FOR_A_PLOT: Final = 14


def chart(plot: Plot, size: tuple[int, int], times: Times, paint: Palette) -> list[Text]:
    """Return the chart in `size`, columns and lines; what is too small gets one sentence."""
    width, height = size
    if width < _SMALLEST[0] or height < _SMALLEST[1]:
        return [Text("too small for a chart", paint.dim)]
    figure = _figure()
    figure.clear()
    figure.plot_size(width, height - 1)
    figure.theme("colorless")
    figure.canvas("default")
    for axis, side in (("x", "upper"), ("y", "right")):
        figure.axes(False, axis=axis, side=side)
    start = min([plot.start, *(one.at for one in plot.marks)])
    end = _end(plot)
    _curves(figure, plot, end, paint)
    span = max(1.0, (end - start).total_seconds())
    x = figure.ruler("x")
    x.lim(start.timestamp(), start.timestamp() + span)
    parts = 3 if width >= 50 else 1
    moments = [start + (end - start) * part / parts for part in range(parts + 1)]
    x.ticks([one.timestamp() for one in moments], [times.clock(one) for one in moments])
    _scale(figure, plot, paint)
    for mark in plot.marks:
        _line(figure, mark.at.timestamp(), "v", paint.tone(mark.tone))
    text = Text.from_ansi(str(figure.build()), style=paint.dim)
    return [_legend(plot, width, paint, times), *_without_ground(text)]


def tone_of(index: int) -> str:
    """Return in which tone a curve is drawn, by its place among the others."""
    return _TONES[index % len(_TONES)]


def _end(plot: Plot) -> datetime:
    """Return where the time axis ends: with what is ahead, unless that is far away."""
    if plot.ahead and plot.ahead.at - plot.end < (plot.end - plot.start) * 2:
        return max(plot.end, plot.ahead.at)
    return plot.end


def _figure() -> Any:
    import plotext  # noqa: PLC0415 (170 ms, and most screens need none)

    plotext.terminal.limit(False, False)
    return plotext.figure


def _curves(figure: Any, plot: Plot, end: datetime, paint: Palette) -> None:
    """Draw each curve, and where the last one is heading."""
    import plotext  # noqa: PLC0415

    for index, curve in enumerate(plot.curves[:_MOST_CURVES]):
        marker = plotext.marker("braille", _rgb(paint.tone(tone_of(index))))
        xs = [one.at.timestamp() for one in curve.points]
        ys = [one.value for one in curve.points]
        signal = figure.signal(xs, ys, marker=marker)
        signal.lines()
        figure.draw(signal)
        if curve.ended:
            ended = plotext.marker("✗", _rgb(paint.bad))
            figure.draw(figure.signal(xs[-1:], ys[-1:], marker=ended))
    if plot.ahead and plot.ahead.at <= end:
        last = max(plot.curves, key=lambda one: one.last.at).last
        steps = 14
        ahead = (plot.ahead.at - last.at).total_seconds()
        rise = plot.ahead.value - last.value
        xs = [last.at.timestamp() + ahead * part / steps for part in range(1, steps + 1)]
        ys = [last.value + rise * part / steps for part in range(1, steps + 1)]
        figure.draw(figure.signal(xs, ys, marker=plotext.marker("·", _rgb(paint.bad))))


def _line(figure: Any, position: float, direction: str, style: Style) -> None:
    import plotext  # noqa: PLC0415

    figure.line(position, direction, pixel=plotext.pixel(_rgb(style)), style="dotted")


def _scale(figure: Any, plot: Plot, paint: Palette) -> None:
    top = max([plot.limit or 0.0, *(_highest(one) for one in plot.curves)]) or 1.0
    y = figure.ruler("y")
    y.lim(0.0, top * 1.12)
    ticks, labels = [0.0], ["0"]
    if plot.limit:
        ticks += [plot.limit / 2, plot.limit]
        labels += [amount(plot.limit / 2, plot.unit), amount(plot.limit, plot.unit)]
        _line(figure, plot.limit, "h", paint.warn)
    else:
        ticks += [top / 2, top]
        labels += [amount(top / 2, plot.unit), amount(top, plot.unit)]
    y.ticks(ticks, labels)


def _rgb(style: Style) -> Any:
    if style.color is None:
        return "default"
    return tuple(style.color.get_truecolor())


def _without_ground(text: Text) -> list[Text]:
    """Return the lines without the background that plotext gives to lines of its own."""
    for index, span in enumerate(text.spans):
        style = span.style if isinstance(span.style, Style) else Style.parse(span.style)
        text.spans[index] = span._replace(style=Style(color=style.color, bold=style.bold))
    return list(text.split("\n"))


def _legend(plot: Plot, width: int, paint: Palette, times: Times) -> Text:
    """Return the title, and what the lines of the chart mean."""
    text = Text.assemble((f"{plain(plot.title)}  ", paint.heading))
    if plot.limit:
        text.append("┈ limit  ", paint.warn)
    if any(one.ended for one in plot.curves):
        text.append("✗ ended  ", paint.bad)
    if plot.ahead:
        text.append(f"· next kill {times.clock(plot.ahead.at)}  ", paint.bad)
    for mark in reversed(plot.marks[-3:]):
        text.append(f"┊ {mark.name} {times.clock(mark.at)}  ", paint.tone(mark.tone))
    text.truncate(width)
    return text


def sparkline(values: Sequence[float], top: float, cells: int) -> str:
    """Return values as a line of blocks, the latest last."""
    if not values or top <= 0 or cells < 1:
        return ""
    step = max(1.0, len(values) / cells)
    picked = [
        values[min(len(values) - 1, int(index * step))] for index in range(min(cells, len(values)))
    ]
    picked[-1] = values[-1]
    return "".join(_TICKS[min(7, max(0, int(value / top * 8)))] for value in picked)


def curve_line(curve: Curve, plot: Plot, index: int, width: int, paint: Palette) -> Text:
    """Return one curve as a sparkline with its figures, in the colour that it has in the chart."""
    values = [one.value for one in curve.points]
    top = curve.top or plot.limit or max([_highest(one) for one in plot.curves] + [1e-9])
    first, last = values[0], amount(values[-1], plot.unit)
    of = f" of {amount(curve.top, plot.unit)}" if curve.top else ""
    figures = f" {amount(first, plot.unit)} → {last}{of}"
    state = (" ended" if curve.ended else " alive") if plot.unit == "MiB" else ""
    if width < len(figures) + _ROOM_FOR_A_NAME and not curve.ended:
        state = ""  # what is not said to have ended is alive
    room = width - len(figures) - len(state) - 1
    name = max(8, min(30, room - 18))
    cells = max(4, min(24, room - name))
    text = Text(fitted_end(curve.name, name) + " ", paint.dim)
    text.append(sparkline(values, top, cells).ljust(cells), paint.tone(tone_of(index)))
    text.append(figures, paint.text)
    text.append(state, paint.bad if curve.ended else paint.good)
    return text


def _highest(curve: Curve) -> float:
    return max(one.value for one in curve.points)


class Charts(Widget, can_focus=True):
    """One plot large, its curves as sparklines below, and the names of the others."""

    DEFAULT_CSS = "Charts { height: 1fr; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j,right,l", "other(1)", "Next chart", show=False),
        Binding("up,k,left,h", "other(-1)", "Chart before", show=False),
    ]

    plots: reactive[tuple[Plot, ...]] = reactive[tuple[Plot, ...]](())
    note: reactive[str] = reactive("")
    which: reactive[int] = reactive(0)

    def __init__(self, times: Times, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._times = times

    def render(self) -> Text:
        paint = palette(self.app.theme)
        width, height = self.content_size
        if not self.plots:
            told = self.note or "nothing was measured over time yet"
            return Text("\n".join(wrapped(told, max(8, width))), paint.dim)
        lines = self._names(width, paint)
        for plot in self._shown(height):
            lines += self._plot(plot, (width, self._share(height)), paint)
        if self.note:
            lines.append(Text(fitted(self.note, width), paint.faint))
        return Text("\n").join(lines[:height])

    def _shown(self, height: int) -> tuple[Plot, ...]:
        """Return the plots that are drawn: the one that is looked at, and the next ones."""
        count = max(1, min(len(self.plots), height // ROOM_FOR_A_PLOT))
        at = self.which % len(self.plots)
        return (*self.plots[at:], *self.plots[:at])[:count]

    def _share(self, height: int) -> int:
        count = max(1, min(len(self.plots), height // ROOM_FOR_A_PLOT))
        return (height - (len(self.plots) > 1) - bool(self.note)) // count

    def _plot(self, plot: Plot, size: tuple[int, int], paint: Palette) -> list[Text]:
        width, height = size
        order = sorted(enumerate(plot.curves), key=lambda pair: pair[1].last.at)
        below = min(len(order), max(0, (height - 7) // 2), 6)
        lines = chart(plot, (width, height - below), self._times, paint)
        for index, curve in order[len(order) - below :]:
            lines.append(curve_line(curve, plot, index, width, paint))
        return lines

    def _names(self, width: int, paint: Palette) -> list[Text]:
        if len(self.plots) < 2:
            return []
        text, at = Text(), self.which % len(self.plots)
        for index, plot in enumerate(self.plots):
            is_here = index == at
            text.append("▸" if is_here else " ", paint.accent)
            text.append(f"{plain(plot.title)} ", paint.strong if is_here else paint.dim)
        text.truncate(width, overflow="ellipsis")
        return [text]

    def action_other(self, step: int) -> None:
        """Look at another plot."""
        self.which = (self.which + step) % max(1, len(self.plots))
