"""What happened to an incident, one row an entry; Enter shows the rest of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from rich.text import Text

from petops.domain.events import Entry, Mirrored
from petops.domain.incident import Incident
from petops.tui.drawn import Paragraph
from petops.tui.given import Spoken, Tell
from petops.tui.palette import Palette
from petops.tui.plain import fitted, wrapped
from petops.tui.times import Times

_TONES = (("red", "bad"), ("yellow", "warn"), ("green", "good"), ("cyan", "info"), ("dim", "dim"))


@dataclass(frozen=True, slots=True)
class EntryRow:
    """One entry. Equal numbers are equal rows: an entry never changes."""

    number: int
    at: datetime
    told: tuple[Spoken, ...]
    times: Times

    is_choosable = True

    @property
    def key(self) -> str:
        return f"entry-{self.number}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, EntryRow) and self.number == other.number and self.at == other.at

    def __hash__(self) -> int:
        return hash(self.number)

    def tall(self, width: int) -> int:
        del width
        return 1

    def lines(self, width: int, paint: Palette) -> Sequence[Text]:
        first = self.told[0]
        more = " ⋯" if len(self.told) > 1 else ""
        text = Text(f"{self.times.clock(self.at)}  ", paint.dim)
        room = max(1, width - 10 - len(more))
        words = "  " * first.depth + " ".join(first.text.split())
        text.append(fitted(words, room), paint.tone(tone(first.style)))
        text.append(more, paint.faint)
        return (text,)

    def detail(self, width: int, paint: Palette) -> Sequence[Text]:
        lines = []
        for one in self.told:
            style = paint.tone(tone(one.style))
            lead = " " * (6 + 2 * one.depth)
            lines += [Text(lead + part, style) for part in wrapped(one.text, width - len(lead))]
        return lines


def tone(style: str) -> str:
    """Return the tone for a rich style's name."""
    return next((tone for name, tone in _TONES if name in style), "strong" if style else "text")


class Timeline:
    """The rows of one incident. Each entry is told once: there may be thousands."""

    def __init__(self, tell: Tell, times: Times) -> None:
        self._tell = tell
        self._times = times
        self._told: dict[int, EntryRow] = {}

    def rows(self, incident: Incident) -> list[EntryRow | Paragraph]:
        """Return the rows, oldest first; where entries are not held here, a line says so.

        How far other surfaces show it is bookkeeping, as long again as the story: it is left out.
        """
        held = incident.history
        rows: list[EntryRow | Paragraph] = [
            self._row(one) for one in held if not isinstance(one.event, Mirrored)
        ]
        missing = incident.number - len(held)
        if missing > 0 and rows:
            note = f"{missing} entries in between are being fetched from the journal …"
            rows.insert(1, Paragraph("missing", note, "dim"))
        return rows

    def _row(self, entry: Entry) -> EntryRow:
        found = self._told.get(entry.number)
        if found is None:
            told = tuple(self._tell(entry.event))
            found = EntryRow(entry.number, entry.event.at, told, self._times)
            self._told[entry.number] = found
        return found
