"""Every flow on both kinds of handle: one in this process, and one across a real socket."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Input

from petops.domain import events as ev
from petops.domain.alarm import Priority
from petops.domain.events import Entry
from petops.domain.requests import (
    Acknowledge,
    ApproveRemedy,
    CloseIncident,
    RejectRemedy,
    Snooze,
)
from petops.errors import PetopsError
from petops.tui.app import Dashboard
from petops.tui.feed import Ref
from petops.tui.screens.approval import ApprovalScreen
from petops.tui.screens.board import BoardScreen
from petops.tui.screens.confirm import Confirm
from petops.tui.screens.incident import IncidentScreen
from tests.tui.looks import settled, text_of, until
from tests.tui.scripted import (
    AFTER_APPROVAL,
    ANA,
    GIVEN,
    MITIGATED,
    PROPOSED,
    STORY,
    ScriptedEngine,
    attached,
    desk,
    embedded,
    many,
    opened,
)
from tests.tui.stage import SIZE, channel, staged

# Drawn by a real Textual loop in wall time: half a minute and more.
pytestmark = pytest.mark.slow


async def test_a_leak_is_opened_approved_and_watched(handle: Any, tmp_path: Path) -> None:
    async with staged(handle, tmp_path, STORY[:PROPOSED]) as stage:
        assert "needs approval" in text_of(stage.app)
        await stage.pilot.press("enter")
        why = await until(stage.pilot, "memory-leak")
        assert "speaks" not in why
        await stage.pilot.press("a")
        await until(stage.pilot, "by the API server's dry run")
        await stage.pilot.press("a")
        asked = await until(stage.pilot, "approve this change")
        for named in ("petops-lab", "default", "Deployment petadoptionshistory-py-leak"):
            assert named in asked
        await stage.pilot.press("enter")
        assert isinstance(stage.app.screen, Confirm)
        assert not stage.engine.submitted
        await stage.pilot.press(*"yes", "enter")
        await until(stage.pilot, "approved by ana")
        (request,) = stage.engine.submitted
        assert isinstance(request, ApproveRemedy)
        await stage.engine.play(AFTER_APPROVAL)
        shown = await until(stage.pilot, "mitigated, not fixed")
        assert "the cluster has the change" in shown
        assert "MTTR" in shown


async def test_live_steps_are_seen_as_they_come(handle: Any, tmp_path: Path) -> None:
    async with staged(handle, tmp_path, STORY[:3]) as stage:
        await stage.pilot.press("enter")
        await until(stage.pilot, "questions: 0 of 7 answered")
        assert "waiting for the answer" in text_of(stage.app)
        await stage.engine.play(STORY[3:5])
        await until(stage.pilot, "questions: 2 of 7 answered")
        await stage.engine.play(STORY[5:PROPOSED])
        await until(stage.pilot, "it is anonymous memory, not page cache")


async def test_enter_on_a_ledger_row_shows_query_and_window(handle: Any, tmp_path: Path) -> None:
    async with staged(handle, tmp_path, STORY[:PROPOSED]) as stage:
        await settled(stage.pilot, "enter", "enter")
        shown = await until(stage.pilot, "container_memory_cache")
        assert "against it" in shown
        assert "window" in shown
        await stage.pilot.press("y")
        assert "container_memory_cache" in stage.app.clipboard


async def test_one_keystroke_never_changes_a_cluster(tmp_path: Path) -> None:
    keys = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    async with staged(embedded, tmp_path, STORY[:PROPOSED]) as stage:
        for key in keys:
            stage.app.open_approval(Ref("lab", "INC-0001"))
            await stage.pilot.pause()
            if not isinstance(stage.app.screen, ApprovalScreen):
                await stage.pilot.press("escape")
                continue
            await stage.pilot.press(key)
            await stage.pilot.pause()
            acting = [
                one
                for one in stage.engine.submitted
                if isinstance(one, ApproveRemedy | RejectRemedy)
            ]
            assert not acting, key
            if isinstance(stage.app.screen, Confirm):
                await stage.pilot.press("escape")


async def test_in_production_the_target_has_to_be_typed(handle: Any, tmp_path: Path) -> None:
    async with staged(handle, tmp_path, STORY[:PROPOSED], name="prod-eu") as stage:
        assert "PROD prod-eu" in text_of(stage.app)
        await settled(stage.pilot, "a", "a")
        assert "PRODUCTION" in text_of(stage.app)
        await stage.pilot.press(*"yes", "enter")
        assert isinstance(stage.app.screen, Confirm)
        stage.app.screen.query_one(Input).value = "petadoptionshistory-py-leak"
        await stage.pilot.press("enter")
        await until(stage.pilot, "approved by ana")


async def test_rejecting_wants_a_reason(handle: Any, tmp_path: Path) -> None:
    async with staged(handle, tmp_path, STORY[:PROPOSED]) as stage:
        await settled(stage.pilot, "a", "r", "enter")
        assert isinstance(stage.app.screen, Confirm)
        await stage.pilot.press(*"later", "enter")
        await until(stage.pilot, f"rejected by ana ({channel(handle)}): later")
        (request,) = stage.engine.submitted
        assert isinstance(request, RejectRemedy)
        assert request.because == "later"


async def test_a_refusal_is_said_and_kept(handle: Any, tmp_path: Path) -> None:
    async with staged(handle, tmp_path, STORY[:PROPOSED]) as stage:
        await settled(stage.pilot, "a", "a")
        other = stage.incident().proposals[0].digest
        refusing = ev.ProposalsLapsed(at=stage.engine.now, because="the object changed")
        await stage.engine.append("INC-0001", refusing)
        await stage.pilot.press(*"yes", "enter")
        shown = await until(stage.pilot, "refused ana")
        assert "not on offer" in shown
        assert other


async def test_acknowledge_snooze_and_close(handle: Any, tmp_path: Path) -> None:
    async with staged(handle, tmp_path, STORY[:PROPOSED]) as stage:
        await stage.pilot.press("o")
        await until(stage.pilot, "you are on INC-0001")
        await stage.pilot.press("z")
        await until(stage.pilot, "snoozed 30m")
        await stage.pilot.press("x")
        await until(stage.pilot, "close INC-0001")
        await stage.pilot.press(*"noise", "enter")
        await until(stage.pilot, "All is well")
        kinds = [type(one) for one in stage.engine.submitted]
        assert kinds == [Acknowledge, Snooze, CloseIncident]


async def test_a_new_p1_rings_once(handle: Any, tmp_path: Path) -> None:
    rings: list[int] = []
    async with staged(handle, tmp_path, STORY[:PROPOSED]) as stage:
        stage.app.bell = lambda: rings.append(1)  # type: ignore[method-assign]
        first = opened()
        urgent = replace(first.assessment, priority=Priority.P1)
        await stage.engine.append("INC-0002", replace(first, assessment=urgent))
        await until(stage.pilot, "INC-0002")
        await stage.engine.append("INC-0003", first)
        await until(stage.pilot, "INC-0003")
        assert rings == [1]


async def test_filter_sort_and_ended_are_kept(handle: Any, tmp_path: Path) -> None:
    kept = tmp_path / "state" / "tui.json"
    async with staged(handle, tmp_path, many(40), kept=kept) as stage:
        await settled(stage.pilot, "slash", *"0012", "enter")
        shown = text_of(stage.app)
        assert "service-0012" in shown
        assert "service-0013" not in shown
        await settled(stage.pilot, "s", "e")
        stage.app.themed("petops-light")
    async with staged(handle, tmp_path, many(40), kept=kept) as stage:
        shown = text_of(stage.app)
        assert "filter: 0012" in shown
        assert "service-0013" not in shown
        assert stage.app.theme == "petops-light"
        await settled(stage.pilot, "escape")
        assert "service-0013" in text_of(stage.app)


async def test_commands_and_the_palette_reach_every_screen(handle: Any, tmp_path: Path) -> None:
    async with staged(handle, tmp_path, STORY[:MITIGATED]) as stage:
        wanted = {
            "history": "median of 1",
            "sources": "✗ broken",  # the engine's word on its integrations
            "settings": "your choices",
            "incident 1": "INC-0001",
            "approve 1": "dry run",
            "help": "keys and commands",
        }
        for line, words in wanted.items():
            await stage.pilot.press("colon")
            await stage.pilot.pause()
            stage.app.screen.query_one(Input).value = line
            await stage.pilot.press("enter")
            await until(stage.pilot, words)
        for line, words in (("chaos", "no cluster is at hand"), ("nonsense", "no command")):
            await settled(stage.pilot, "escape", "colon")
            stage.app.screen.query_one(Input).value = line
            await stage.pilot.press("enter")
            await until(stage.pilot, words)
        names = {one.title for one in stage.app.get_system_commands(stage.app.screen)}
        assert {"board", "history", "theme light", "sort age", "quit"} <= names


async def test_escape_goes_back_and_never_leaves_the_board(handle: Any, tmp_path: Path) -> None:
    async with staged(handle, tmp_path, STORY[:PROPOSED]) as stage:
        await settled(stage.pilot, "enter")
        assert isinstance(stage.app.screen, IncidentScreen)
        await settled(stage.pilot, "escape", "escape", "escape")
        assert isinstance(stage.app.screen, BoardScreen)


async def test_copying_goes_through_the_terminal(handle: Any, tmp_path: Path) -> None:
    written: list[str] = []
    async with staged(handle, tmp_path, STORY[:PROPOSED]) as stage:
        driver = stage.app._driver
        assert driver is not None
        driver.write = written.append  # type: ignore[method-assign, assignment]
        await settled(stage.pilot, "y")
        wanted = base64.b64encode(b"INC-0001").decode()
        assert any(f"\x1b]52;c;{wanted}" in one for one in written)


async def test_several_engines_stand_side_by_side(tmp_path: Path) -> None:
    lab, prod = ScriptedEngine(STORY[:PROPOSED]), ScriptedEngine(many(8))
    async with embedded(lab, tmp_path) as one, attached(prod, tmp_path) as other:
        app = Dashboard(desk(("lab", one), ("prod-eu", other)))
        async with app.run_test(size=(120, 30), notifications=True) as pilot:
            await until(pilot, "default/petad")
            await until(pilot, "service-0008")
            await until(pilot, "PROD prod-eu")
            await until(pilot, "default/petad")
            await settled(pilot, "tab")
            assert "service-0008" not in text_of(app)


async def test_a_lost_engine_is_a_banner_that_heals_by_itself(handle: Any, tmp_path: Path) -> None:
    engine = ScriptedEngine(STORY[:PROPOSED])
    async with handle(engine, tmp_path) as made:
        app = Dashboard(desk(("lab", made)))
        engine.breaks = PetopsError("no engine answers")
        async with app.run_test(size=SIZE, notifications=True) as pilot:
            shown = await until(pilot, "lab lost")
            assert "no engine answers" in shown
            assert "All is well" not in shown
            assert "nothing open" not in shown
            engine.breaks = None
            await until(pilot, "INC-0001")
            assert "lost" not in text_of(app)


async def test_an_incident_is_opened_by_its_name(handle: Any, tmp_path: Path) -> None:
    engine = ScriptedEngine(STORY[:PROPOSED])
    async with handle(engine, tmp_path) as made:
        app = Dashboard(desk(("lab", made)), incident="INC-0001")
        async with app.run_test(size=SIZE, notifications=True) as pilot:
            await until(pilot, "questions: 7 of 7")
            assert isinstance(app.screen, IncidentScreen)


async def test_a_long_history_is_fetched_whole(handle: Any, tmp_path: Path) -> None:
    noted = tuple(
        Entry(
            seq=PROPOSED + number,
            incident="INC-0001",
            number=PROPOSED - 1 + number,
            event=ev.Noted(at=STORY[0].event.at + timedelta(seconds=number), text=f"note {number}"),
        )
        for number in range(1, 501)
    )
    async with staged(handle, tmp_path, (*STORY[:PROPOSED], *noted), keeps=60) as stage:
        held = stage.incident()
        assert len(held.history) < held.number
        await stage.pilot.press("enter")
        for _ in range(100):
            if len(stage.incident().history) == held.number:
                break
            await stage.pilot.pause(0.1)
        assert len(stage.incident().history) == held.number
        await stage.engine.append("INC-0001", ev.Acknowledged(at=stage.engine.now, by=ANA))
        await stage.pilot.press("4")
        await until(stage.pilot, "acknowledged by ana")
        assert stage.incident().number == held.number + 1


def test_what_was_not_given_is_not_there() -> None:
    assert GIVEN.ask is None
    assert GIVEN.chaos is None
