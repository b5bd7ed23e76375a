"""For terminals that show little: without UTF-8, and without colour."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.filter import LineFilter

_SIGNS: Final = {
    **dict.fromkeys("●■█▰", "#"),
    **dict.fromkeys("○□▱◌", "-"),
    **dict.fromkeys("◐◑◔◕▶▸▌", ">"),
    **dict.fromkeys("─━┄┈╌⎯▔▁▂▃", "-"),
    **dict.fromkeys("│┃┊┆▏▎▍▕", "|"),
    **dict.fromkeys("┌┐└┘├┤┬┴┼╭╮╰╯┏┓┗┛╋", "+"),
    **dict.fromkeys("▄▅▆▇▀▋▊▉", "="),
    **dict.fromkeys("✓", "v"),
    **dict.fromkeys("✗", "x"),
    **dict.fromkeys("↻", "@"),
    **dict.fromkeys("▲▾", "^"),
    **dict.fromkeys("…⋯", "~"),
    **dict.fromkeys("·", "."),
    **dict.fromkeys("→", "-"),
    **dict.fromkeys("⏎", "E"),
}
_TABLE: Final = {ord(sign): plain for sign, plain in _SIGNS.items()}


def ascii_text(text: str) -> str:
    """Return text of the same number of characters in ASCII; braille dots become stars."""
    if text.isascii():
        return text
    known = text.translate(_TABLE)
    return "".join(
        one if one.isascii() else " *"[one != "\u2800"] if "\u2800" <= one <= "\u28ff" else "?"
        for one in known
    )


class AsciiOnly(LineFilter):
    """Turns each line into ASCII on its way to the terminal."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Return the segments in ASCII, each as wide as it was."""
        del background
        made = []
        for text, style, control in segments:
            plain = ascii_text(text)
            # A wide character becomes one question mark: what it took is filled up.
            wider = Segment(text).cell_length - len(plain)
            made.append(Segment(plain + " " * max(0, wider), style, control))
        return made


class Colourless(LineFilter):
    """Takes all colour out; bold, underlined and reversed stay, and carry the meaning."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Return the segments without colour."""
        del background
        return [Segment(text, _colourless(style), control) for text, style, control in segments]


@lru_cache(maxsize=2048)
def _colourless(style: Style | None) -> Style | None:
    return style.without_color if style is not None else None
