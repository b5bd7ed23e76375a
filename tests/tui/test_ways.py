"""Ways through the dashboard on both kinds of handle: panes, commands, palette, mouse, times."""

from __future__ import annotations

from datetime import UTC, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from petops.domain.requests import Acknowledge, Snooze
from petops.tui.app import Dashboard
from petops.tui.screens.approval import ApprovalScreen
from petops.tui.screens.incident import IncidentScreen
from tests.tui.looks import settled, text_of, until
from tests.tui.scripted import PROPOSED, STORY, ScriptedEngine, desk, many
from tests.tui.slow import slow_story
from tests.tui.stage import SIZE, staged

# Drawn by a real Textual loop in wall time.
pytestmark = pytest.mark.slow

PANES = {
    "1": "it is anonymous memory",
    "2": "next kill",
    "3": "read it whole and decide",
    "4": "investigating:",
    "5": "to itself",
    "6": "suspect",
    "7": "Unhealthy",
    "8": "Who to call",
}


async def typed(pilot: Pilot[None], line: str) -> None:
    await settled(pilot, "colon", *line, "enter")


async def test_every_pane_of_an_incident_is_reached_by_its_number(
    handle: Any, tmp_path: Path
) -> None:
    async with staged(handle, tmp_path, slow_story()) as stage:
        await stage.pilot.press("enter")
        for key, words in PANES.items():
            await stage.pilot.press(key)
            await until(stage.pilot, words)


async def test_what_keys_do_commands_do_too(handle: Any, tmp_path: Path) -> None:
    async with staged(handle, tmp_path, many(12)) as stage:
        await typed(stage.pilot, "filter 0008")
        assert "service-0007" not in text_of(stage.app)
        await typed(stage.pilot, "ack 8")
        await typed(stage.pilot, "snooze 2h")
        await until(stage.pilot, "quiet for 120 min")
        first, second = stage.engine.submitted
        assert isinstance(first, Acknowledge)
        assert isinstance(second, Snooze)
        assert {first.incident, second.incident} == {"INC-0008"}
        assert timedelta(hours=2) == second.until - stage.app.desk.now()
        await typed(stage.pilot, "filter")
        await typed(stage.pilot, "sort workload")
        shown = text_of(stage.app)
        named = [shown.index(f"service-00{number:02}") for number in (2, 3, 12)]
        assert named == sorted(named)
        await typed(stage.pilot, "snooze soon")
        await until(stage.pilot, "soon is no time")


async def test_the_palette_finds_and_runs_a_command(handle: Any, tmp_path: Path) -> None:
    async with staged(handle, tmp_path, STORY[:PROPOSED]) as stage:
        await settled(stage.pilot, "ctrl+p", *"approve")
        await settled(stage.pilot, "enter")
        await until(stage.pilot, "by the API server's dry run")
        assert isinstance(stage.app.screen, ApprovalScreen)


async def test_the_mouse_opens_what_it_is_on(handle: Any, tmp_path: Path) -> None:
    async with staged(handle, tmp_path, STORY[:PROPOSED]) as stage:
        await settled(stage.pilot)
        await stage.pilot.click("#board-rows", offset=(20, 0))
        await until(stage.pilot, "7 of 7 answered")
        assert isinstance(stage.app.screen, IncidentScreen)


async def test_times_are_local_with_their_offset_or_utc(handle: Any, tmp_path: Path) -> None:
    india = timezone(timedelta(hours=5, minutes=30))
    for zone, told in ((UTC, "07:44:45 UTC"), (india, "13:14:45 +05:30")):
        async with handle(ScriptedEngine(STORY[:PROPOSED]), tmp_path) as made:
            app = Dashboard(desk(("lab", made), zone=zone))
            async with app.run_test(size=SIZE) as pilot:
                await until(pilot, told)


async def test_engines_of_one_kind_stand_side_by_side(handle: Any, tmp_path: Path) -> None:
    engines = ScriptedEngine(STORY[:PROPOSED]), ScriptedEngine(many(8))
    async with handle(engines[0], tmp_path) as lab, handle(engines[1], tmp_path) as prod:
        app = Dashboard(desk(("lab", lab), ("prod-eu", prod)), incident="INC-0008")
        async with app.run_test(size=(120, 30), notifications=True) as pilot:
            await until(pilot, "default/service-0008")
            await until(pilot, "PRODUCTION")
            await settled(pilot, "escape", "tab", "tab")
            assert "service-0008" in text_of(app)
            assert "default/petad" not in text_of(app)
