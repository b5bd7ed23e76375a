"""Events of the cluster and lines that containers wrote: one row each, ten thousand no burden."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from rich.text import Text

from petops.domain.incident import Incident
from petops.domain.objects import Evictions, LastWords, ObjectEvents, Occurrence
from petops.domain.tracing import LogExcerpt
from petops.tui.drawn import Heading, Paragraph, labelled
from petops.tui.palette import Palette
from petops.tui.plain import fitted, wrapped
from petops.tui.times import Times

_BAD: Final = ("error", "fatal", "panic", "exception", "traceback", "oom", "killed", "critical")
_WARN: Final = ("warn", "timeout", "timed out", "retry", "refused", "throttl")


@dataclass(frozen=True, slots=True)
class EventRow:
    """One kind of event of one object, with how often it was seen."""

    key: str
    event: Occurrence
    times: Times

    is_choosable = True

    def tall(self, width: int) -> int:
        del width
        return 1

    def lines(self, width: int, paint: Palette) -> Sequence[Text]:
        one = self.event
        tone = "warn" if one.is_warning else "text"
        text = Text(f"{_clock(one.last_at, self.times)}  ", paint.dim)
        text.append("! " if one.is_warning else "· ", paint.tone(tone))
        text.append(fitted(one.reason, 18) + " ", paint.tone(tone))
        often = f"{one.count}x " if one.count > 1 else ""
        words = f"{often}{one.kind} {one.name}: {' '.join(one.message.split())}"
        text.append(fitted(words, max(1, width - text.cell_len)), paint.text)
        return (text,)

    def detail(self, width: int, paint: Palette) -> Sequence[Text]:
        one = self.event
        lines = labelled("object", f"{one.kind} {one.namespace}/{one.name}", width, paint)
        lines += labelled("says", one.message, width, paint)
        first = f"{_clock(one.first_at, self.times)} to {_clock(one.last_at, self.times)}"
        lines += labelled("seen", f"{one.count} times, {first}", width, paint)
        if one.host:
            lines += labelled("on node", one.host, width, paint)
        return [*lines, Text()]


@dataclass(frozen=True, slots=True)
class LogRow:
    """One line of a log; Enter shows it whole."""

    key: str
    at: datetime | None
    who: str
    text: str
    times: Times

    is_choosable = True

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LogRow) and self.key == other.key and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.key)

    def tall(self, width: int) -> int:
        del width
        return 1

    def lines(self, width: int, paint: Palette) -> Sequence[Text]:
        text = Text(f"{_clock(self.at, self.times)}  ", paint.dim)
        if width >= 100:
            text.append(fitted(self.who, 28) + " ", paint.faint)
        tone = paint.tone(tone_of(self.text))
        text.append(fitted(self.text, max(1, width - text.cell_len)), tone)
        return (text,)

    def detail(self, width: int, paint: Palette) -> Sequence[Text]:
        lines = labelled("wrote", self.who, width, paint)
        whole = [Text("    " + one, paint.text) for one in wrapped(self.text, max(8, width - 4))]
        return [*lines, *whole, Text()]


def tone_of(text: str) -> str:
    """Return the tone of a line by the words that loggers use."""
    low = text[:200].lower()
    if any(word in low for word in _BAD):
        return "bad"
    return "warn" if any(word in low for word in _WARN) else "text"


def _clock(at: datetime | None, times: Times) -> str:
    return times.clock(at) if at else "   -    "


LineRow = EventRow | LogRow | Heading | Paragraph


def line_rows(incident: Incident, times: Times) -> list[LineRow]:
    """Return events first, then last words of containers that ended, then lines, oldest first."""
    return [*_events(incident, times), *_words(incident, times), *_lines(incident, times)]


def _events(incident: Incident, times: Times) -> Iterator[LineRow]:
    held: dict[tuple[str, str, str, str], Occurrence] = {}
    for answer in incident.answers:
        if isinstance(answer.fact, ObjectEvents | Evictions):
            for one in answer.fact.occurrences:
                held[one.kind, one.name, one.reason, one.message] = one
    if held:
        warnings = sum(one.is_warning for one in held.values())
        yield Heading("h-events", f"events: {len(held)}, {warnings} of them warnings")
    for number, one in enumerate(sorted(held.values(), key=_seen)):
        yield EventRow(f"event-{number}", one, times)


def _seen(one: Occurrence) -> float:
    return one.last_at.timestamp() if one.last_at else 0.0


def _words(incident: Incident, times: Times) -> Iterator[LineRow]:
    for number, answer in enumerate(incident.answers):
        if isinstance(answer.fact, LastWords) and answer.fact.lines:
            said = answer.fact
            who = f"{said.pod}/{said.container}"
            which = "before it ended" if said.was_before else "so far"
            yield Heading(f"h-words-{number}", f"last lines of {who} {which}")
            for at, text in enumerate(said.lines):
                yield LogRow(f"words-{number}-{at}", None, who, text, times)


def _lines(incident: Incident, times: Times) -> Iterator[LineRow]:
    for number, answer in enumerate(incident.answers):
        if isinstance(answer.fact, LogExcerpt):
            found = answer.fact
            more = ", and there are more" if found.is_cut else ""
            around = times.clock(found.around)
            yield Heading(f"h-logs-{number}", f"{len(found.lines)} lines around {around}{more}")
            for at, one in enumerate(found.lines):
                who = f"{one.pod}/{one.container}"
                yield LogRow(f"log-{number}-{at}", one.at, who, one.text, times)
