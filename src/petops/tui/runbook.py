"""A runbook's Markdown as rows: headings, lists, code and paragraphs; nothing in it is obeyed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.text import Text

from petops.domain.runbook import Runbook
from petops.tui.drawn import Heading, Paragraph
from petops.tui.palette import Palette
from petops.tui.plain import wrapped

_BULLETS = ("- ", "* ", "+ ")


@dataclass(frozen=True, slots=True)
class CodeRow:
    """One line of code: y copies it."""

    key: str
    code: str

    is_choosable = True

    def tall(self, width: int) -> int:
        return len(wrapped(self.code, max(8, width - 4)))

    def lines(self, width: int, paint: Palette) -> Sequence[Text]:
        parts = wrapped(self.code, max(8, width - 4))
        return [Text.assemble(("  │ ", paint.faint), (one, paint.info)) for one in parts]

    def detail(self, width: int, paint: Palette) -> Sequence[Text]:
        del width, paint
        return ()


@dataclass(frozen=True, slots=True)
class BulletRow:
    """One point of a list, or a paragraph; marks of emphasis are left out."""

    key: str
    lead: str
    text: str

    is_choosable = True

    def tall(self, width: int) -> int:
        return len(self._parts(width))

    def _parts(self, width: int) -> list[str]:
        return wrapped(self.text, max(8, width - len(self.lead)))

    def lines(self, width: int, paint: Palette) -> Sequence[Text]:
        first, *rest = self._parts(width)
        gap = " " * len(self.lead)
        head = Text.assemble((self.lead, paint.accent), (first, paint.text))
        return [head, *(Text(gap + one, paint.text) for one in rest)]

    def detail(self, width: int, paint: Palette) -> Sequence[Text]:
        del width, paint
        return ()


RunbookRow = Heading | Paragraph | CodeRow | BulletRow


def runbook_rows(pages: Sequence[Runbook]) -> list[RunbookRow]:
    """Return each page under its title, with where it comes from."""
    rows: list[RunbookRow] = []
    for number, page in enumerate(pages):
        lead = f"page-{number}"
        rows.append(Heading(lead, page.title))
        if page.origin:
            rows.append(Paragraph(f"{lead}-origin", page.origin, "faint"))
        rows += _rows(lead, page.text)
    return rows


def _rows(lead: str, markdown: str) -> Iterator[RunbookRow]:
    in_code, start = False, 0
    paragraph: list[str] = []
    for number, line in enumerate([*markdown.split("\n"), ""]):
        bare = line.strip()
        is_fence = bare.startswith("```")
        bullet = next((one for one in _BULLETS if bare.startswith(one)), "")
        is_numbered = bare[:1].isdigit() and ". " in bare[:4]
        if paragraph and (
            in_code or is_fence or not bare or bullet or is_numbered or bare[:1] == "#"
        ):
            yield BulletRow(f"{lead}-p{start}", "", _unmarked(" ".join(paragraph)))
            paragraph = []
        if is_fence:
            in_code = not in_code
        elif in_code:
            yield CodeRow(f"{lead}-c{number}", line)
        elif bare.startswith("#"):
            yield Heading(f"{lead}-h{number}", _unmarked(bare.lstrip("# ")))
        elif bullet:
            yield BulletRow(f"{lead}-b{number}", "· ", _unmarked(bare[2:]))
        elif is_numbered:
            count, _, rest = bare.partition(" ")
            yield BulletRow(f"{lead}-n{number}", f"{count} ", _unmarked(rest))
        elif bare:
            start = start if paragraph else number
            paragraph.append(bare)


def _unmarked(text: str) -> str:
    return text.replace("**", "").replace("`", "")
