"""What a list draws: rows that draw themselves, and the plainest of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from rich.cells import cell_len
from rich.text import Text

from petops.tui.palette import Palette
from petops.tui.plain import fitted, plain, wrapped


class Drawn(Protocol):
    """One row."""

    @property
    def key(self) -> str:
        """What names it, from one drawing to the next."""

    @property
    def is_choosable(self) -> bool:
        """Whether the cursor stops at it."""

    def tall(self, width: int) -> int:
        """Return how many lines it takes."""

    def lines(self, width: int, paint: Palette) -> Sequence[Text]:
        """Return its lines."""

    def detail(self, width: int, paint: Palette) -> Sequence[Text]:
        """Return the lines that stand below it once it is opened; none where there are none."""


@dataclass(frozen=True, slots=True)
class Heading:
    """A line between rows."""

    key: str
    text: str

    is_choosable = False

    def tall(self, width: int) -> int:
        del width
        return 2

    def lines(self, width: int, paint: Palette) -> Sequence[Text]:
        words = fitted(self.text, min(width, cell_len(plain(self.text))))
        rule = "─" * max(0, width - cell_len(words) - 1)
        return Text(), Text.assemble((words, paint.heading), (f" {rule}"[:width], paint.faint))

    def detail(self, width: int, paint: Palette) -> Sequence[Text]:
        del width, paint
        return ()


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Some lines of text."""

    key: str
    text: str
    tone: str = "text"

    is_choosable = False

    def tall(self, width: int) -> int:
        return len(wrapped(self.text, width))

    def lines(self, width: int, paint: Palette) -> Sequence[Text]:
        return [Text(one, paint.tone(self.tone)) for one in wrapped(self.text, width)]

    def detail(self, width: int, paint: Palette) -> Sequence[Text]:
        del width, paint
        return ()


def labelled(name: str, text: str, width: int, paint: Palette) -> list[Text]:
    """Return a value behind its name, in as many lines as it takes."""
    made = []
    for index, one in enumerate(wrapped(text, max(8, width - 16))):
        lead = f"    {name if not index else '':<11} "
        made.append(Text.assemble((lead, paint.faint), (one, paint.text)))
    return made
