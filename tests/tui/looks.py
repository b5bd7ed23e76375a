"""A screen's text, as a terminal of its size would show it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from textual.app import App
from textual.pilot import Pilot

KEPT = Path(__file__).parent / "looks"


def text_of(app: App[Any]) -> str:
    """Return the screen on top and what shows below it, line by line."""
    strips = app.screen._compositor.render_strips()
    lines = ("".join(one.text for one in strip).rstrip() for strip in strips)
    return "\n".join(lines) + "\n"


async def settled(pilot: Pilot[Any], *keys: str) -> str:
    """Press keys, wait until nothing is drawn anew, and return the screen's text."""
    for key in keys:
        await pilot.press(key)
        await pilot.pause(0.03)
    before = ""
    for _ in range(40):
        await pilot.pause(0.12)
        text = text_of(pilot.app)
        if text == before:
            break
        before = text
    return before


async def until(pilot: Pilot[Any], words: str, seconds: float = 8.0) -> str:
    """Return the screen's text once it holds `words`."""
    for _ in range(int(seconds / 0.05)):
        text = text_of(pilot.app)
        if words in text:
            return text
        await pilot.pause(0.05)
    raise AssertionError(f"no {words!r} in:\n{text_of(pilot.app)}")


def same_as_kept(name: str, text: str) -> str:
    """Compare with the look that is kept, and say what is wrong; write one that is missing."""
    file = KEPT / f"{name}.txt"
    if not file.exists():
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return f"{file.name} was written: look at it, and run again"
    if text == file.read_text(encoding="utf-8"):
        return ""
    return f"{file.name} looks different; delete it to keep the new look:\n{text}"
