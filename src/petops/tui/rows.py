"""Incidents as rows of the board: which columns fit, what stands in them, in which order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from rich.text import Text

from petops.domain.incident import Incident
from petops.tui.feed import Feed, Ref
from petops.tui.palette import Palette
from petops.tui.plain import fitted
from petops.tui.times import age
from petops.tui.wording import (
    NEEDS_PERSON,
    PHASES,
    badge,
    bar,
    cause_of,
    is_over,
    is_snoozed,
    workload,
)


@dataclass(frozen=True, slots=True)
class Column:
    """A column. A width of 0 shares what is left; `from_width` is where it begins to show."""

    name: str
    heading: str
    width: int
    from_width: int = 0
    to_width: int = 10_000


_COLUMNS: Final = (
    Column("priority", "P", 5),
    Column("id", "incident", 10, 56),
    Column("engine", "engine", 16, 90),
    Column("age", "age", 5),
    Column("sign", "", 2, to_width=50),
    Column("phase", "phase", 17, 50),
    Column("category", "category", 13, 116),
    Column("workload", "workload", 0),
    Column("cause", "cause", 0, 76),
    Column("confidence", "confidence", 11, 76),
    Column("who", "on it", 14, 132),
)


def columns(width: int, *, several: bool) -> tuple[tuple[Column, int], ...]:
    """Return the columns that fit, each with its width."""
    shown = [
        one
        for one in _COLUMNS
        if one.from_width <= width < one.to_width and (several or one.name != "engine")
    ]
    left = max(0, width - sum(one.width for one in shown))
    sharing = [one for one in shown if one.width == 0]
    widths = {one.name: one.width for one in shown}
    for index, one in enumerate(sharing):
        share = left * (3 if one.name == "workload" else 2) // (5 if len(sharing) > 1 else 3)
        widths[one.name] = left if index == len(sharing) - 1 else share
        left -= widths[one.name]
    return tuple((one, widths[one.name]) for one in shown)


def heading(width: int, order: str, paint: Palette, *, several: bool) -> Text:
    """Return the line above the table; the column that orders it is marked."""
    text = Text("  ")
    for column, cells in columns(width, several=several):
        mark = "▾" if order == column.name else ""
        text.append(fitted(column.heading + mark, cells), paint.heading)
    return text


@dataclass(frozen=True, slots=True)
class IncidentRow:
    """One incident on the board, with all that its line shows."""

    ref: Ref
    incident: Incident
    age_text: str
    snoozed: str
    several: bool
    engine_index: int
    production: bool

    is_choosable = True

    @property
    def key(self) -> str:
        return f"{self.ref.engine}\t{self.ref.incident}"

    def __eq__(self, other: object) -> bool:
        """Compare by identity of the incident: comparing histories would take long."""
        return (
            isinstance(other, IncidentRow)
            and self.incident is other.incident
            and self.age_text == other.age_text
            and self.snoozed == other.snoozed
            and self.production == other.production
            and self.ref == other.ref
        )

    def __hash__(self) -> int:
        return hash(self.ref)

    def tall(self, width: int) -> int:
        del width
        return 1

    def detail(self, width: int, paint: Palette) -> Sequence[Text]:
        del width, paint
        return ()

    def lines(self, width: int, paint: Palette) -> Sequence[Text]:
        text = Text()
        for column, cells in columns(width, several=self.several):
            self._cell(text, column.name, cells, paint)
        if self.snoozed or is_over(self.incident):
            return (Text(text.plain, paint.dim),)
        return (text,)

    def _cell(  # noqa: C901 - one flat table of cases
        self, text: Text, name: str, cells: int, paint: Palette
    ) -> None:
        """Append one cell."""
        incident = self.incident
        wording = PHASES[incident.phase]
        room = cells - 1
        match name:
            case "priority":
                text.append_text(badge(incident, paint))
                text.append(" ")
            case "id":
                text.append(fitted(incident.id, room) + " ", paint.dim)
            case "engine":
                tone = paint.engines[self.engine_index % len(paint.engines)]
                if self.production:
                    text.append("PROD", paint.production)
                    text.append(" ")
                    room -= 5
                text.append(fitted(self.ref.engine, room) + " ", tone)
            case "age":
                text.append(fitted(self.age_text, cells), paint.text)
            case "sign":
                text.append(f"{wording.sign} ", paint.tone(wording.tone))
            case "phase":
                words = f"{wording.sign} {self.snoozed or wording.words}"
                text.append(fitted(words, cells), paint.tone(wording.tone))
            case "category":
                text.append(fitted(str(incident.assessment.category), cells), paint.dim)
            case "workload":
                name_style = paint.strong if incident.phase in NEEDS_PERSON else paint.text
                text.append(fitted(workload(incident), room) + " ", name_style)
            case "cause":
                text.append(fitted(cause_of(incident)[0] or "-", room) + " ", paint.text)
            case "confidence":
                value = cause_of(incident)[1]
                shown = f"{bar(value, 5)} {value:.2f}" if value is not None else "-"
                text.append(fitted(shown, cells), paint.dim)
            case "who":
                by = incident.acknowledged.by.user if incident.acknowledged else "-"
                text.append(fitted(by, cells), paint.dim)


def _urgency(incident: Incident, now: datetime) -> tuple[Any, ...]:
    return (
        is_over(incident),
        is_snoozed(incident, now),
        str(incident.assessment.priority),
        incident.phase not in NEEDS_PERSON,
        -incident.opened_at.timestamp(),
    )


Order = Callable[[Incident, datetime], Any]

ORDERS: Final[dict[str, Order]] = {
    "urgency": _urgency,
    "age": lambda one, _: one.opened_at,
    "phase": lambda one, _: (list(PHASES).index(one.phase), one.id),
    "category": lambda one, _: (str(one.assessment.category), one.id),
    "workload": lambda one, _: (workload(one), one.id),
    "confidence": lambda one, _: -(cause_of(one)[1] or 0.0),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What of the board is to be shown, and in which order."""

    words: str = ""
    order: str = "urgency"
    every: bool = False
    engine: str = ""


