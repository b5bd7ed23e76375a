"""Makes the README's pictures of the dashboard, as SVG, from a recorded incident.

The clock stands still and nothing of a machine shows: the same code gives the same pictures.
"""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from petops.domain.events import Entry  # noqa: E402
from petops.tui.app import Dashboard  # noqa: E402
from tests.tui.doors import AT, full  # noqa: E402
from tests.tui.scripted import (  # noqa: E402
    MITIGATED,
    PROPOSED,
    STORY,
    Beside,
    ScriptedEngine,
    desk,
    many,
)
from tests.tui.slow import slow_story  # noqa: E402

SLOW = slow_story()
IMAGES = ROOT / "docs" / "images"
PICTURES: dict[str, tuple[tuple[Entry, ...], tuple[str, ...], tuple[int, int]]] = {
    "board": (STORY[:PROPOSED], ("j",), (110, 34)),
    "incident": (STORY[:PROPOSED], ("enter",), (130, 42)),
    "trace": (SLOW, ("enter", "5", "f"), (110, 30)),
    "calls": (SLOW, ("enter", "6", "f"), (110, 20)),
    "correct": (STORY[:PROPOSED], ("enter", "w"), (110, 30)),
    "approval": (STORY[:PROPOSED], ("a",), (110, 34)),
    "confirm": (STORY[:PROPOSED], ("a", "a"), (110, 34)),
    "mended": (STORY[:MITIGATED], ("a",), (110, 34)),
    "history": (STORY[:MITIGATED], ("colon", *"history", "enter"), (110, 24)),
}


async def pictured(
    name: str, entries: tuple[Entry, ...], keys: tuple[str, ...], size: tuple[int, int]
) -> None:
    """Write one picture."""
    last = entries[-1].event.at
    feeds = [("lab", Beside(ScriptedEngine(entries)))]
    if name == "board":
        feeds.append(("prod-eu", Beside(ScriptedEngine(many(7)))))
    app = Dashboard(desk(*feeds, given=full(), now=max(last, AT)))
    async with app.run_test(size=size) as pilot:
        await pilot.pause(0.5)
        for key in keys:
            await pilot.press(key)
            await pilot.pause(0.1)
        await pilot.pause(0.5)
        svg = app.export_screenshot(title="petops tui")
    # No font from elsewhere: a picture in a README must not ask another host for one.
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r"font-family: (Fira Code)[^;]*;", r"font-family: \1, monospace;", svg)
    unique = re.search(r"terminal-(\d+)-", svg)
    if unique:
        svg = svg.replace(f"terminal-{unique[1]}-", f"{name}-")
    (IMAGES / f"{name}.svg").write_text(svg, encoding="utf-8")
    sys.stdout.write(f"docs/images/{name}.svg\n")


async def main() -> None:
    """Write all pictures."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    for name, (entries, keys, size) in PICTURES.items():
        await pictured(name, entries, keys, size)


if __name__ == "__main__":
    asyncio.run(main())
