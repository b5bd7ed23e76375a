"""Every setting with its origin, and a person's own choices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from petops.tui.drawn import Heading, Paragraph, labelled
from petops.tui.given import Setting
from petops.tui.palette import Palette
from petops.tui.plain import fitted
from petops.tui.screens.base import DeskScreen
from petops.tui.widgets.row_list import RowList


@dataclass(frozen=True, slots=True)
class SettingRow:
    """One setting; Enter says what it is about."""

    setting: Setting

    is_choosable = True

    @property
    def key(self) -> str:
        return self.setting.name

    def tall(self, width: int) -> int:
        del width
        return 1

    def lines(self, width: int, paint: Palette) -> Sequence[Text]:
        is_usual = self.setting.origin == "default"
        name = min(32, max(12, width // 3))
        origin = min(40, max(10, width // 4))
        text = Text(fitted(self.setting.name, name) + " ", paint.text)
        value = fitted(self.setting.value or "-", max(1, width - name - origin - 2))
        text.append(value + " ", paint.dim if is_usual else paint.accent)
        text.append(fitted(self.setting.origin, origin), paint.faint if is_usual else paint.info)
        return (text,)

    def detail(self, width: int, paint: Palette) -> Sequence[Text]:
        lines = labelled("about", self.setting.about, width, paint)
        lines += labelled("value", self.setting.value or "-", width, paint)
        return [*lines, *labelled("from", self.setting.origin, width, paint)]


class SettingsScreen(DeskScreen):
    """Read only: settings are a file and variables. Choices are changed by their commands."""

    title_words = "settings"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("t", "app.theme", "Theme"),
        Binding("b", "bell", "Bell"),
    ]

    def body(self) -> ComposeResult:
        yield RowList(id="settings-rows")

    def on_mount(self) -> None:
        self.query_one(RowList).focus()

    def show(self) -> None:
        """Draw choices and settings."""
        choices, moment = self.desk.kept.choices, self.desk.now()
        mine = (
            Setting(name="theme", value=self.app.theme, origin="kept", about="t, or :theme NAME"),
            Setting(
                name="bell",
                value="on" if choices.bell else "off",
                origin="kept",
                about="b, or :bell",
            ),
            Setting(name="filter", value=choices.words, origin="kept", about="/, or :filter WORDS"),
            Setting(name="order", value=choices.order, origin="kept", about="s, or :sort COLUMN"),
            Setting(
                name="times",
                value=self.desk.times.offset(moment),
                origin="--utc" if self.desk.times.zone else "this machine",
                about="petops tui --utc shows UTC",
            ),
        )
        rows: list[Heading | Paragraph | SettingRow] = [Heading("h-mine", "your choices")]
        rows += [SettingRow(one) for one in mine]
        rows.append(Heading("h-settings", "settings of this petops"))
        rows += [SettingRow(one) for one in self.desk.given.settings]
        if not self.desk.given.settings:
            rows.append(
                Paragraph("none", "The engine is somewhere else: so are its settings.", "dim")
            )
        self.query_one(RowList).show(rows)

    def action_bell(self) -> None:
        """Ring for a new P1, or do not."""
        self.desk.kept.change(bell=not self.desk.kept.choices.bell)
        self.show()
