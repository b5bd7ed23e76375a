"""Memory of a workload's containers over time: limit, kills and rollouts drawn in.

The one module that speaks plotext, whose figure is one for the whole process.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from rich.style import Style
from rich.text import Text
from textual.reactive import reactive
from textual.widget import Widget

from petops.domain.facts import ContainerMemory, Lifetime, Rollouts, Stops
from petops.domain.incident import Incident
from petops.tui.palette import Palette, palette
from petops.tui.plain import fitted
from petops.tui.times import Times

_TICKS: Final = "▁▂▃▄▅▆▇█"
_SMALLEST = (24, 5)


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened at one time: a kill, a rollout, the change."""

    at: datetime
    name: str
    tone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What the journal knows of a workload's memory."""

    lifetimes: tuple[Lifetime, ...]
    marks: tuple[Mark, ...]
    limit_mib: float | None
    next_kill_at: datetime | None = None

    @property
    def start(self) -> datetime:
        return min(one.readings[0].at for one in self.lifetimes)

    @property
    def end(self) -> datetime:
        return max(one.readings[-1].at for one in self.lifetimes)


def memory_of(incident: Incident) -> Memory | None:
    """Return the memory of the container that is blamed, else of all that were measured."""
    fact = _latest(incident, ContainerMemory)
    if fact is None:
        return None
    measured = tuple(one for one in fact.lifetimes if one.readings)
    cause = incident.diagnosis.cause if incident.diagnosis else None
    if cause is not None and cause.subject is not None:
        blamed = tuple(
            one
            for one in measured
            if one.owner == cause.subject and cause.container in {"", one.container}
        )
        measured = blamed or measured
    if not measured:
        return None
    limits = [one.limit_mib for one in measured if one.limit_mib]
    ahead = cause.forecast.next_kill_at if cause and cause.forecast else None
    return Memory(
        lifetimes=measured,
        marks=_marks(incident, measured),
        limit_mib=max(limits) if limits else None,
        next_kill_at=ahead,
    )


def _latest(incident: Incident, kind: type[Any]) -> Any:
    found = (one.fact for one in reversed(incident.answers) if isinstance(one.fact, kind))
    return next(found, None)


def _marks(incident: Incident, lifetimes: Sequence[Lifetime]) -> tuple[Mark, ...]:
    """Return kills and rollouts that fall into the time that was measured."""
    found: set[Mark] = set()
    stops: Stops | None = _latest(incident, Stops)
    pods = {one.pod for one in lifetimes}
    for stop in stops.out_of_memory if stops else ():
        if stop.finished_at is not None and stop.pod in pods:
            found.add(Mark(stop.finished_at, "kill", "bad"))
    rollouts: Rollouts | None = _latest(incident, Rollouts)
    if rollouts and rollouts.current and rollouts.current_since:
        name = f"rollout r{rollouts.current.number}"
        found.add(Mark(rollouts.current_since, name, "info"))
    start = min(one.readings[0].at for one in lifetimes) - timedelta(minutes=2)
    end = max(one.readings[-1].at for one in lifetimes) + timedelta(minutes=2)
    return tuple(sorted((one for one in found if start <= one.at <= end), key=lambda one: one.at))


def chart(memory: Memory, size: tuple[int, int], times: Times, paint: Palette) -> list[Text]:
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
    end = memory.end
    if memory.next_kill_at and memory.next_kill_at - memory.end < (memory.end - memory.start) * 2:
        end = max(end, memory.next_kill_at)
    start = min([memory.start, *(one.at for one in memory.marks)])
    _curves(figure, memory, end, paint)
    top = max([memory.limit_mib or 0.0, *(_highest(one) for one in memory.lifetimes)]) * 1.12
    span = max(1.0, (end - start).total_seconds())
    x = figure.ruler("x")
    x.lim(start.timestamp(), start.timestamp() + span)
    moments = [start + (end - start) * part / 3 for part in range(4 if width >= 50 else 2)]
    if width < 50:
        moments = [start, end]
    x.ticks([one.timestamp() for one in moments], [times.clock(one) for one in moments])
    _scale(figure, memory, top, paint)
    for mark in memory.marks:
        _line(figure, mark.at.timestamp(), "v", paint.tone(mark.tone))
    text = Text.from_ansi(str(figure.build()), style=paint.dim)
    return [_legend(memory, width, paint, times), *_without_ground(text)]


def _figure() -> Any:
    import plotext  # noqa: PLC0415 (170 ms, and most screens need none)

    plotext.terminal.limit(False, False)
    return plotext.figure


