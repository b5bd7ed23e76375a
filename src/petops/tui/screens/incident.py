"""One incident: where it stands, why, its memory, what is on offer, and all that happened."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Grid, VerticalScroll
from textual.widget import Widget
from textual.widgets import Static

from petops.domain.incident import Incident
from petops.domain.phases import Phase
from petops.errors import PetopsError
from petops.tui import offer
from petops.tui.desk import Desk
from petops.tui.feed import Ref, is_production
from petops.tui.ledger import LedgerRow, StepRow, diagnosis_rows
from petops.tui.palette import Palette, palette
from petops.tui.plain import plain, wrapped
from petops.tui.screens.deciding import Deciding
from petops.tui.timeline import Timeline
from petops.tui.widgets.memory_chart import MemoryChart, memory_of
from petops.tui.widgets.rail import Rail
from petops.tui.widgets.row_list import RowList
from petops.tui.wording import PHASES, badge, state_words, workload

ROOM_FOR_A_CHANGE = 24
PANES = ("diagnosis", "memory", "change", "timeline")


class IncidentScreen(Deciding):
    """Follows one incident. Narrow terminals show one pane at a time, wide ones all four."""

    title_words = "incident"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("1", "pane('diagnosis')", "Why"),
        Binding("2", "pane('memory')", "Memory"),
        Binding("3", "pane('change')", "Change"),
        Binding("4", "pane('timeline')", "Timeline"),
        Binding("a", "approval", "Decide"),
        Binding("o", "acknowledge", "On it"),
        Binding("z", "snooze", "Snooze", show=False),
        Binding("y", "copy", "Copy"),
        Binding("x", "close_incident", "Close", show=False),
    ]

    def __init__(self, desk: Desk, ref: Ref) -> None:
        self.title_words = ref.incident
        super().__init__(desk)
        self.ref = ref
        self._pane = "diagnosis"
        self._timeline = Timeline(desk.given.tell, desk.times)
        self._shown: Incident | None = None

    @property
    def chosen(self) -> Ref | None:
        return self.ref

    def body(self) -> ComposeResult:
        yield Static(id="incident-title")
        yield Rail()
        yield Static(id="incident-tabs")
        with Grid(id="panes"):
            yield _framed(RowList(id="diagnosis", empty="no question was asked yet"), "1 why")
            yield _framed(MemoryChart(self.desk.times, id="memory"), "2 memory")
            change = VerticalScroll(Static(id="change-text"), id="change")
            yield _framed(change, "3 change")
            yield _framed(RowList(id="timeline"), "4 timeline")

    def on_mount(self) -> None:
        self.query_one("#timeline", RowList).follow_end()
        self.action_pane("diagnosis")
        incident = self.desk.incident(self.ref)
        if incident is not None and len(incident.history) < incident.number:
            self._fetch()

    def on_unmount(self) -> None:
        self.desk.feed(self.ref.engine).pinned.discard(self.ref.incident)

    @work
    async def _fetch(self) -> None:
        """Get the entries that the board does not hold."""
        try:
            await self.desk.feed(self.ref.engine).whole(self.ref.incident)
        except PetopsError as exc:
            self.said(exc)

    def show(self) -> None:
        """Draw what has changed."""
        incident = self.desk.incident(self.ref)
        paint = palette(self.app.theme)
        title = self.query_one("#incident-title", Static)
        if incident is None:
            title.update(Text(f"waiting for {plain(self.ref.incident)} …", paint.dim))
            return
        now, times, given = self.desk.now(), self.desk.times, self.desk.given
        title.update(self._title(incident, paint), layout=False)
        rail = self.query_one(Rail)
        rail.now, rail.incident = now, incident
        self.query_one("#incident-tabs", Static).update(self._tabs(paint), layout=False)
        if incident is not self._shown:
            self.query_one("#timeline", RowList).show(self._timeline.rows(incident))
            self.query_one(MemoryChart).memory = memory_of(incident)
        if incident is not self._shown or incident.phase is Phase.INVESTIGATING:
            rows = diagnosis_rows(incident, now, times, given.summarise)
            self.query_one("#diagnosis", RowList).show(rows)
        self._shown = incident
        change = self.query_one("#change", VerticalScroll)
        width = max(20, change.scrollable_content_region.width)
        lines = self._change(incident, width, paint)
        if incident.on_offer and change.size.height >= ROOM_FOR_A_CHANGE:
            first = incident.on_offer[0]
            lines += [Text(), *offer.whole(first, now, width, paint, stands=True)]
        self.query_one("#change-text", Static).update(Text("\n").join(lines))

    def _title(self, incident: Incident, paint: Palette) -> Text:
        wording = PHASES[incident.phase]
        text = Text(" ")
        cluster = incident.alarm.cluster
        if self.desk.feed(self.ref.engine).is_production or is_production(cluster.name):
            text.append(" PRODUCTION ", paint.production)
            text.append(" ")
        text.append_text(badge(incident, paint))
        words = state_words(incident, self.desk.now(), self.desk.times)
        text.append(f" {wording.sign} {words}  ", paint.tone(wording.tone))
        text.append(plain(workload(incident)), paint.strong)
        text.append(f"  {plain(str(cluster))}", paint.dim)
        if incident.acknowledged:
            text.append(f"  {plain(incident.acknowledged.by.user)} is on it", paint.info)
        if incident.joined:
            text.append(f"  {incident.joined} more reports", paint.dim)
        text.truncate(max(1, self.size.width - 1), overflow="ellipsis")
        return text

    def _tabs(self, paint: Palette) -> Text:
        text = Text(" ")
        for number, name in enumerate(PANES, start=1):
            style = paint.strong + paint.accent if name == self._pane else paint.dim
            mark = "▸" if name == self._pane else " "
            text.append(f"{mark}{number} {name}  ", style)
        return text

    def _change(self, incident: Incident, width: int, paint: Palette) -> list[Text]:
        """Return what is on offer or under way, short: the approval screen has it whole."""
        now, times = self.desk.now(), self.desk.times
        lines = offer.progress(incident, now, times, width, paint)
        if lines:
            lines.append(Text())
        decided = offer.decisions(incident, times, width, paint)
        offered = incident.on_offer or ((incident.chosen,) if incident.chosen else ())
        for number, one in enumerate(offered, start=1):
            lines.append(offer.head(one, number, width, paint))
        if incident.on_offer:
            lines += [offer.expiry(incident.on_offer[0], now, paint)]
            lines += [Text("a  read it whole and decide", paint.accent)]
        elif not offered:
            because = incident.ended_because or "nothing is on offer yet"
            lines += [Text(one, paint.dim) for one in wrapped(because, width)]
        for name, why in incident.withheld:
            lines += [Text(one, paint.dim) for one in wrapped(f"withheld: {name}, {why}", width)]
        return [*lines, Text(), *decided] if decided else lines

    def action_pane(self, name: str) -> None:
        """Show a pane, and go to it."""
        self._pane = name
        for one in PANES:
            self.query_one(f"#{one}", Widget).set_class(one == name, "-shown")
        self.query_one(f"#{name}", Widget).focus()
        self.call_after_refresh(self.heard)

    def action_copy(self) -> None:
        """Copy the query of the row under the cursor, else the incident's id."""
        focused = self.focused
        text = self.ref.incident
        if isinstance(focused, RowList):
            match focused.cursor_row:
                case LedgerRow(row=row) if row.asked:
                    text = row.asked[0].query
                case StepRow(result=result) if result is not None and result.asked:
                    text = result.asked[0].query
                case _:
                    pass
        self.app.copy_to_clipboard(text)
        self.say(f"copied {text[:60]}")


def _framed(widget: Widget, title: str) -> Widget:
    widget.border_title = title
    widget.add_class("pane")
    return widget
