"""The line for `:` commands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen
from textual.suggester import SuggestFromList
from textual.widgets import Input


class CommandLine(ModalScreen[str | None]):
    """Gives the line that was typed, None where it was left. Tab or → takes the suggestion."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "cancel", "Cancel")]

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        self._names = names

    def compose(self) -> ComposeResult:
        suggester = SuggestFromList(self._names, case_sensitive=False)
        yield Input(
            placeholder="command, for example: incident 12 · snooze 1h · theme light",
            suggester=suggester,
            id="command-input",
            max_length=300,
            select_on_focus=False,
        )

    def on_mount(self) -> None:
        line = self.query_one(Input)
        line.border_title = ":"
        line.focus()

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        self.dismiss(event.value.strip().lstrip(":"))

    def key_tab(self) -> None:
        """Take the suggestion."""
        self.query_one(Input).action_cursor_right()

    def action_cancel(self) -> None:
        """Leave it."""
        self.dismiss(None)
