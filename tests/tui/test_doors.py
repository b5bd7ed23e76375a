"""Screens that work with what is given: chaos, ask, sources, settings, history."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual.pilot import Pilot

from petops.tui.app import Dashboard
from tests.tui.doors import FakeChaos, full
from tests.tui.looks import settled, text_of, until
from tests.tui.scripted import MITIGATED, STORY, ScriptedEngine, desk, embedded

# Drawn by a real Textual loop in wall time: half a minute and more.
pytestmark = pytest.mark.slow


@asynccontextmanager
async def staged(
    folder: Path, line: str, chaos: FakeChaos | None = None, name: str = "lab"
) -> AsyncIterator[Pilot[None]]:
    engine = ScriptedEngine(STORY[:MITIGATED])
    async with embedded(engine, folder) as handle:
        app = Dashboard(desk((name, handle), given=full(chaos), now=engine.now))
        async with app.run_test(size=(120, 40), notifications=True) as pilot:
            await until(pilot, "INC-0001")
            await settled(pilot, "colon", *line, "enter")
            yield pilot


async def test_a_fault_is_injected_watched_and_taken_back(tmp_path: Path) -> None:
    chaos = FakeChaos()
    async with staged(tmp_path, "chaos", chaos) as pilot:
        await until(pilot, "not injected")
        await settled(pilot, "i", "enter")
        assert not chaos.injected
        assert "Deployment petadoptionshistory-py-leak" in text_of(pilot.app)
        await settled(pilot, *"yes", "enter")
        await until(pilot, "at work, ends in")
        assert chaos.injected == ["memory-leak"]
        await settled(pilot, "c", *"yes", "enter")
        await until(pilot, "is taken back")
        assert not chaos.injected


async def test_a_fault_that_is_refused_says_why(tmp_path: Path) -> None:
    async with staged(tmp_path, "chaos", FakeChaos(refuses=True)) as pilot:
        await until(pilot, "not injected")
        await settled(pilot, "i", *"yes", "enter")
        await until(pilot, "not labelled for faults")


async def test_in_production_a_fault_wants_the_target(tmp_path: Path) -> None:
    chaos = FakeChaos()
    async with staged(tmp_path, "chaos", chaos, name="prod") as pilot:
        await until(pilot, "not injected")
        await settled(pilot, "i", *"yes", "enter")
        assert "PRODUCTION" in text_of(pilot.app)
        assert not chaos.injected


async def test_questions_are_answered_with_sparklines(tmp_path: Path) -> None:
    async with staged(tmp_path, "ask memory by pod") as pilot:
        shown = await until(pilot, "search-77c")
        assert "sum by (pod)" in shown
        assert "▇█" in shown
        await settled(pilot, *"nothing", "enter")
        await until(pilot, "Prometheus did not answer")


async def test_sources_say_how_they_fare(tmp_path: Path) -> None:
    async with staged(tmp_path, "sources") as pilot:
        shown = await until(pilot, "alarm queue")
        assert "✗ broken" in shown
        assert "? unknown" in shown
        await settled(pilot, "j", "j", "enter")
        await until(pilot, "is its address right?")


async def test_settings_hide_what_is_secret(tmp_path: Path) -> None:
    async with staged(tmp_path, "settings") as pilot:
        shown = await until(pilot, "engine.window_minutes")
        assert "********" in shown
        await settled(pilot, "b")
        await until(pilot, "off")


async def test_history_has_the_stages_and_writes_a_postmortem(tmp_path: Path) -> None:
    async with staged(tmp_path, "history") as pilot:
        await until(pilot, "median of 1")
        await settled(pilot, "w")
        await until(pilot, "written to INC-0001.md")
        await settled(pilot, "enter")
        await until(pilot, "7 of 7 answered")
