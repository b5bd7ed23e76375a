"""Screens that work with what is given, on both kinds of handle: chaos, ask, sources, settings."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from petops.tui.app import Dashboard
from petops.tui.screens.history import HistoryScreen
from tests.tui.doors import FakeChaos, full
from tests.tui.looks import settled, text_of, until
from tests.tui.scripted import GIVEN, MITIGATED, STORY, ScriptedEngine, desk

# Drawn by a real Textual loop in wall time: half a minute and more.
pytestmark = pytest.mark.slow


@asynccontextmanager
async def staged(
    handle: Any, folder: Path, line: str, chaos: FakeChaos | None = None, name: str = "lab"
) -> AsyncIterator[Pilot[None]]:
    engine = ScriptedEngine(STORY[:MITIGATED])
    async with handle(engine, folder) as made:
        app = Dashboard(desk((name, made), given=full(chaos), now=engine.now))
        async with app.run_test(size=(120, 40), notifications=True) as pilot:
            await until(pilot, "INC-0001")
            await settled(pilot, "colon", *line, "enter")
            yield pilot


async def test_a_fault_is_injected_watched_and_taken_back(handle: Any, tmp_path: Path) -> None:
    chaos = FakeChaos()
    async with staged(handle, tmp_path, "chaos", chaos) as pilot:
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


async def test_a_fault_that_is_refused_says_why(handle: Any, tmp_path: Path) -> None:
    async with staged(handle, tmp_path, "chaos", FakeChaos(refuses=True)) as pilot:
        await until(pilot, "not injected")
        await settled(pilot, "i", *"yes", "enter")
        await until(pilot, "not labelled for faults")


async def test_in_production_a_fault_wants_the_target(handle: Any, tmp_path: Path) -> None:
    chaos = FakeChaos()
    async with staged(handle, tmp_path, "chaos", chaos, name="prod") as pilot:
        await until(pilot, "not injected")
        await settled(pilot, "i", *"yes", "enter")
        assert "PRODUCTION" in text_of(pilot.app)
        assert not chaos.injected


async def test_questions_are_answered_with_sparklines(handle: Any, tmp_path: Path) -> None:
    async with staged(handle, tmp_path, "ask memory by pod") as pilot:
        shown = await until(pilot, "search-77c")
        assert "sum by (pod)" in shown
        assert "▇█" in shown
        await settled(pilot, *"nothing", "enter")
        await until(pilot, "Prometheus did not answer")


async def test_no_question_begins_as_a_command_does(handle: Any, tmp_path: Path) -> None:
    async with staged(handle, tmp_path, "ask") as pilot:
        await settled(pilot, "question_mark")
        await until(pilot, "keys and commands")
        await settled(pilot, "escape", "colon", *"history", "enter")
        await until(pilot, "median of 1")
        assert isinstance(pilot.app.screen, HistoryScreen)


async def test_what_is_missing_is_said_where_it_is_asked_for(handle: Any, tmp_path: Path) -> None:
    missing = {"ask": "set PROMETHEUS_URL", "charts": "no charts here", "chaos": "set KUBECONFIG"}
    async with handle(ScriptedEngine(STORY[:MITIGATED]), tmp_path) as made:
        app = Dashboard(desk(("lab", made), given=replace(GIVEN, missing=missing)))
        async with app.run_test(size=(120, 40), notifications=True) as pilot:
            await until(pilot, "INC-0001")
            await settled(pilot, "colon", *"chaos", "enter")
            await until(pilot, "set KUBECONFIG")
            await settled(pilot, "i", "c", "colon", *"ask x", "enter")
            await until(pilot, "set PROMETHEUS_URL")
            await settled(pilot, "escape", "colon", *"incident 1", "enter")
            await until(pilot, "no charts here")


async def test_sources_say_how_they_fare(handle: Any, tmp_path: Path) -> None:
    async with staged(handle, tmp_path, "sources") as pilot:
        shown = await until(pilot, "alarm queue")
        assert "✗ broken" in shown
        assert "? unknown" in shown
        await settled(pilot, "j", "j", "enter")
        await until(pilot, "is its address right?")


async def test_settings_hide_what_is_secret(handle: Any, tmp_path: Path) -> None:
    async with staged(handle, tmp_path, "settings") as pilot:
        shown = await until(pilot, "engine.window_minutes")
        assert "********" in shown
        await settled(pilot, "b")
        await until(pilot, "off")


async def test_history_has_the_stages_and_writes_a_postmortem(handle: Any, tmp_path: Path) -> None:
    async with staged(handle, tmp_path, "history") as pilot:
        await until(pilot, "median of 1")
        await settled(pilot, "w")
        await until(pilot, "written to INC-0001.md")
        await settled(pilot, "enter")
        await until(pilot, "7 of 7 answered")