@dataclass(frozen=True, slots=True)
class _Held:
    """A row with what it was made of, and its place in the order."""

    incident: Incident
    made_of: tuple[int, str, int, bool]
    key: Any
    row: IncidentRow


class BoardRows:
    """The rows of the board; those of incidents that did not change are made once a second."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, str], _Held] = {}

    def rows(self, feeds: Sequence[Feed], wanted: Wanted, now: datetime) -> list[IncidentRow]:
        """Return the rows that are wanted, in order."""
        terms = wanted.words.lower().split()
        order: Order = ORDERS.get(wanted.order, _urgency)
        second, before, held = int(now.timestamp()), self._held, {}
        found: list[_Held] = []
        for index, feed in enumerate(feeds):
            if wanted.engine and feed.name != wanted.engine:
                continue
            made_of = (second, wanted.order, index, feed.is_production)
            for incident in feed.board.incidents.values():
                if not wanted.every and is_over(incident):
                    continue
                ref = (feed.name, incident.id)
                one = before.get(ref)
                if one is None or one.incident is not incident or one.made_of != made_of:
                    row = _row(feed, index, incident, now, several=len(feeds) > 1)
                    row = one.row if one is not None and one.row == row else row
                    one = _Held(incident, made_of, order(incident, now), row)
                held[ref] = one
                if not terms or matches(feed.name, incident, terms):
                    found.append(one)
        self._held = held
        found.sort(key=_first)
        return [one.row for one in found]


def _row(
    feed: Feed, index: int, incident: Incident, now: datetime, *, several: bool
) -> IncidentRow:
    return IncidentRow(
        ref=Ref(feed.name, incident.id),
        incident=incident,
        age_text=age((now - incident.opened_at).total_seconds()),
        snoozed=_snoozed(incident, now),
        several=several,
        engine_index=index,
        production=feed.is_production_of(incident.alarm.cluster.name),
    )


def _first(one: _Held) -> Any:
    return one.key


def matches(engine: str, incident: Incident, terms: Iterable[str]) -> bool:
    """Say whether all terms stand somewhere in the row; `!term` must not."""
    alarm = incident.alarm
    text = " ".join(
        (
            engine,
            incident.id,
            str(incident.assessment.priority),
            PHASES[incident.phase].words,
            str(incident.assessment.category),
            workload(incident),
            cause_of(incident)[0],
            alarm.name,
            str(alarm.cluster),
        )
    ).lower()
    return all(
        (term[1:] not in text) if term.startswith("!") and len(term) > 1 else term in text
        for term in terms
    )


def _snoozed(incident: Incident, now: datetime) -> str:
    if not is_snoozed(incident, now) or incident.snoozed_until is None:
        return ""
    return f"snoozed {age((incident.snoozed_until - now).total_seconds())}"
