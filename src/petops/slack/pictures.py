"""A chart as a PNG. The one module here that speaks Pillow; it is imported when it is needed.

Drawn at twice the size and scaled down, which makes smooth lines; times are in UTC, and say so.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from petops.errors import PetopsError
from petops.slack.charts import Bar, Chart

if TYPE_CHECKING:
    from PIL import ImageDraw

WIDTH: Final = 880
HEIGHT: Final = 380
_SCALE: Final = 2
_LEFT, _RIGHT, _TOP, _BOTTOM = 74, 24, 58, 46
_PAPER: Final = "#ffffff"
_INK: Final = "#1d1c1d"
_FAINT: Final = "#616061"
_GRID: Final = "#e8e8e8"
_DANGER: Final = "#c01343"
_COLOURS: Final = ("#1264a3", "#e8912d", "#2bac76", "#8d3ac2", "#36c5f0", "#7a5c3e")
_LEGEND_ROW: Final = 18


class _Sheet:
    """A canvas with one scale for times and one for values."""

    def __init__(self, rows: int) -> None:
        from PIL import Image, ImageDraw, ImageFont  # noqa: PLC0415 - only where one is drawn

        self.height = HEIGHT + rows * _LEGEND_ROW
        size = (WIDTH * _SCALE, self.height * _SCALE)
        self._image = Image.new("RGB", size, _PAPER)
        self.draw: ImageDraw.ImageDraw = ImageDraw.Draw(self._image)
        self._fonts: dict[int, Any] = {
            each: ImageFont.load_default(size=each * _SCALE) for each in (12, 13, 17)
        }

    def text(
        self,
        at: tuple[float, float],
        text: str,
        *,
        size: int = 12,
        fill: str = _FAINT,
        to: str = "la",
    ) -> None:
        place = (at[0] * _SCALE, at[1] * _SCALE)
        self.draw.text(place, text, font=self._fonts[size], fill=fill, anchor=to)

    def line(self, points: Sequence[tuple[float, float]], fill: str, width: float = 1) -> None:
        scaled = [(x * _SCALE, y * _SCALE) for x, y in points]
        self.draw.line(scaled, fill=fill, width=round(width * _SCALE), joint="curve")

    def box(self, left: float, top: float, right: float, bottom: float, fill: str) -> None:
        corners = [value * _SCALE for value in (left, top, max(left, right), max(top, bottom))]
        self.draw.rectangle(corners, fill=fill)

    def png(self) -> bytes:
        from PIL import Image  # noqa: PLC0415

        made = io.BytesIO()
        small = self._image.resize((WIDTH, self.height), Image.Resampling.LANCZOS)
        small.save(made, "PNG", optimize=True)
        return made.getvalue()


def png(chart: Chart) -> bytes:
    """Return the chart as a PNG; raise PetopsError where Pillow is not installed."""
    try:
        sheet = _Sheet(len(chart.curves) if chart.curves else 0)
    except ImportError as exc:
        raise PetopsError("no charts: Pillow is not installed", hint="make setup") from exc
    sheet.text((_LEFT - 50, 18), _latin(chart.title, 96), size=17, fill=_INK)
    if chart.bars:
        _bars(sheet, chart)
    else:
        _curves(sheet, chart)
    return sheet.png()


def _curves(sheet: _Sheet, chart: Chart) -> None:
    times = [at.timestamp() for one in chart.curves for at, _ in one.points]
    values = [value for one in chart.curves for _, value in one.points]
    start, end = min(times), max(*times, min(times) + 60)
    top = _rounded(max(*values, chart.limit or 0.0, 1e-9) * 1.08)

    def x(at: float) -> float:
        return _LEFT + (at - start) / (end - start) * (WIDTH - _LEFT - _RIGHT)

    def y(value: float) -> float:
        return HEIGHT - _BOTTOM - value / top * (HEIGHT - _BOTTOM - _TOP)

    for step in range(5):
        value = top * step / 4
        sheet.line([(_LEFT, y(value)), (WIDTH - _RIGHT, y(value))], _GRID)
        sheet.text((_LEFT - 8, y(value)), f"{_figure(value)} {chart.unit}", to="rm")
        at = start + (end - start) * step / 4
        form = "%H:%M:%S" if end - start < 600 else "%H:%M"
        words = datetime.fromtimestamp(at, UTC).strftime(form)
        sheet.text((x(at), HEIGHT - _BOTTOM + 10), words, to="ma")
    sheet.text((WIDTH - _RIGHT, HEIGHT - 16), "UTC", to="rm")
    if chart.began is not None and start < chart.began.timestamp() < end:
        at = x(chart.began.timestamp())
        _dashed(sheet, (at, _TOP), (at, HEIGHT - _BOTTOM), _FAINT)
        sheet.text((at - 6, _TOP + 2), "alarm", fill=_FAINT, to="ra")
    for index, one in enumerate(chart.curves):
        points = [(x(at.timestamp()), y(value)) for at, value in one.points]
        sheet.line(points, _COLOURS[index % len(_COLOURS)], 2.2)
    if chart.limit is not None:
        _dashed(sheet, (_LEFT, y(chart.limit)), (WIDTH - _RIGHT, y(chart.limit)), _DANGER)
        words = f"{chart.limit_name} {_figure(chart.limit)} {chart.unit}"
        sheet.text((_LEFT + 6, y(chart.limit) - 5), words, fill=_DANGER, size=13, to="ls")
    for index, one in enumerate(chart.curves):
        at = HEIGHT - 6 + index * _LEGEND_ROW
        sheet.box(_LEFT, at + 2, _LEFT + 14, at + 12, _COLOURS[index % len(_COLOURS)])
        last = f"{_figure(one.points[-1][1])} {chart.unit}"
        sheet.text((_LEFT + 22, at), f"{_latin(one.name, 80)}   {last}", size=13, fill=_INK)


def _bars(sheet: _Sheet, chart: Chart) -> None:
    top = _rounded(max(max(one.value, one.before or 0.0, 1e-9) for one in chart.bars))
    room = (HEIGHT - _TOP - 20) / len(chart.bars)
    left, right = 300, WIDTH - 110
    thick = min(18.0, room * 0.36)

    def width(value: float) -> float:
        return value / top * (right - left)

    for index, one in enumerate(chart.bars):
        at = _TOP + index * room + (room - 2 * thick) / 2
        sheet.text((left - 12, at + thick), _latin(one.name, 40), size=13, fill=_INK, to="rm")
        sheet.box(left, at, left + width(one.value), at + thick, _COLOURS[0])
        sheet.text((left + width(one.value) + 8, at + thick / 2), _value(one, chart), to="lm")
        if one.before is not None:
            sheet.box(left, at + thick + 2, left + width(one.before), at + 2 * thick, "#b8d0e2")
            before = f"{_figure(one.before)} {chart.unit}"
            sheet.text((left + width(one.before) + 8, at + 1.5 * thick + 1), before, to="lm")
    sheet.line([(left, _TOP), (left, HEIGHT - 20)], _FAINT)


def _value(bar: Bar, chart: Chart) -> str:
    return f"{_figure(bar.value)} {chart.unit}"


def _dashed(sheet: _Sheet, start: tuple[float, float], end: tuple[float, float], fill: str) -> None:
    length = max(abs(end[0] - start[0]), abs(end[1] - start[1]))
    dashes = max(1, int(length // 10))
    for index in range(dashes):
        near, far = index / dashes, (index + 0.6) / dashes
        sheet.line([_between(start, end, near), _between(start, end, far)], fill, 1.5)


def _between(
    start: tuple[float, float], end: tuple[float, float], part: float
) -> tuple[float, float]:
    return start[0] + (end[0] - start[0]) * part, start[1] + (end[1] - start[1]) * part


def _rounded(value: float) -> float:
    """Return the next figure above that reads well in quarters."""
    unit = 1.0
    while unit * 10 <= value:
        unit *= 10
    while unit > value:
        unit /= 10
    steps = (1, 1.2, 1.6, 2, 2.4, 3.2, 4, 5, 6, 8, 10)
    return next((unit * one for one in steps if unit * one >= value), unit * 10)


def _figure(value: float) -> str:
    return f"{value:.0f}" if value >= 10 or value == 0 else f"{value:.2g}"


def _latin(text: str, most: int) -> str:
    """Return text that the font has letters for."""
    safe = "".join(one if " " <= one <= "~" else "?" for one in text)
    return safe if len(safe) <= most else safe[: most - 3] + "..."
