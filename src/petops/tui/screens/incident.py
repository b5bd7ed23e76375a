"""One incident: where it stands, why, its charts, what is on offer, and all that happened."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final

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
from petops.tui.feed import Ref
from petops.tui.ledger import LedgerRow, StepRow, diagnosis_rows
from petops.tui.palette import Palette, palette
from petops.tui.plain import plain, wrapped
from petops.tui.plots import Plot, memory_of, with_memory
from petops.tui.screens.deciding import Deciding
from petops.tui.story import EMPTY, STORY, culprit, story_rows
from petops.tui.timeline import Timeline
from petops.tui.widgets.chart import Charts
from petops.tui.widgets.rail import Rail
from petops.tui.widgets.row_list import RowList
from petops.tui.wording import PHASES, badge, is_over, state_words, workload

ROOM_FOR_A_CHANGE: Final = 24
CHARTS_SECONDS: Final = 15.0
PANES: Final = ("why", "charts", "change", *STORY)


class IncidentScreen(Deciding):
    """Follows one incident. Narrow terminals show one pane at a time.

    Wide ones show four: why, charts, change, and one of those that tell the story. `f` gives a pane
    the whole screen.
    """

    title_words = "incident"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "approval", "Decide", tooltip="Read what is on offer, and decide"),
        Binding("o", "acknowledge", "On it", tooltip="Say that you are on it"),
        Binding("w", "correct", "Wrong cause…", tooltip="Say what it really was"),
        Binding("f", "full", "Full", tooltip="Give this pane the whole screen"),
        *(
            Binding(str(number), f"pane('{name}')", f"Go to {name}", show=False)
            for number, name in enumerate(PANES, start=1)
        ),
        Binding("z", "snooze", "Be quiet about it for 30 min", show=False),
        Binding("y", "copy", "Copy", tooltip="Copy the query of this row, else the incident's id"),
        Binding("x", "close_incident", "End it by hand, with a reason", show=False),
    ]

    def __init__(self, desk: Desk, ref: Ref) -> None:
        self.title_words = ref.incident
        super().__init__(desk)
        self.ref = ref
        self._pane = "why"
        self._story = "timeline"
        self._timeline = Timeline(desk.given.tell, desk.times)
        self._shown: Incident | None = None
        self._read: tuple[Plot, ...] = ()
        self._note = desk.given.missing.get("charts", "")

    @property
    def chosen(self) -> Ref | None:
        return self.ref

    def body(self) -> ComposeResult:
        yield Static(id="incident-title")
        yield Rail()
        yield Static(id="incident-tabs")
        with Grid(id="panes"):
            yield _framed(RowList(id="why", empty="no question was asked yet"), "1 why")
            yield _framed(Charts(self.desk.times, id="charts"), "2 charts")
            change = VerticalScroll(Static(id="change-text"), id="change")
            yield _framed(change, "3 change")
            for name in STORY:
                rows = RowList(id=name, empty=EMPTY[name])
                rows.add_class("story")
                yield _framed(rows, "")

    def on_mount(self) -> None:
        self.query_one("#timeline", RowList).follow_end()
        self.action_pane("why")
        incident = self.desk.incident(self.ref)
        if incident is not None and len(incident.history) < incident.number:
            self._fetch()
        if self.desk.given.charts is not None:
            self.read_charts()
            self.set_interval(CHARTS_SECONDS, self.read_charts)

    def on_unmount(self) -> None:
        self.desk.feed(self.ref.engine).pinned.discard(self.ref.incident)

    @work
    async def _fetch(self) -> None:
        """Get the entries that the board does not hold."""
        try:
            await self.desk.feed(self.ref.engine).whole(self.ref.incident)
        except PetopsError as exc:
            self.said(exc)

    @work(exclusive=True, group="charts")
    async def read_charts(self) -> None:
        """Read what the workload did over time; once it is over, only the first time."""
        incident, charts = self.desk.incident(self.ref), self.desk.given.charts
        is_read = bool(self._read) and incident is not None and is_over(incident)
        if incident is None or charts is None or is_read or not self.is_current:
            return
        try:
            self._read, self._note = tuple(await charts(incident)), ""
        except PetopsError as exc:
            self._note = exc.message
        self._show_charts(incident)

    def show(self) -> None:
        """Draw what has changed."""
        incident = self.desk.incident(self.ref)
        paint = palette(self.app.theme)
        if incident is None:
            waiting = Text(f"waiting for {plain(self.ref.incident)} …", paint.dim)
            self.draw("#incident-title", waiting)
            return
        now, times, given = self.desk.now(), self.desk.times, self.desk.given
        self.draw("#incident-title", self._title(incident, paint))
        rail = self.query_one(Rail)
        rail.now, rail.incident = now, incident
        self.draw("#incident-tabs", self._tabs(paint))
        is_new = incident is not self._shown
        if is_new:
            self._show_story(incident)
            self._show_charts(incident)
        if is_new or incident.phase is Phase.INVESTIGATING:
            rows = diagnosis_rows(incident, now, times, given.summarise)
            self.query_one("#why", RowList).show(rows)
        self._shown = incident
        change = self.query_one("#change", VerticalScroll)
        width = max(20, change.scrollable_content_region.width or self.size.width // 3)
        lines = self._change(incident, width, paint)
        if incident.on_offer and change.size.height >= ROOM_FOR_A_CHANGE:
            first = incident.on_offer[0]
            lines += [Text(), *offer.whole(first, now, width, paint, stands=True)]
        self.draw("#change-text", Text("\n").join(lines), layout=True)

    def _show_story(self, incident: Incident) -> None:
        """Draw the panes that tell the story; what is not in sight is not drawn."""
        self.query_one("#timeline", RowList).show(self._timeline.rows(incident))
        before = self._shown
        is_told = before is not None and before.answers is incident.answers
        if is_told and before is not None and before.runbooks is incident.runbooks:
            return
        counts = {}
        for name, rows in story_rows(incident, self.desk.times):
            counts[name] = len(rows)
            shown = self.query_one(f"#{name}", RowList)
            is_first = bool(rows) and not shown.rows
            shown.show(rows)
            if is_first:
                shown.move_to(culprit(rows))
        self._name_story(counts)

    def _name_story(self, counts: Mapping[str, int]) -> None:
        """Name in each frame which panes share its place, those with nothing in them faintly."""
        for here in STORY:
            parts = []
            for number, name in enumerate(PANES, start=1):
                if name in STORY:
                    words = f"{number} {name}"
                    is_empty = name in counts and not counts[name]
                    parts.append(words if name == here else f"[dim]{words}[/]")
                    if is_empty:
                        parts[-1] = f"[dim]{words} -[/]"
            self.query_one(f"#{here}", RowList).border_title = "  ".join(parts)

    def _show_charts(self, incident: Incident) -> None:
        """Draw what was read, with what the journal knows of memory."""
        charts = self.query_one(Charts)
        charts.plots = with_memory(self._read, memory_of(incident))
        charts.note = self._note

    def _title(self, incident: Incident, paint: Palette) -> Text:
        wording = PHASES[incident.phase]
        text = Text(" ")
        cluster = incident.alarm.cluster
        if self.desk.feed(self.ref.engine).is_production_of(cluster.name):
            text.append(" PRODUCTION ", paint.production)
            text.append(" ")
        text.append_text(badge(incident, paint))
        words = state_words(incident, self.desk.now(), self.desk.times)
        text.append(f" {wording.sign} {words}  ", paint.tone(wording.tone))
        text.append(plain(workload(incident)), paint.strong)
        if incident.acknowledged:
            text.append(f"  {plain(incident.acknowledged.by.user)} is on it", paint.info)
        text.append(f"  {plain(str(cluster))}", paint.dim)
        if incident.joined:
            reports = "report" if incident.joined == 1 else "reports"
            text.append(f"  {incident.joined} more {reports}", paint.dim)
        text.truncate(max(1, self.size.width - 1), overflow="ellipsis")
        return text

    def _tabs(self, paint: Palette) -> Text:
        text = Text()
        for number, name in enumerate(PANES, start=1):
            style = paint.strong + paint.accent if name == self._pane else paint.dim
            mark = "▸" if name == self._pane else " "
            text.append(f"{mark}{number} {name} ", style)
        return text

    def _change(self, incident: Incident, width: int, paint: Palette) -> list[Text]:
        """Return what is on offer or under way, short: the approval screen has it whole."""
        now, times = self.desk.now(), self.desk.times
        lines = offer.unread(incident, width, paint)
        lines += offer.progress(incident, now, times, width, paint)
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
        if name in STORY:
            self._story = name
        for one in PANES:
            pane = self.query_one(f"#{one}", Widget)
            pane.set_class(one == name, "-shown")
            pane.set_class(one == self._story, "-chosen")
        self.query_one(f"#{name}", Widget).focus()
        self.call_after_refresh(self.heard)

    def action_full(self) -> None:
        """Give the pane the whole screen, or give the others their places back."""
        focused = self.focused
        name = focused.id if focused is not None and focused.id in PANES else self._pane
        self.query_one("#panes").toggle_class("-full")
        self.action_pane(str(name))

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
