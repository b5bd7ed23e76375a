"""Lets a person say what the cause really was: a cause that petops knows, or their own words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from petops.domain.subject import ClusterName, Kind, Subject
from petops.tui.given import Cause
from petops.tui.palette import Palette, palette
from petops.tui.plain import fitted, plain
from petops.tui.widgets.row_list import RowList

NOTHING: Final = Cause(name="nothing", title="nothing was broken: the alarm was wrong")
_ON: Final = " on "


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """What a person says: the cause, on which object where they name one, and why."""

    mode: str
    subject: Subject | None
    because: str


@dataclass(frozen=True, slots=True)
class CauseRow:
    """One cause to choose."""

    cause: Cause

    is_choosable = True

    @property
    def key(self) -> str:
        return self.cause.name

    def tall(self, width: int) -> int:
        del width
        return 1

    def lines(self, width: int, paint: Palette) -> Sequence[Text]:
        name = min(26, max(12, width * 2 // 5))
        text = Text(fitted(self.cause.name, name) + " ", paint.strong)
        text.append(fitted(self.cause.title, max(1, width - name - 1)), paint.dim)
        return (text,)

    def detail(self, width: int, paint: Palette) -> Sequence[Text]:
        del width, paint
        return ()


class Correct(ModalScreen[Correction | None]):
    """Two lines: what it was, and why. It changes nothing in a cluster; Esc leaves it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Cancel"),
        Binding("down", "move(1)", show=False, priority=True),
        Binding("up", "move(-1)", show=False, priority=True),
    ]

    def __init__(self, said: str, causes: Sequence[Cause], cluster: ClusterName) -> None:
        super().__init__()
        self._said = said
        self._causes = (*causes, NOTHING)
        self._cluster = cluster
        self._mode = ""

    def compose(self) -> ComposeResult:
        box = Vertical(id="correct")
        box.border_title = "what was it really?"
        with box:
            yield Static(id="correct-said")
            words = "find it below, or your own words; ... on Deployment/default/name"
            yield Input(placeholder=words, id="correct-mode", max_length=300)
            yield RowList(id="correct-rows", empty="your own words: Enter takes them")
            yield Input(
                placeholder="how do you know? it stands in the record; Enter says it",
                id="correct-because",
                max_length=500,
            )

    def on_mount(self) -> None:
        paint = palette(self.app.theme)
        said = Text.assemble(("petops said  ", paint.dim), (plain(self._said), paint.strong))
        self.query_one("#correct-said", Static).update(said)
        self.query_one("#correct-rows", RowList).can_focus = False
        self.query_one("#correct-because", Input).display = False
        self.query_one("#correct-mode", Input).focus()
        self._show("")

    def _show(self, words: str) -> None:
        wanted = words.partition(_ON)[0].lower().split()
        rows = [
            CauseRow(one)
            for one in self._causes
            if all(word in f"{one.name} {one.title}".lower() for word in wanted)
        ]
        self.query_one("#correct-rows", RowList).show(rows)

    @on(Input.Changed, "#correct-mode")
    def _typed(self, event: Input.Changed) -> None:
        self._show(event.value)

    def action_move(self, step: int) -> None:
        """Choose another cause."""
        self.query_one("#correct-rows", RowList).action_move(step)

    @on(RowList.Chosen)
    def _clicked(self) -> None:
        self._taken(self.query_one("#correct-mode", Input).value)

    @on(Input.Submitted, "#correct-mode")
    def _entered(self, event: Input.Submitted) -> None:
        self._taken(event.value)

    def _taken(self, typed: str) -> None:
        row = self.query_one("#correct-rows", RowList).cursor_row
        words, _, about = typed.partition(_ON)
        mode = row.cause.name if isinstance(row, CauseRow) else words.strip()
        if not mode or (about and subject_in(about, self._cluster) is None):
            self.query_one("#correct-mode", Input).add_class("-wrong")
            return
        self._mode = mode + (f"{_ON}{about}" if about else "")
        line = self.query_one("#correct-mode", Input)
        line.value, line.disabled = self._mode, True
        because = self.query_one("#correct-because", Input)
        because.display = True
        because.focus()

    @on(Input.Submitted, "#correct-because")
    def _said_why(self, event: Input.Submitted) -> None:
        mode, _, about = self._mode.partition(_ON)
        subject = subject_in(about, self._cluster) if about else None
        self.dismiss(Correction(mode=mode, subject=subject, because=event.value.strip()))

    def action_cancel(self) -> None:
        """Leave the verdict as it is."""
        self.dismiss(None)


def subject_in(text: str, cluster: ClusterName) -> Subject | None:
    """Return the object written as Kind/namespace/name, or Node/name; None for what is none."""
    kind, *rest = text.strip().split("/")
    kinds = {one.value.casefold(): one for one in Kind}
    if kind.casefold() not in kinds or len(rest) not in {1, 2} or not all(rest):
        return None
    *namespace, name = rest
    return Subject(
        cluster=cluster, kind=kinds[kind.casefold()], namespace="".join(namespace), name=name
    )
