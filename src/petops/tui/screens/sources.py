"""How each integration fares: the engines, what was checked, and what the journal shows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from petops.domain import events as ev
from petops.domain.incident import Incident
from petops.tui.desk import Desk
from petops.tui.drawn import Heading, Paragraph, labelled
from petops.tui.feed import Link
from petops.tui.given import Health
from petops.tui.palette import Palette
from petops.tui.plain import fitted
from petops.tui.screens.base import DeskScreen
from petops.tui.times import age
from petops.tui.widgets.row_list import RowList

_SIGNS = {
    True: ("●", "good", "good"),
    False: ("✗", "not well", "bad"),
    None: ("?", "unknown", "warn"),
}


@dataclass(frozen=True, slots=True)
class HealthRow:
    """One integration."""

    health: Health

    is_choosable = True

    @property
    def key(self) -> str:
        return self.health.name

    def tall(self, width: int) -> int:
        del width
        return 1

    def lines(self, width: int, paint: Palette) -> Sequence[Text]:
        sign, words, tone = _SIGNS[self.health.ok]
        text = Text(f"{sign} {words:<9}", paint.tone(tone))
        text.append(fitted(self.health.name, 18) + " ", paint.strong)
        text.append(fitted(self.health.says, max(1, width - 30)), paint.text)
        return (text,)

    def detail(self, width: int, paint: Palette) -> Sequence[Text]:
        lines = labelled("says", self.health.says, width, paint)
        return lines + (
            labelled("hint", self.health.hint, width, paint) if self.health.hint else []
        )


class SourcesScreen(DeskScreen):
    """Checked when it is opened, and with `r`; what the journal shows costs nothing."""

    title_words = "sources"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("r", "check", "Check again")]

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._checked: Sequence[Health] = ()
        self._is_checking = False

    def body(self) -> ComposeResult:
        yield RowList(id="sources-rows")

    def on_mount(self) -> None:
        self.query_one(RowList).focus()
        self.action_check()

    @work(exclusive=True)
    async def action_check(self) -> None:
        """Look at every integration again."""
        if self.desk.given.check_health is None:
            return
        self._is_checking = True
        self.show()
        self._checked = await self.desk.given.check_health()
        self._is_checking = False
        self.show()

    def show(self) -> None:
        """Draw the three parts."""
        rows: list[Heading | Paragraph | HealthRow] = [Heading("h-engines", "engines")]
        rows += [HealthRow(one) for one in self._engines()]
        rows.append(
            Heading("h-checked", "integrations" + (", checking …" if self._is_checking else ""))
        )
        rows += [HealthRow(one) for one in self._checked]
        if not self._checked and not self._is_checking:
            rows.append(Paragraph("none", "Nothing here looks at integrations by itself.", "dim"))
        rows.append(Heading("h-seen", "as incidents saw them"))
        seen = [HealthRow(one) for one in self._seen()]
        rows += seen or [Paragraph("unseen", "No incident has asked a source yet.", "dim")]
        self.query_one(RowList).show(rows)

    def _engines(self) -> Iterable[Health]:
        for feed in self.desk.feeds:
            ok = feed.link is Link.FOLLOWING
            since = self.desk.times.moment(feed.since)
            says = f"{feed.link} since {since}, entry {feed.board.seq}"
            hint = feed.why if not ok else ""
            yield Health(name=f"{feed.name} ", ok=ok, says=says, hint=hint)

    def _seen(self) -> list[Health]:
        """Return for each source when it last answered, and when it last did not."""
        good: dict[str, datetime] = {}
        bad: dict[str, tuple[datetime, str]] = {}
        for feed in self.desk.feeds:
            for incident in feed.board.incidents.values():
                _look(incident, good, bad)
        now = self.desk.now()
        return [_health(name, good.get(name), bad.get(name), now) for name in sorted({*good, *bad})]


def _look(
    incident: Incident, good: dict[str, datetime], bad: dict[str, tuple[datetime, str]]
) -> None:
    for entry in incident.history:
        match entry.event:
            case ev.StepAnswered(at=at, answer=answer):
                for asked in answer.asked:
                    good[asked.source] = max(at, good.get(asked.source, at))
            case ev.StepUnanswered(at=at, unknown=unknown):
                for asked in unknown.asked:
                    if asked.source not in bad or bad[asked.source][0] < at:
                        bad[asked.source] = (at, unknown.why)


def _health(
    name: str, good: datetime | None, bad: tuple[datetime, str] | None, now: datetime
) -> Health:
    if good is not None and (bad is None or bad[0] <= good):
        return Health(name=name, ok=True, says=f"answered {age((now - good).total_seconds())} ago")
    if bad is None:
        return Health(name=name, ok=None, says="was not asked yet")
    says = f"no answer {age((now - bad[0]).total_seconds())} ago: {bad[1]}"
    return Health(name=name, ok=False, says=says)
