"""What every screen has: the top bar, the banner, the keys below, and being told of changes."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import ActiveBinding, Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import Screen
from textual.widgets import Footer, Static

from petops.errors import PetopsError
from petops.tui.desk import Desk
from petops.tui.plain import plain
from petops.tui.widgets.top_bar import Banner, TopBar

TICK_SECONDS = 1.0
SAID_SECONDS = 6.0
PLACED_SECONDS = 0.05


class DeskScreen(Screen[None]):
    """A screen on the desk. It draws itself anew when something changed, and once a second."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "app.back", "Back", show=False),
        Binding("question_mark", "app.help", "Help", show=False),
        Binding("colon", "app.command", "Command", show=False),
    ]

    title_words = ""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self.desk = desk
        self.top_bar = TopBar(desk, self.title_words)
        self.banner = Banner(desk)
        self._drawn: dict[str, Text] = {}
        self._idle: frozenset[str] = frozenset()

    def compose(self) -> ComposeResult:
        yield self.top_bar
        yield self.banner
        with Vertical(id="body"):
            yield from self.body()
        with Horizontal(id="keys"):
            yield Footer(show_command_palette=False, compact=True)
            yield Static(Text(" : cmd  ? help "), id="keys-right")

    def body(self) -> ComposeResult:
        """Yield what stands between top bar and keys."""
        yield from ()

    def on_mount(self) -> None:
        self.desk.listen(self.heard)
        self.set_interval(TICK_SECONDS, self.heard)
        self.heard()

    def on_unmount(self) -> None:
        self.desk.forget(self.heard)

    def on_resize(self) -> None:
        """Draw for the new size; once more when panes have been placed anew."""
        self.call_after_refresh(self.heard)
        self.set_timer(PLACED_SECONDS, self.heard)

    def on_screen_resume(self) -> None:
        self.heard()

    def heard(self) -> None:
        """Draw anew what may have changed; a screen below another one waits until it is on top.

        While the app ends its widgets go one by one.
        """
        if self.app.is_running and self.is_attached and self.is_current:
            self.top_bar.refresh_view()
            self.banner.refresh_view()
            self.show()

            self._name_keys()

    def show(self) -> None:
        """Draw what this screen is about."""

    def idle(self) -> frozenset[str]:
        """Return the actions that have nothing to act on now."""
        return frozenset()

    @property
    def active_bindings(self) -> dict[str, ActiveBinding]:
        """The keys, of which those that have nothing to act on are not named below.

        They answer all the same, with why there is nothing to do.
        """
        return {
            key: one._replace(binding=replace(one.binding, show=False))
            if one.binding.action in self._idle
            else one
            for key, one in super().active_bindings.items()
        }

    def _name_keys(self) -> None:
        idle = self.idle()
        if idle != self._idle:
            self._idle = idle
            self.refresh_bindings()

    def draw(self, selector: str, text: Text, *, layout: bool = False) -> None:
        """Draw a text where it differs from the one that is there: most are told again as is."""
        before = self._drawn.get(selector)
        if before is None or before != text or before.style != text.style:
            self._drawn[selector] = text
            self.query_one(selector, Static).update(text, layout=layout)

    def say(self, text: str, *, bad: bool = False) -> None:
        """Say something for a moment; what came from a cluster is not markup."""
        told = plain(text)
        self.app.clear_notifications()
        self.app.notify(
            told, severity="error" if bad else "information", markup=False, timeout=SAID_SECONDS
        )

    def said(self, problem: PetopsError) -> None:
        """Say what went wrong, and what helps."""
        hint = f" ({problem.hint})" if problem.hint else ""
        self.say(problem.message + hint, bad=True)
