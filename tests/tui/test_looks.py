"""How screens look, as text, at three sizes, with a clock that stands still.

Delete a file of `looks/` to keep a new look; the next run writes it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from petops.tui.app import Dashboard
from tests.tui.doors import AT, full
from tests.tui.looks import same_as_kept, settled, until
from tests.tui.scripted import (
    MITIGATED,
    PROPOSED,
    STORY,
    ScriptedEngine,
    desk,
    embedded,
    many,
)
from tests.tui.slow import slow_story

# Drawn by a real Textual loop in wall time: half a minute and more.
pytestmark = pytest.mark.slow

SIZES = [(80, 24), (120, 40), (200, 60)]
WAITING = STORY[:PROPOSED]
MENDED = STORY[:MITIGATED]
SLOW = slow_story()
LOOKS = {
    "calm": ((), (), "All is well"),
    "board": (WAITING, (), "INC-0001"),
    "crowd": (many(70), (), "INC-0068"),
    "asking": (STORY[:6], ("enter",), "3 of 7 answered"),
    "incident": (WAITING, ("enter",), "7 of 7 answered"),
    "charts": (WAITING, ("enter", "2"), "next kill"),
    "trace": (SLOW, ("enter", "5"), "to itself"),
    "calls": (SLOW, ("enter", "6"), "suspect"),
    "logs": (SLOW, ("enter", "7", "f"), "Unhealthy"),
    "runbook": (SLOW, ("enter", "8"), "Who to call"),
    "correct": (WAITING, ("enter", "w"), "what was it really"),
    "timeline": (WAITING, ("enter", "4"), "investigating"),
    "query": (WAITING, ("enter", "enter"), "against it"),
    "approval": (WAITING, ("a",), "restartedAt"),
    "confirm": (WAITING, ("a", "a"), "Type yes"),
    "mended": (MENDED, ("a",), "mitigated, not fixed"),
    "history": (MENDED, ("colon", *"history", "enter"), "median of 1"),
    "sources": (WAITING, ("colon", *"sources", "enter"), "alarm queue"),
    "settings": (WAITING, ("colon", *"settings", "enter"), "engine.window_minutes"),
    "chaos": (WAITING, ("colon", *"chaos", "enter"), "cpu-throttling"),
    "ask": (WAITING, ("colon", *"ask memory by pod", "enter"), "search-77c"),
    "help": (WAITING, ("question_mark",), "keys and commands"),
}


@pytest.mark.parametrize("name", LOOKS)
async def test_look(name: str, tmp_path: Path) -> None:
    entries, keys, words = LOOKS[name]
    engine = ScriptedEngine(entries)
    now = entries[-1].event.at if name in {"mended", "history", "crowd"} and entries else None
    wrong = []
    async with embedded(engine, tmp_path) as handle:
        app = Dashboard(desk(("lab", handle), given=full(), now=now or AT))
        async with app.run_test(size=SIZES[0]) as pilot:
            await until(pilot, "INC-" if entries else "All is well")
            await settled(pilot, *keys)
            for columns, lines in SIZES:
                await pilot.resize_terminal(columns, lines)
                await until(pilot, words)
                text = await settled(pilot)
                shown = text.splitlines()
                assert len(shown) == lines
                assert max(len(one) for one in shown) <= columns
                wrong.append(same_as_kept(f"{name}-{columns}x{lines}", text))
    assert not any(wrong), "\n".join(wrong)
