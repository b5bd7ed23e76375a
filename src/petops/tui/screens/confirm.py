"""Asks before anything changes: names cluster, namespace, target, and wants more than one key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from petops.domain.subject import Subject
from petops.tui.palette import Palette, palette
from petops.tui.plain import plain

SHORT = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is to be confirmed.

    `word` has to be typed; `wants_reason` takes a free text in its place.
    """

    verb: str
    summary: str
    subject: Subject | None
    engine: str
    production: bool = False
    word: str = ""
    wants_reason: bool = False
    notes: tuple[str, ...] = ()


class Confirm(ModalScreen[str | None]):
    """Gives what was typed once it is confirmed, None where it is not."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Cancel"),
    ]

    def __init__(self, question: Question) -> None:
        super().__init__()
        self._question = question

    def compose(self) -> ComposeResult:
        box = Vertical(id="confirm")
        box.border_title = self._question.verb
        box.set_class(self._question.production, "-production")
        with box:
            with VerticalScroll(id="confirm-what", can_focus=False):
                yield Static(id="confirm-text")
            yield Input(placeholder=self._placeholder(), id="confirm-input", max_length=500)

    def on_mount(self) -> None:
        short = self.app.size.height < SHORT
        text = told(self._question, palette(self.app.theme), short=short)
        self.query_one("#confirm-text", Static).update(text)
        self.query_one(Input).focus()

    def _placeholder(self) -> str:
        if self._question.wants_reason:
            return "why? it stands in the record; Enter confirms, Esc cancels"
        return f"type {self._question.word} and Enter; Esc cancels"

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        typed = event.value.strip()
        if self._question.wants_reason:
            if typed:
                self.dismiss(typed)
                return
        elif typed.lower() == self._question.word.lower():
            self.dismiss(typed)
            return
        event.input.add_class("-wrong")
        event.input.value = ""

    def action_cancel(self) -> None:
        """Leave everything as it is."""
        self.dismiss(None)


def told(question: Question, paint: Palette, *, short: bool) -> Text:
    """Return what is about to happen, and where; `short` spares the lines between."""
    text = Text()
    if question.production:
        text.append(" PRODUCTION ", paint.production)
        text.append("\n")
    text.append(plain(question.summary) + "\n", paint.strong)
    rows = []
    if question.subject is not None:
        subject = question.subject
        rows = [
            ("target", f"{subject.kind} {subject.name}"),
            ("namespace", subject.namespace or "none"),
            ("cluster", str(subject.cluster)),
        ]
    rows.append(("engine", question.engine))
    gap = "" if short else "\n"
    for index, (name, value) in enumerate(rows):
        text.append(f"{gap if not index else ''}{name:<10} ", paint.dim)
        text.append(plain(value) + "\n", paint.accent if name == "target" else paint.text)
    for note in question.notes:
        text.append(f"{plain(note)}\n", paint.dim)
    if question.word and not short:
        text.append("\nType ", paint.dim)
        text.append(question.word, paint.strong)
        text.append(" to go on.", paint.dim)
    return text
