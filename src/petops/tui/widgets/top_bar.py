"""The first line of every screen: which engines, what is open, what time it is."""

from __future__ import annotations

from collections import Counter

from rich.cells import cell_len
from rich.text import Text
from textual.widget import Widget

from petops.domain.alarm import Priority
from petops.tui.desk import Desk
from petops.tui.feed import Link
from petops.tui.palette import Palette, palette
from petops.tui.plain import plain
from petops.tui.wording import NEEDS_PERSON, is_over, is_snoozed

_LINKS = {Link.CONNECTING: "◌", Link.FOLLOWING: "●", Link.LOST: "✗"}


class TopBar(Widget):
    """Engines on the left, counts in the middle, the time on the right."""

    DEFAULT_CSS = "TopBar { height: 1; background: $panel; }"

    def __init__(self, desk: Desk, title: str) -> None:
        super().__init__()
        self._desk = desk
        self.title = title
        self._line = Text()

    def refresh_view(self) -> None:
        """Draw the line anew where it differs."""
        line = self._made()
        if line != self._line:
            self._line = line
            self.refresh()

    def render(self) -> Text:
        if not self._line or self._line.cell_len != self.size.width:
            self._line = self._made()
        return self._line

    def _made(self) -> Text:
        """Return the line, leaving out from the middle what does not fit."""
        paint = palette(self.app.theme)
        width = self.size.width
        now = self._desk.now()
        clock = f"{self._desk.times.moment(now)} "
        left = Text.assemble((" petops ", paint.strong + paint.accent))
        room = width - left.cell_len - cell_len(clock)
        for part in (self._engines(paint), self._title(paint), self._counts(paint)):
            if part.cell_len <= room:
                left.append_text(part)
                room -= part.cell_len
        left.append(" " * max(0, room))
        left.append(clock[: max(0, width - left.cell_len)], paint.dim)
        left.truncate(max(1, width))
        return left

    def _title(self, paint: Palette) -> Text:
        return Text.assemble(("▸ ", paint.faint), (f"{self.title}  ", paint.strong))

    def _engines(self, paint: Palette) -> Text:
        text = Text()
        for index, feed in enumerate(self._desk.feeds):
            tone = paint.engines[index % len(paint.engines)]
            sign = _LINKS[feed.link]
            text.append(f"{sign} ", paint.bad if feed.link is Link.LOST else tone)
            if feed.is_production:
                text.append(f" PROD {plain(feed.name)} ", paint.production)
            else:
                text.append(plain(feed.name), tone)
            text.append("  ")
        return text

    def _counts(self, paint: Palette) -> Text:
        now = self._desk.now()
        held = [
            one
            for feed in self._desk.feeds
            for one in feed.board.incidents.values()
            if not is_over(one) and not is_snoozed(one, now)
        ]
        by_priority = Counter(one.assessment.priority for one in held)
        text = Text()
        for priority in Priority:
            if by_priority[priority]:
                text.append(f" {priority} ", paint.badges[priority])
                text.append(f" {by_priority[priority]}  ", paint.text)
        waiting = sum(one.phase in NEEDS_PERSON for one in held)
        if waiting:
            text.append(f"▶ {waiting} for you  ", paint.accent)
        if not held and self._desk.is_informed:
            text.append("✓ nothing open  ", paint.good)
        return text


class Banner(Widget):
    """Says which engine is lost, since when, and that it is being tried; else it is not there."""

    DEFAULT_CSS = """
    Banner { height: auto; max-height: 3; background: $error 30%; display: none; }
    Banner.-lost { display: block; }
    """

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self._desk = desk
        self._shown: tuple[tuple[str, str], ...] = ()

    def refresh_view(self) -> None:
        """Show or hide it; what it says may take more lines or fewer."""
        lost = tuple((one.name, one.why) for one in self._desk.lost)
        if lost != self._shown:
            self._shown = lost
            self.set_class(bool(lost), "-lost")
            self.refresh(layout=True)

    def render(self) -> Text:
        paint = palette(self.app.theme)
        text = Text()
        for feed in self._desk.lost:
            if text:
                text.append("\n")
            since = self._desk.times.moment(feed.since)
            text.append(f" ✗ {plain(feed.name)} lost ", paint.strong + paint.bad)
            text.append(f"since {since}, trying again: {plain(feed.why)}.", paint.text)
            text.append(" What you see is as it was then.", paint.dim)
        return text
