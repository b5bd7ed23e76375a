"""Text from clusters is data: shown as it is, never obeyed, and fitted by the cells it takes."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from rich.cells import cell_len, chop_cells, set_cell_size

_VARIATION = range(0xFE00, 0xFE10)


def plain(text: str) -> str:
    """Return text that no terminal obeys: control and direction characters show as escapes.

    What has no width of its own at the start would be drawn over the character before it, so that
    it gets a space to stand on.
    """
    if text.isascii() and text.isprintable():
        return text
    safe = "".join(_shown(one) for one in text)
    return f" {safe}" if safe and unicodedata.combining(safe[0]) else safe


def _shown(one: str) -> str:
    if one.isprintable() and ord(one) not in _VARIATION:
        return one
    return one.encode("unicode_escape", "surrogatepass").decode("ascii")


def fitted(text: str, width: int) -> str:
    """Return text in exactly `width` cells: padded, or cut with an ellipsis."""
    safe = plain(text)
    taken = cell_len(safe)
    if taken <= width:
        return safe + " " * (width - taken)
    if width < 2:
        return set_cell_size(safe, max(0, width))
    kept = set_cell_size(safe, width - 1).rstrip()
    return kept + "…" + " " * (width - 1 - cell_len(kept))


def fitted_end(text: str, width: int) -> str:
    """Return text in exactly `width` cells, its end where it is too long: pods differ there."""
    safe = plain(text)
    if cell_len(safe) <= width or width < 2:
        return fitted(text, width)
    return "…" + set_cell_size(safe[::-1], width - 1)[::-1]


def wrapped(text: str, width: int) -> list[str]:
    """Return text in lines of at most `width` cells, broken between words where it can be."""
    parts = (_lines(plain(part), max(4, width)) for part in text.split("\n"))
    return [line for part in parts for line in part] or [""]


def _lines(text: str, width: int) -> Iterator[str]:
    line = ""
    for word in text.split(" "):
        wider = f"{line} {word}" if line else word
        if cell_len(wider) <= width:
            line = wider
            continue
        if line:
            yield line
        *whole, line = chop_cells(word, width) or [""]
        yield from whole
    if line:
        yield line
