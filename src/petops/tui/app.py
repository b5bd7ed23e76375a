"""The dashboard itself: follows the engines, opens screens, and takes `:` commands."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar, Final

from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.filter import LineFilter
from textual.screen import Screen

from petops.domain.alarm import Priority
from petops.tui import commands
from petops.tui.desk import Desk
from petops.tui.feed import Feed, Link, Ref
from petops.tui.glyphs import AsciiOnly, Colourless
from petops.tui.palette import DARK, NO_COLOUR, themes
from petops.tui.plain import plain
from petops.tui.screens.approval import ApprovalScreen
from petops.tui.screens.board import BoardScreen
from petops.tui.screens.incident import IncidentScreen
from petops.tui.wording import is_over, is_snoozed, workload

COLLECT: Final = (20_000, 20, 100)
_KEYS_IN_ASCII: Final = {"⏎": "enter", "→": "right", "←": "left", "↑": "up", "↓": "down"}


class Dashboard(App[None]):
    """petops on a terminal."""

    CSS_PATH = "petops.tcss"
    TITLE = "petops"
    ENABLE_COMMAND_PALETTE = True
    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012 - as Textual declares it
        (0, "-narrow"),
        (110, "-wide"),
        (180, "-broad"),
    ]
    VERTICAL_BREAKPOINTS = [(0, "-low"), (16, "-tall")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+c,ctrl+q", "quit", "Quit", show=False, priority=True),
        Binding("q", "leave", "Quit", show=False),
        Binding("t", "theme", "Theme", show=False),
    ]

    def __init__(self, desk: Desk, *, incident: str = "", no_colour: bool = False) -> None:
        self._colourless = Colourless()
        self._ascii = AsciiOnly()
        super().__init__()
        self.desk = desk
        self._incident = incident
        self._known_p1: dict[str, set[str]] = {}
        for theme in themes():
            self.register_theme(theme)
        wanted = NO_COLOUR if no_colour else desk.kept.choices.theme
        self.theme = wanted if wanted in self.available_themes else DARK

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Return what every line goes through: without colour, without UTF-8."""
        filters = list(super().get_line_filters())
        if self.theme == NO_COLOUR:
            filters.append(self._colourless)
        if self.desk.ascii_only:
            filters.append(self._ascii)
        return filters

    def get_key_display(self, binding: Binding) -> str:
        """Return a key's name; without UTF-8 one that can be typed as it is read."""
        shown = super().get_key_display(binding)
        return _KEYS_IN_ASCII.get(shown, shown) if self.desk.ascii_only else shown

    def on_mount(self) -> None:
        # A board of a thousand incidents is a million objects that live for hours: looking through
        # them all for garbage takes longer than a key may.
        gc.freeze()
        gc.set_threshold(*COLLECT)
        self.set_class(self.theme == NO_COLOUR, "-no-colour")
        self.push_screen(BoardScreen(self.desk))
        for feed in self.desk.feeds:
            self.run_worker(feed.follow(self._changed), name=f"follow {feed.name}")

    def _changed(self, feed: Feed) -> None:
        """Ring for what is new and urgent, open what was asked for, and tell the screens."""
        self._ring(feed)
        if self._incident and feed.link is Link.FOLLOWING:
            ref = self.desk.found(self._incident)
            if ref is not None:
                self._incident = ""
                self.open_incident(ref)
        self.desk.changed()

    def _ring(self, feed: Feed) -> None:
        """Ring the bell for a P1 that was not there before."""
        if feed.link is not Link.FOLLOWING:
            return
        now = self.desk.now()
        urgent = {
            one.id
            for one in feed.board.incidents.values()
            if one.assessment.priority is Priority.P1
            and not is_over(one)
            and not is_snoozed(one, now)
        }
        known = self._known_p1.get(feed.name)
        self._known_p1[feed.name] = urgent | (known or set())
        new = sorted(urgent - known) if known is not None else []
        if not new:
            return
        if self.desk.kept.choices.bell:
            self.bell()
        for one in new[:3]:
            told = f"P1 {one} {workload(feed.board.incidents[one])}"
            self.notify(plain(told), title="new P1", severity="error", markup=False)

    # -- going from screen to screen

    def open_incident(self, ref: Ref) -> None:
        """Open an incident, or go back to it where it is open already."""
        self._open(
            lambda one: isinstance(one, IncidentScreen) and one.ref == ref,
            lambda: IncidentScreen(self.desk, ref),
        )

    def open_approval(self, ref: Ref) -> None:
        """Open what is on offer for an incident."""
        self._open(
            lambda one: isinstance(one, ApprovalScreen) and one.ref == ref,
            lambda: ApprovalScreen(self.desk, ref),
        )

    def open_screen(self, kind: type[Screen[None]], made: Callable[[], Screen[None]]) -> None:
        """Open a screen, or go back to it where it is open already."""
        self._open(lambda one: isinstance(one, kind), made)

    def _open(
        self, is_wanted: Callable[[Screen[object]], bool], made: Callable[[], Screen[None]]
    ) -> None:
        held = [index for index, one in enumerate(self.screen_stack) if is_wanted(one)]
        if not held:
            self.push_screen(made())
            return
        for _ in range(len(self.screen_stack) - 1 - held[-1]):
            self.pop_screen()

    @property
    def chosen(self) -> Ref | None:
        """The incident that the screen on top has chosen."""
        found = getattr(self.screen, "chosen", None)
        return found if isinstance(found, Ref) else None

    @property
    def board_screen(self) -> BoardScreen:
        """The board, at the bottom of the stack."""
        return next(one for one in self.screen_stack if isinstance(one, BoardScreen))

    async def action_back(self) -> None:
        """Leave a line that is open, else the screen; the board is never left so."""
        leave = getattr(self.screen, "leave", None)
        if leave is not None and leave():
            return
        if len(self.screen_stack) > 2:
            self.pop_screen()

    async def action_leave(self) -> None:
        """Quit from the board, go back from anywhere else."""
        if len(self.screen_stack) > 2:
            self.pop_screen()
        else:
            self.exit()

    def action_theme(self) -> None:
        """Take the next theme."""
        names = [one.name for one in themes()]
        index = names.index(self.theme) if self.theme in names else -1
        self.themed(names[(index + 1) % len(names)])

    def themed(self, name: str) -> None:
        """Take a theme, and remember it."""
        self.theme = name
        self.set_class(name == NO_COLOUR, "-no-colour")
        self.desk.kept.change(theme=name)
        commands.repaint(self)

    def action_board(self) -> None:
        """Go to the board."""
        commands.run(self, "board")

    def action_help(self) -> None:
        """Show the keys and commands."""
        commands.run(self, "help")

    def action_command(self) -> None:
        """Open the line for commands."""
        commands.ask(self)

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Yield every command for the palette."""
        yield from commands.palette_entries(self, screen)