def _curves(figure: Any, memory: Memory, end: datetime, paint: Palette) -> None:
    """Draw each lifetime, and where the last one is heading."""
    import plotext  # noqa: PLC0415

    tones = [paint.accent, paint.info, paint.good, paint.warn]
    for index, life in enumerate(memory.lifetimes):
        marker = plotext.marker("braille", _rgb(tones[index % len(tones)]))
        xs = [one.at.timestamp() for one in life.readings]
        ys = [one.mib for one in life.readings]
        signal = figure.signal(xs, ys, marker=marker)
        signal.lines()
        figure.draw(signal)
        if not life.alive:
            ended = plotext.marker("✗", _rgb(paint.bad))
            figure.draw(figure.signal(xs[-1:], ys[-1:], marker=ended))
    if memory.next_kill_at and memory.limit_mib and memory.next_kill_at <= end:
        last = max(memory.lifetimes, key=lambda one: one.readings[-1].at).readings[-1]
        steps = 14
        ahead = (memory.next_kill_at - last.at).total_seconds()
        rise = memory.limit_mib - last.mib
        xs = [last.at.timestamp() + ahead * part / steps for part in range(1, steps + 1)]
        ys = [last.mib + rise * part / steps for part in range(1, steps + 1)]
        figure.draw(figure.signal(xs, ys, marker=plotext.marker("·", _rgb(paint.bad))))


def _line(figure: Any, position: float, direction: str, style: Style) -> None:
    import plotext  # noqa: PLC0415

    figure.line(position, direction, pixel=plotext.pixel(_rgb(style)), style="dotted")


def _scale(figure: Any, memory: Memory, top: float, paint: Palette) -> None:
    y = figure.ruler("y")
    y.lim(0.0, max(1.0, top))
    ticks, labels = [0.0], ["0"]
    if memory.limit_mib:
        ticks += [memory.limit_mib / 2, memory.limit_mib]
        labels += [f"{memory.limit_mib / 2:.0f}", f"{memory.limit_mib:.0f} MiB"]
        _line(figure, memory.limit_mib, "h", paint.warn)
    else:
        ticks.append(top / 1.12)
        labels.append(f"{top / 1.12:.0f} MiB")
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


def _legend(memory: Memory, width: int, paint: Palette, times: Times) -> Text:
    """Return what the lines of the chart mean."""
    text = Text()
    if memory.limit_mib:
        text.append("┈ limit  ", paint.warn)
    if not all(one.alive for one in memory.lifetimes):
        text.append("✗ ended  ", paint.bad)
    for mark in memory.marks[-3:]:
        text.append(f"┊ {mark.name} {times.clock(mark.at)}  ", paint.tone(mark.tone))
    if memory.next_kill_at:
        text.append(f"· next kill {times.clock(memory.next_kill_at)}", paint.bad)
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


def life_line(life: Lifetime, width: int, paint: Palette) -> Text:
    """Return one lifetime as a sparkline with its figures."""
    values = [one.mib for one in life.readings]
    top = life.limit_mib or max([*values, 1.0])
    state = "alive" if life.alive else "ended"
    figures = f" {values[0]:.0f} → {values[-1]:.0f}"
    figures += f" of {life.limit_mib:.0f} MiB" if life.limit_mib else " MiB"
    name = max(8, min(30, width - 24 - len(figures)))
    cells = max(4, min(24, width - name - len(figures) - 7))
    text = Text(fitted(life.pod, name) + " ", paint.dim)
    text.append(sparkline(values, top, cells).ljust(cells), paint.accent)
    text.append(figures, paint.text)
    text.append(f" {state}", paint.good if life.alive else paint.bad)
    return text


def _highest(life: Lifetime) -> float:
    return max(one.mib for one in life.readings)


class MemoryChart(Widget, can_focus=True):
    """The chart, and below it one sparkline a container lifetime."""

    DEFAULT_CSS = "MemoryChart { height: 1fr; }"

    memory: reactive[Memory | None] = reactive[Memory | None](None)

    def __init__(self, times: Times, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._times = times

    def render(self) -> Text:
        paint = palette(self.app.theme)
        width, height = self.content_size
        if self.memory is None:
            return Text("no memory was measured", paint.dim)
        lives = sorted(self.memory.lifetimes, key=lambda one: one.readings[-1].at)
        below = min(len(lives), max(0, (height - 7) // 2), 8)
        lines = chart(self.memory, (width, height - below), self._times, paint)
        lines += [life_line(one, width, paint) for one in lives[-below:]] if below else []
        return Text("\n").join(lines)
