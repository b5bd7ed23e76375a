"""Curves as text for a terminal. The one module of the programs that speaks plotext.

Rule: plotext's figure is one for the whole process and clamped to the terminal it believes to be
on; it is cleared and sized anew for every chart.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import plotext

NARROWEST: Final = 30
MOST_CURVES: Final = 6
_COLOURS: Final = ("cyan", "yellow", "green", "magenta", "red", "blue")
_MARKS: Final = ("*", "o", "x", "+", "#", "%")
_ANSI: Final = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True, slots=True)
class Curve:
    """A series to be drawn: Unix seconds and values."""

    name: str
    times: Sequence[float]
    values: Sequence[float]


def chart(
    curves: Sequence[Curve],
    *,
    width: int,
    height: int,
    scale: Callable[[float], str],
    colour: bool,
) -> str:
    """Return the curves as lines of text; more than six are left out, the lowest first."""
    drawn = sorted((one for one in curves if one.values), key=lambda one: -max(one.values))
    drawn = drawn[:MOST_CURVES]
    if not drawn:
        return ""
    figure = _cleared(max(NARROWEST, width), max(6, height))
    for number, one in enumerate(drawn):
        # Colour repeats what the mark says.
        marker = plotext.marker("braille" if colour else _MARKS[number], _COLOURS[number])
        signal = figure.signal(list(one.times), list(one.values), marker=marker)
        signal.lines()
        figure.draw(signal)
    _rulers(figure, drawn, scale)
    text = str(figure.build())
    text = text if colour else _ANSI.sub("", text)
    names = max(len(one.name) for one in drawn)
    legend = (
        f"  {_painted(n) if colour else _MARKS[n]} {one.name:<{names}}  {_span(one, scale)}"
        for n, one in enumerate(drawn)
    )
    more = len(curves) - len(drawn)
    left_out = [f"  and {more} more, not drawn"] if more > 0 else []
    return "\n".join((text.rstrip("\n"), *legend, *left_out))


def _span(curve: Curve, scale: Callable[[float], str]) -> str:
    """Return where a curve is, and where it was."""
    low, high = scale(min(curve.values)), scale(max(curve.values))
    return f"{scale(curve.values[-1])}" + (f", of {low} to {high}" if low != high else "")


def _cleared(width: int, height: int) -> Any:
    plotext.terminal.limit(False, False)
    figure = plotext.figure
    figure.clear()
    figure.plot_size(width, height)
    return figure


def _rulers(figure: Any, curves: Sequence[Curve], scale: Callable[[float], str]) -> None:
    low = min(min(one.values) for one in curves)
    high = max(max(one.values) for one in curves)
    bottom = 0.0 if 0 <= low < high / 2 else low
    top = high if high > bottom else bottom + 1.0
    y = figure.ruler("y")
    y.lim(bottom, top)
    ticks = [bottom + (top - bottom) * part / 4 for part in range(5)]
    y.ticks(ticks, [scale(one) for one in ticks])
    start, end = min(one.times[0] for one in curves), max(one.times[-1] for one in curves)
    moments = [start + (end - start) * part / 4 for part in range(5)]
    figure.ruler("x").ticks(moments, [_clock(one, end - start) for one in moments])


def _clock(at: float, span: float) -> str:
    form = "%H:%MZ" if span <= 86_400 else "%d %H:%MZ"
    return datetime.fromtimestamp(at, UTC).strftime(form)


def _painted(number: int) -> str:
    codes = {"cyan": 36, "yellow": 33, "green": 32, "magenta": 35, "red": 31, "blue": 34}
    return f"\x1b[{codes[_COLOURS[number]]}m●\x1b[0m"
