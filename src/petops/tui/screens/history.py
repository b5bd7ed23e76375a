"""What is over: every incident with its time to recovery, and where that time went."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Static

from petops.domain.incident import Incident
from petops.domain.stages import stages
from petops.errors import PetopsError
from petops.tui.calm import WEEK, stage_chart
from petops.tui.feed import Ref
from petops.tui.palette import Palette, palette
from petops.tui.plain import fitted
from petops.tui.screens.deciding import Deciding
from petops.tui.times import Times, duration
from petops.tui.widgets.row_list import RowList
from petops.tui.wording import PHASES, cause_of, workload

_WIDE: Final = 90
_YEAR: Final = len("2026-")


@dataclass(frozen=True, slots=True)
class PastRow:
    """One incident of the past."""

    ref: Ref
    incident: Incident
    times: Times

    is_choosable = True

    @property
    def key(self) -> str:
        return f"{self.ref.engine}\t{self.ref.incident}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PastRow) and self.incident is other.incident

    def __hash__(self) -> int:
        return hash(self.ref)

    def tall(self, width: int) -> int:
        del width
        return 1

    def lines(self, width: int, paint: Palette) -> Sequence[Text]:
        incident, wording = self.incident, PHASES[self.incident.phase]
        took = stages(incident)
        is_narrow = width < _WIDE
        day = self.times.day(incident.opened_at)
        text = Text(f"{day[_YEAR:] if is_narrow else day}  ", paint.dim)
        text.append(fitted(incident.id, 10), paint.dim)
        text.append(fitted(f"{wording.sign} {wording.words}", 17), paint.tone(wording.tone))
        text.append(fitted(duration(took.mttr_seconds), 8), paint.strong)
        for_cause = 12 if is_narrow else 20
        room = max(8, width - text.cell_len - for_cause - 1)
        whose = workload(incident)
        whose = whose.rpartition("/")[2] if is_narrow else whose
        text.append(fitted(whose, room) + " ", paint.text)
        text.append(fitted(cause_of(incident)[0], for_cause), paint.dim)
        return (text,)

    def detail(self, width: int, paint: Palette) -> Sequence[Text]:
        del width, paint
        return ()


class HistoryScreen(Deciding):
    """Incidents that came to an end or recovered, the latest first."""

    title_words = "history"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "Open"),
        Binding("w", "export", "Write postmortem"),
    ]

    @property
    def chosen(self) -> Ref | None:
        row = self.query_one(RowList).cursor_row
        return row.ref if isinstance(row, PastRow) else None

    def body(self) -> ComposeResult:
        yield Static(id="history-chart")
        yield RowList(id="history-rows", chooses=True, empty="no incident is over yet")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer the postmortem only where one can be written."""
        del parameters
        return action != "export" or self.desk.given.export is not None

    def show(self) -> None:
        """Draw the rows and the chart of the week."""
        paint, now = palette(self.app.theme), self.desk.now()
        held = [
            (Ref(feed.name, one.id), one)
            for feed in self.desk.feeds
            for one in feed.board.incidents.values()
        ]
        week = [one for _, one in held if now - one.opened_at <= WEEK]
        chart = Text("time to recovery by stage, this week\n", paint.heading)
        chart.append_text(stage_chart(week, self.size.width - 6, paint))
        shown = self.query_one("#history-chart", Static)
        shown.display = self.size.height >= 20
        shown.update(chart)
        past = [pair for pair in held if pair[1].recovered or pair[1].ended_because]
        past.sort(key=lambda pair: pair[1].opened_at, reverse=True)
        rows = [PastRow(ref, one, self.desk.times) for ref, one in past]
        self.query_one(RowList).show(rows)

    @on(RowList.Chosen)
    def _row_chosen(self) -> None:
        self.action_open()

    def action_open(self) -> None:
        """Open the incident under the cursor."""
        if self.chosen:
            self.desk_app.open_incident(self.chosen)

    @work
    async def action_export(self) -> None:
        """Write the incident's record to a file."""
        ref, export = self.chosen, self.desk.given.export
        incident = self.desk.incident(ref) if ref else None
        if ref is None or export is None or incident is None:
            return
        try:
            if len(incident.history) < incident.number:
                incident = await self.desk.feed(ref.engine).whole(ref.incident) or incident
            self.say(f"written to {await export(incident)}")
        except PetopsError as exc:
            self.said(exc)
