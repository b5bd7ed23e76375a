"""Keys and commands, those of the screen below first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen, Screen
from textual.widgets import Static

from petops.tui.palette import Palette, palette
from petops.tui.plain import wrapped

_EVERYWHERE = (
    (":", "commands"),
    ("?", "this help"),
    ("ctrl+p", "palette: every command by name"),
    ("j k ↑ ↓", "move; g and G go to the ends"),
    ("tab", "the next pane"),
    ("t", "the next theme"),
    ("esc", "back"),
    ("q", "back, and quit from the board"),
)
_SIGNS = (
    ("▶ needs approval", "waits for you"),
    ("◐ mitigated", "the symptom is gone, the cause is not: it will be back"),
    ("✓ verified", "gone, and it stayed gone while it was watched"),
    ("█ ─", "in a trace: a step's own time, and its waiting for what it called"),
    ("+ - ?", "speaks for it, against it, could not be measured"),
)


_KNOWN = {key for key, _ in _EVERYWHERE} - {"tab"}
_KEYS = 24
_WIDTH, _FRAME = 84, 8  # as the style sheet has them
_TEXTUALS = {"", "Focus Next", "Focus Previous", "Copy selected text", "Minimize"}


class HelpScreen(ModalScreen[None]):
    """Any key that leaves a screen leaves it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,enter", "dismiss", "Back"),
        Binding("j,down", "scroll(1)", show=False),
        Binding("k,up", "scroll(-1)", show=False),
    ]

    def __init__(self, below: Screen[Any], commands: Sequence[tuple[str, str]]) -> None:
        super().__init__()
        self._below = below
        self._commands = commands

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="help") as box:
            box.border_title = "keys and commands"
            box.border_subtitle = "esc"
            yield Static()

    def on_mount(self) -> None:
        self.on_resize()

    def on_resize(self) -> None:
        """Lay the words out for the width."""
        width = min(_WIDTH, self.size.width * 96 // 100) - _FRAME
        self.query_one(Static).update(self._text(palette(self.app.theme), width))

    def _text(self, paint: Palette, width: int) -> Text:
        text = Text()
        here = [
            (self.app.get_key_display(one.binding), one.tooltip or one.binding.description)
            for one in self._below.active_bindings.values()
            if one.node is self._below
            and one.binding.description not in _TEXTUALS
            and self.app.get_key_display(one.binding) not in _KNOWN
        ]
        parts = (
            ("this screen", here),
            ("everywhere", _EVERYWHERE),
            ("signs", _SIGNS),
            ("commands, after a colon", self._commands),
        )
        for name, rows in parts:
            text.append(f"{name}\n", paint.heading)
            for key, what in rows:
                first, *others = wrapped(what, max(8, width - _KEYS))
                text.append(f"  {key:<{_KEYS - 2}}", paint.accent)
                text.append(f"{first}\n", paint.text)
                for one in others:
                    text.append(f"{' ' * _KEYS}{one}\n", paint.text)
            text.append("\n")
        text.append(
            "Nothing in a cluster changes before you have typed a word that the question asks for.",
            paint.dim,
        )
        return text

    def action_scroll(self, lines: int) -> None:
        """Scroll."""
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)
