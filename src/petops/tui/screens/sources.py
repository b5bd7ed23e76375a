"""How each integration fares: the engines, what was checked, and what the journal shows."""

from __future__ import annotations

import asyncio
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
from petops.tui.wording import health


@dataclass(frozen=True, slots=True)
class HealthRow:
    """One integration."""

    key: str
    health: Health

    is_choosable = True

    def tall(self, width: int) -> int:
        del width
        return 1

    def lines(self, width: int, paint: Palette) -> Sequence[Text]:
        wording = health(self.health.verdict)
        text = Text.assemble((f"{wording.sign} {wording.words:<8}", paint.tone(wording.tone)))
        text.append(fitted(self.health.name, 20) + " ", paint.strong)
        text.append(fitted(self.health.says, max(1, width - 31)), paint.text)
        return (text,)

    def detail(self, width: int, paint: Palette) -> Sequence[Text]:
        lines = labelled("says", self.health.says, width, paint)
        return lines + (
            labelled("hint", self.health.hint, width, paint) if self.health.hint else []
        )


class SourcesScreen(DeskScreen):
    """Each engine looks at its own when this is opened, and with `r`."""

    title_words = "sources"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("r", "check", "Check again")]

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._is_checking = False

    def body(self) -> ComposeResult:
        yield RowList(id="sources-rows")

    def on_mount(self) -> None:
        self.query_one(RowList).focus()
        self.action_check()

    @work(exclusive=True)
    async def action_check(self) -> None:
        """Have every engine look at its integrations again."""
        self._is_checking = True
        self.show()
        await asyncio.gather(*(feed.look() for feed in self.desk.feeds))
        self._is_checking = False
        self.show()

    def show(self) -> None:
        """Draw engines, their integrations, and what the journals show."""
        rows: list[Heading | Paragraph | HealthRow] = [Heading("h-engines", "engines")]
        rows += [HealthRow(f"engine-{one.name}", one) for one in self._engines()]
        for feed in self.desk.feeds:
            name = f"integrations of {feed.name}" + (", checking …" if self._is_checking else "")
            rows.append(Heading(f"h-{feed.name}", name))
            rows += [HealthRow(f"{feed.name}-{one.name}", one) for one in feed.health]
            if not feed.health and not self._is_checking:
                why = f": {feed.health_unknown}" if feed.health_unknown else ""
                note = f"This engine does not say how its integrations fare{why}."
                rows.append(Paragraph(f"none-{feed.name}", note, "dim"))
        rows.append(Heading("h-seen", "as incidents saw them"))
        seen = [HealthRow(f"seen-{one.name}", one) for one in self._seen()]
        rows += seen or [Paragraph("unseen", "No incident has asked a source yet.", "dim")]
        self.query_one(RowList).show(rows)

    def _engines(self) -> Iterable[Health]:
        for feed in self.desk.feeds:
            ok = feed.link is Link.FOLLOWING
            since = self.desk.times.moment(feed.since)
            says = f"{feed.link} since {since}, entry {feed.board.seq}"
            hint = feed.why if not ok else ""
            yield Health(name=feed.name, verdict="ok" if ok else "broken", says=says, hint=hint)

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
        return Health(
            name=name, verdict="ok", says=f"answered {age((now - good).total_seconds())} ago"
        )
    if bad is None:
        return Health(name=name, verdict="unknown", says="was not asked yet")
    says = f"no answer {age((now - bad[0]).total_seconds())} ago: {bad[1]}"
    return Health(name=name, verdict="broken", says=says)
