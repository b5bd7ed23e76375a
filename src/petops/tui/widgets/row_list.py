"""A list of rows that draws only what is seen: ten thousand rows cost what thirty do.

A row is a value that draws itself in lines for a width. Rows that are equal look equal, so that
after a change only the rows on the screen that differ are drawn anew.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from petops.tui.drawn import Drawn
from petops.tui.palette import Palette, palette

GUTTER = 2
_MOST_STRIPS = 2_000


class RowList(ScrollView, can_focus=True):
    """Rows, one of them under the cursor. Enter opens a row's detail, or chooses the row."""

    DEFAULT_CSS = "RowList { height: 1fr; overflow-x: hidden; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("pageup,ctrl+b", "page(-1)", "Page up", show=False),
        Binding("pagedown,ctrl+f", "page(1)", "Page down", show=False),
        Binding("home,g", "edge(0)", "First", show=False),
        Binding("end,G", "edge(-1)", "Last", show=False),
        Binding("enter", "choose", "Open", key_display="⏎"),
    ]

    class Chosen(Message):
        """Enter, or a second click, on a row."""

        def __init__(self, rows: RowList, key: str) -> None:
            super().__init__()
            self.rows = rows
            self.key = key

        @property
        def control(self) -> RowList:
            return self.rows

    class Moved(Message):
        """The cursor stands on another row."""

    def __init__(self, *, id: str | None = None, empty: str = "", chooses: bool = False) -> None:  # noqa: A002
        super().__init__(id=id)
        self._rows: Sequence[Drawn] = ()
        self._starts: list[int] = [0]
        self._empty = empty
        self._chooses = chooses
        self._opened: set[str] = set()
        self._cursor = 0
        self._drawn: dict[int, list[Text]] = {}
        self._strips: dict[tuple[int, int, bool, bool], Strip] = {}
        self._theme = ""
        self._width = 0
        self._follow = False

    @property
    def cursor_row(self) -> Drawn | None:
        """The row under the cursor."""
        if 0 <= self._cursor < len(self._rows) and self._rows[self._cursor].is_choosable:
            return self._rows[self._cursor]
        return None

    @property
    def rows(self) -> Sequence[Drawn]:
        return self._rows

    def follow_end(self) -> None:
        """Keep the last row in sight while the cursor stands on it."""
        self._follow = True

    def show(self, rows: Sequence[Drawn]) -> None:
        """Show rows in place of those before. The cursor stays with its row, by key."""
        before, tall_before = self._rows, self._starts
        was_last = self._cursor >= len(before) - 1
        held = before[self._cursor].key if self._cursor < len(before) else None
        known = len(before) if self._only_grew(before, rows) else 0
        if known == len(rows) and known:
            return
        self._rows = rows
        self._keep_cursor(held, at_end=self._follow and was_last)
        self._measure(known)
        if known:
            self.refresh()
        elif tall_before == self._starts and self._width:
            self._draw_changed(before)
        else:
            self._forget()
            self.refresh()
        if self._follow and was_last:
            self.scroll_end(animate=False)

    def _only_grew(self, before: Sequence[Drawn], rows: Sequence[Drawn]) -> bool:
        """Say whether the rows are those before, and perhaps more of them at the end.

        Lists compare their items by identity first: ten thousand that stayed take no time.
        """
        if not before or len(rows) < len(before) or not self._width:
            return False
        return list(before) == list(rows[: len(before)])

    def move_to(self, key: str) -> None:
        """Put the cursor on the row with this key, where there is one."""
        for index, row in enumerate(self._rows):
            if row.key == key:
                self._go(index)
                return

    def toggle(self, key: str) -> None:
        """Open a row's detail, or close it."""
        self._opened ^= {key}
        self._forget()
        self._measure()
        self.refresh()
        self._go(self._cursor)

    def repaint(self) -> None:
        """Draw everything anew: the theme or what times count from has changed."""
        self._forget()
        self.refresh()

    # -- measuring and drawing

    def on_resize(self, event: events.Resize) -> None:
        del event
        self._forget()
        self._measure()
        self.refresh()

    def _measure(self, known: int = 0) -> None:
        """Lay the rows out; `known` of them stand where they stood."""
        width = max(8, self.scrollable_content_region.width - GUTTER)
        known = known if width == self._width else 0
        self._width = width
        starts = self._starts[: known + 1] if known else [0]
        at, paint, opened = starts[-1], self._paint, self._opened
        for row in self._rows[known:]:
            at += row.tall(width)
            if opened and row.key in opened:
                at += len(row.detail(width, paint))
            starts.append(at)
        self._starts = starts
        self.virtual_size = Size(self.scrollable_content_region.width, at)

    def _draw_changed(self, before: Sequence[Drawn]) -> None:
        """Refresh the rows in sight that differ from those before."""
        top = self.scroll_offset.y
        first = max(0, bisect_right(self._starts, top) - 1)
        last = bisect_right(self._starts, top + self.size.height)
        for index in range(len(self._rows)):
            if before[index] is not self._rows[index] and before[index] != self._rows[index]:
                self._drawn.pop(index, None)
                self._strips.clear()
                if first <= index < last:
                    self._refresh_row(index)

    def _refresh_row(self, index: int) -> None:
        top, bottom = self._starts[index], self._starts[index + 1]
        region = Region(0, top - self.scroll_offset.y, self.size.width, bottom - top)
        self.refresh(region)

    def render_line(self, y: int) -> Strip:
        """Return one line of the screen."""
        if self.app.theme != self._theme:
            self._theme = self.app.theme
            self._forget()
        width = self.scrollable_content_region.width
        line = self.scroll_offset.y + y
        if not self._rows and self._empty and y == 0:
            text = Text("  " + self._empty, self._paint.dim)
            return self._strip(text, width, self.rich_style)
        if line >= self._starts[-1]:
            return Strip.blank(width, self.rich_style)
        index = bisect_right(self._starts, line) - 1
        offset = line - self._starts[index]
        is_here = index == self._cursor and self._rows[index].is_choosable
        key = (index, offset, is_here, self.has_focus)
        found = self._strips.get(key)
        if found is None or found.cell_length != width:
            if len(self._strips) > _MOST_STRIPS:
                self._strips.clear()
            found = self._strips[key] = self._drawn_line(index, offset, width, is_here=is_here)
        return found

    def _drawn_line(self, index: int, offset: int, width: int, *, is_here: bool) -> Strip:
        lines = self._lines_of(index)
        text = lines[offset] if offset < len(lines) else Text()
        base = self.rich_style
        if is_here:
            base += self._paint.cursor if self.has_focus else self._paint.cursor_away
        lead = "▌ " if is_here and (self.has_focus or not self.can_focus) else "  "
        return self._strip(Text.assemble((lead, self._paint.accent), text), width, base)

    def _forget(self) -> None:
        """Draw every row anew when it is next seen."""
        self._drawn.clear()
        self._strips.clear()

    def _strip(self, text: Text, width: int, base: Style) -> Strip:
        segments = [one for one in text.render(self.app.console) if one.text != "\n"]
        strip = Strip(Segment.apply_style(segments, base))
        return strip.crop(0, width).extend_cell_length(width, base)

    def _lines_of(self, index: int) -> list[Text]:
        found = self._drawn.get(index)
        if found is None:
            row, paint = self._rows[index], self._paint
            found = list(row.lines(self._width, paint))
            if row.key in self._opened:
                found += row.detail(self._width, paint)
            if len(self._drawn) > 500:
                self._forget()
            self._drawn[index] = found
        return found

    @property
    def _paint(self) -> Palette:
        return palette(self.app.theme)

    # -- the cursor

    def _keep_cursor(self, held: str | None, *, at_end: bool) -> None:
        if at_end:
            self._cursor = max(0, len(self._rows) - 1)
            return
        if self._cursor < len(self._rows) and self._rows[self._cursor].key == held:
            return
        if held is not None:
            for index, row in enumerate(self._rows):
                if row.key == held:
                    self._cursor = index
                    return
        self._cursor = max(0, min(self._cursor, len(self._rows) - 1))
        if self.cursor_row is None:
            self._cursor = self._next(self._cursor, 1)

    def _next(self, index: int, step: int) -> int:
        """Return the nearest row from `index` on where the cursor may stop."""
        found = index
        while 0 <= found < len(self._rows):
            if self._rows[found].is_choosable:
                return found
            found += step
        return self._cursor

    def _go(self, index: int) -> None:
        if not self._rows:
            return
        before, self._cursor = self._cursor, index
        if before != index:
            self.post_message(self.Moved())
        for one in {before, index}:
            if one < len(self._rows):
                self._refresh_row(one)
        top, bottom = self._starts[index], self._starts[index + 1]
        height = self.size.height
        if index == self._next(0, 1):
            top = 0
        if top < self.scroll_offset.y or bottom - top > height:
            self.scroll_to(y=top, animate=False)
        elif bottom > self.scroll_offset.y + height:
            self.scroll_to(y=bottom - height, animate=False)

    def action_move(self, step: int) -> None:
        """Move the cursor a row."""
        self._go(self._next(max(0, min(len(self._rows) - 1, self._cursor + step)), step))

    def action_page(self, pages: int) -> None:
        """Move the cursor by what the screen shows."""
        wanted = self._starts[min(self._cursor, len(self._rows))] + pages * max(
            1, self.size.height - 1
        )
        index = bisect_right(self._starts, max(0, wanted)) - 1
        index = max(0, min(index, len(self._rows) - 1))
        self._go(self._next(index, pages))

    def action_edge(self, which: int) -> None:
        """Move the cursor to the first or the last row."""
        self._go(self._next(0, 1) if which == 0 else self._next(len(self._rows) - 1, -1))

    def action_choose(self) -> None:
        """Open the row's detail, or say that it was chosen."""
        row = self.cursor_row
        if row is None:
            return
        if not self._chooses and row.detail(self._width or 80, self._paint):
            self.toggle(row.key)
        else:
            self.post_message(self.Chosen(self, row.key))

    def on_click(self, event: events.Click) -> None:
        """Move the cursor to the row; on the row that has it, do as Enter does."""
        line = self.scroll_offset.y + event.y
        if line >= self._starts[-1]:
            return
        index = bisect_right(self._starts, line) - 1
        if not self._rows[index].is_choosable:
            return
        if index == self._cursor:
            self.action_choose()
        else:
            self._go(index)

    def on_focus(self) -> None:
        self._refresh_row_at_cursor()

    def on_blur(self) -> None:
        self._refresh_row_at_cursor()

    def _refresh_row_at_cursor(self) -> None:
        if self._cursor < len(self._rows):
            self._refresh_row(self._cursor)
