"""The board: every open incident by urgency, and calm where there is none."""

from __future__ import annotations

from typing import ClassVar, Final

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Input, Static

from petops.tui.calm import calm
from petops.tui.desk import Desk
from petops.tui.feed import Link, Ref
from petops.tui.palette import palette
from petops.tui.peek import peek
from petops.tui.plain import plain
from petops.tui.rows import ORDERS, BoardRows, IncidentRow, Wanted, heading
from petops.tui.screens.deciding import Deciding
from petops.tui.widgets.row_list import RowList
from petops.tui.wording import is_over

PEEK_FROM: Final = 28
LOOK_SECONDS: Final = 300.0  # it asks everything that the engine leans on
PEEK_LEAST: Final = 9
PEEK_LINES: Final = (12, 28)


class BoardScreen(Deciding):
    """Follows all engines."""

    title_words = "board"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "Open"),
        Binding("a", "approval", "Decide", tooltip="Read what is on offer, and decide"),
        Binding("o", "acknowledge", "On it", tooltip="Say that you are on it"),
        Binding("z", "snooze", "Snooze", tooltip="Be quiet about it for 30 min"),
        Binding(
            "slash",
            "filter",
            "Filter",
            key_display="/",
            tooltip="Only rows with these words; esc clears",
        ),
        Binding("s", "order", "Sort", tooltip="Order by the next column"),
        Binding("e", "every", "Ended", tooltip="Show those that are over, too"),
        Binding("y", "copy", "Copy its id", show=False),
        Binding("x", "close_incident", "End it by hand, with a reason", show=False),
        Binding("tab", "engine", "One engine alone", show=False),
    ]

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._engine = ""
        self._words = desk.kept.choices.words
        self._board_rows = BoardRows()
        self._peek_lines = 0
        self._is_roomy = False

    def idle(self) -> frozenset[str]:
        """Nothing is ordered where there are no rows."""
        return super().idle() | (frozenset() if self.rows.rows else {"order"})

    def body(self) -> ComposeResult:
        yield Static(id="board-filter")
        yield Static(id="board-head")
        yield RowList(id="board-rows", chooses=True)
        yield Static(id="peek")
        with VerticalScroll(id="calm", can_focus=False):
            yield Static(id="calm-text")
        yield Input(placeholder="words that must stand in the row; !word must not", id="filter")

    def on_mount(self) -> None:
        self.query_one("#filter", Input).display = False
        self.query_one(RowList).focus()

    @property
    def rows(self) -> RowList:
        return self.query_one("#board-rows", RowList)

    @property
    def chosen(self) -> Ref | None:
        """The incident under the cursor."""
        row = self.rows.cursor_row
        return row.ref if isinstance(row, IncidentRow) else None

    def show(self) -> None:
        """Draw the rows, or calm where there are none."""
        if not self.query("#board-rows"):  # news that comes while the screen is taken down
            return
        choices, now = self.desk.kept.choices, self.desk.now()
        wanted = Wanted(
            words=self._words, order=choices.order, every=choices.every, engine=self._engine
        )
        rows = self._board_rows.rows(self.desk.feeds, wanted, now)
        paint = palette(self.app.theme)
        self.rows.show(rows)
        all_calm = not rows and self._is_calm()
        self.set_class(all_calm, "-calm")
        self._make_room(len(rows))
        self._peek()
        head = heading(self.size.width - 3, choices.order, paint, several=self.desk.several)
        self.draw("#board-head", head)
        note = self._note(len(rows))
        line = self.query_one("#board-filter", Static)
        line.display = bool(note) and not all_calm
        self.draw("#board-filter", Text(note, paint.dim))
        if all_calm:
            self._look()
            text = calm(self.desk, self.size.width - 6, paint)
            self.draw("#calm-text", text, layout=True)

    @work(group="look")
    async def _look(self) -> None:
        """Ask the engines how their sources fare, now and then; one that looks is left to it."""
        for feed in self.desk.feeds:
            await feed.look(at_most_every=LOOK_SECONDS)

    def _make_room(self, rows: int) -> None:
        """Give what the rows leave to the incident below them, where that is enough for it."""
        left = self.size.height - 5 - rows
        self._is_roomy = rows > 0 and (self.size.height >= PEEK_FROM or left >= PEEK_LEAST)
        self.set_class(self._is_roomy, "-roomy")
        least = PEEK_LINES[0] if self.size.height >= PEEK_FROM else PEEK_LEAST
        lines = max(least, min(PEEK_LINES[1], left))
        if lines != self._peek_lines:
            self._peek_lines = lines
            self.query_one("#peek", Static).styles.height = lines

    @on(RowList.Moved)
    def _peek(self) -> None:
        """Show the heart of the incident under the cursor, where there is room."""
        if not self._is_roomy:
            return
        row = self.rows.cursor_row
        if not isinstance(row, IncidentRow):
            self.draw("#peek", Text())
            return
        size = (max(20, self.size.width - 6), self._peek_lines - 1)
        text = peek(row.incident, self.desk, size, palette(self.app.theme))
        self.draw("#peek", text)

    def _is_calm(self) -> bool:
        """Say whether all is well: an engine that is not heard of says nothing."""
        feeds = self.desk.feeds
        if not self.desk.is_informed:
            return False
        held = (one for feed in feeds for one in feed.board.incidents.values())
        return all(is_over(one) for one in held)

    def _note(self, count: int) -> str:
        parts = []
        if self._engine:
            parts.append(f"engine {plain(self._engine)}")
        if self._words:
            parts.append(f"filter: {plain(self._words)}  (Esc clears it)")
        if self.desk.kept.choices.every:
            parts.append("ended ones too")
        connecting = [one.name for one in self.desk.feeds if one.link is Link.CONNECTING]
        if connecting:
            parts.append(f"connecting to {plain(', '.join(connecting))} …")
        elif self.desk.lost and not count:
            parts.append("nothing is known while the engine is lost")
        elif not count:
            parts.append("nothing matches")
        return "  ·  ".join(parts)

    @on(RowList.Chosen)
    def _row_chosen(self) -> None:
        self.action_open()

    def action_open(self) -> None:
        """Open the incident under the cursor."""
        if self.chosen:
            self.desk_app.open_incident(self.chosen)

    def action_filter(self) -> None:
        """Type what must stand in a row."""
        line = self.query_one("#filter", Input)
        line.display = True
        line.value = self._words
        line.focus()

    @on(Input.Changed, "#filter")
    def _typed(self, event: Input.Changed) -> None:
        if event.input.display:
            self.filtered(event.value)

    @on(Input.Submitted, "#filter")
    def _entered(self, event: Input.Submitted) -> None:
        event.input.display = False
        self.rows.focus()

    def filtered(self, words: str) -> None:
        """Show only rows with these words, and remember them."""
        self._words = words
        self.desk.kept.change(words=words)
        self.show()

    def leave(self) -> bool:
        """Take Escape: close the line for the filter, or clear the filter."""
        line = self.query_one("#filter", Input)
        if line.display or self._words or self._engine:
            line.display = False
            self._engine = ""
            self.filtered("")
            self.rows.focus()
            return True
        return False

    def action_order(self) -> None:
        """Order by the next column."""
        names = list(ORDERS)
        now = self.desk.kept.choices.order
        self.ordered(names[(names.index(now) + 1) % len(names)] if now in names else names[0])

    def ordered(self, order: str) -> None:
        """Order the rows."""
        self.desk.kept.change(order=order)
        self.say(f"ordered by {order}")
        self.show()

    def action_every(self) -> None:
        """Show incidents that are over, too, or hide them."""
        self.desk.kept.change(every=not self.desk.kept.choices.every)
        self.show()

    def action_engine(self) -> None:
        """Show the next engine alone, and all after the last."""
        names = ["", *(one.name for one in self.desk.feeds)]
        if len(names) > 2:
            self._engine = names[(names.index(self._engine) + 1) % len(names)]
            self.show()

    def action_copy(self) -> None:
        """Copy the incident's id."""
        if self.chosen:
            self.app.copy_to_clipboard(self.chosen.incident)
            self.say(f"copied {self.chosen.incident}")
