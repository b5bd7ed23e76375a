"""A prompt: a question in words, the query that was made of it, and its answer as a chart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.events import Key
from textual.widgets import Input

from petops.domain.evidence import Series
from petops.errors import PetopsError
from petops.tui.calm import blocks
from petops.tui.desk import Desk
from petops.tui.drawn import Heading, Paragraph
from petops.tui.given import Told
from petops.tui.palette import Palette
from petops.tui.plain import fitted
from petops.tui.plots import Curve, Plot, amount
from petops.tui.screens.base import DeskScreen
from petops.tui.times import Times
from petops.tui.widgets.chart import chart, sparkline, tone_of
from petops.tui.widgets.row_list import RowList

_SHOWN = 50
_CURVES = 6
CHART_LINES = 13


@dataclass(frozen=True, slots=True)
class SeriesRow:
    """One series: its labels, its values as a sparkline, its last value."""

    key: str
    series: Series
    top: float
    unit: str
    tone: str = "accent"

    is_choosable = True

    def tall(self, width: int) -> int:
        del width
        return 1

    def lines(self, width: int, paint: Palette) -> Sequence[Text]:
        pairs = self.series.labels
        labels = " ".join(f"{name}={value}" for name, value in pairs) or "-"
        if len(pairs) == 1:
            labels = pairs[0][1]
        values = [one.value for one in self.series.samples]
        last = amount(values[-1], self.unit) if values else "no value"
        name = max(12, width * 2 // 5)
        text = Text(fitted(labels, name) + " ", paint.dim)
        cells = max(1, width - name - 20)
        if len(values) == 1:
            drawn = blocks(max(0.0, values[0]) / self.top * cells if self.top > 0 else 0.0)
        else:
            drawn = sparkline(values, self.top, cells)
        text.append(drawn.ljust(cells), paint.tone(self.tone))
        text.append(f" {last:>18}", paint.strong)
        return (text,)

    def detail(self, width: int, paint: Palette) -> Sequence[Text]:
        del width
        return [
            Text.assemble((f"    {name:<24}", paint.faint), (fitted(value, 60), paint.text))
            for name, value in self.series.labels
        ]


@dataclass(frozen=True, slots=True)
class ChartRow:
    """The series of one answer over time, as a chart."""

    key: str
    plot: Plot
    times: Times

    is_choosable = False

    def tall(self, width: int) -> int:
        del width
        return CHART_LINES

    def lines(self, width: int, paint: Palette) -> Sequence[Text]:
        drawn = chart(self.plot, (min(width, 120), CHART_LINES - 1), self.times, paint)
        return [*drawn, *(Text() for _ in range(CHART_LINES - len(drawn)))]

    def detail(self, width: int, paint: Palette) -> Sequence[Text]:
        del width, paint
        return ()


class Prompt(Input):
    """No question begins with `:` or `?`: there they do what they do everywhere else."""

    ELSEWHERE: ClassVar[Mapping[str, str]] = {":": "app.command", "?": "app.help"}

    async def on_key(self, event: Key) -> None:
        """Keep what is no question out of the line."""
        action = "" if self.value else self.ELSEWHERE.get(event.character or "", "")
        if action:
            event.stop()
            event.prevent_default()
            await self.run_action(action)


class AskScreen(DeskScreen):
    """Answers stay, the latest first."""

    title_words = "ask"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("i", "prompt", "Ask"),
        Binding("y", "copy", "Copy query"),
        Binding("tab", "app.focus_next", "Answers"),
        Binding("escape", "app.back", "Back"),
    ]

    def __init__(self, desk: Desk, question: str = "") -> None:
        super().__init__(desk)
        self._question = question
        self._answers: list[tuple[str, Told | None]] = []

    def body(self) -> ComposeResult:
        yield Prompt(
            placeholder="a question, for example: which pods use most memory?", id="question"
        )
        missing = self.desk.given.missing.get("ask", "")
        yield RowList(id="ask-rows", empty=missing or "no question was asked yet")

    def on_mount(self) -> None:
        self.query_one(Input).focus()
        if self._question:
            self.asked(self._question)

    def action_prompt(self) -> None:
        """Go to the prompt."""
        self.query_one(Input).focus()

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        if event.value.strip():
            self.asked(event.value.strip())
            event.input.value = ""

    @work
    async def asked(self, question: str) -> None:
        """Ask, and show the answer on top."""
        ask = self.desk.given.ask
        if ask is None:
            self.say(self.desk.given.missing.get("ask", "nothing here answers questions"), bad=True)
            return
        self._answers.insert(0, (question, None))
        self.show()
        try:
            told = await ask(question)
        except PetopsError as exc:
            told = Told(query="", because="", series=(), trouble=exc.message)
        index = self._answers.index((question, None))
        self._answers[index] = (question, told)
        del self._answers[20:]
        self.show()

    def show(self) -> None:
        """Draw the answers."""
        rows: list[Heading | Paragraph | ChartRow | SeriesRow] = []
        for number, (question, told) in enumerate(self._answers):
            lead = f"{len(self._answers) - number}"
            rows.append(Heading(f"{lead}-q", question[:200]))
            if told is None:
                rows.append(Paragraph(f"{lead}-wait", "asking …", "accent"))
                continue
            if told.trouble:
                rows.append(Paragraph(f"{lead}-no", told.trouble, "bad"))
            if told.because:
                rows.append(Paragraph(f"{lead}-why", told.because, "dim"))
            if told.query:
                rows.append(Paragraph(f"{lead}-query", told.query, "info"))
            rows += _chart_rows(lead, told, self.desk.times)
            rows += _series_rows(lead, told)
        self.query_one(RowList).show(rows)

    def action_copy(self) -> None:
        """Copy the latest query."""
        query = next((told.query for _, told in self._answers if told and told.query), "")
        if query:
            self.app.copy_to_clipboard(query)
            self.say("copied the query")


def _chart_rows(lead: str, told: Told, times: Times) -> list[ChartRow]:
    """Return the chart of an answer that goes over time; an instant's bars need none."""
    curves = tuple(
        Curve(name=" ".join(value for _, value in one.labels) or "value", points=one.samples)
        for one in told.series[:_CURVES]
        if len(one.samples) > 2
    )
    if not curves:
        return []
    return [ChartRow(f"{lead}-chart", Plot(title="", unit=told.unit, curves=curves), times)]


def _series_rows(lead: str, told: Told) -> list[SeriesRow | Paragraph]:
    values = [one.value for each in told.series for one in each.samples]
    top = max(values, default=1.0)
    rows: list[SeriesRow | Paragraph] = [
        SeriesRow(f"{lead}-{number}", one, top, told.unit, tone_of(number))
        for number, one in enumerate(told.series[:_SHOWN])
    ]
    if len(told.series) > _SHOWN:
        more = len(told.series) - _SHOWN
        rows.append(Paragraph(f"{lead}-more", f"and {more} more series", "dim"))
    if told.query and not told.series:
        rows.append(Paragraph(f"{lead}-none", "no data: the query returned no series", "warn"))
    return rows
