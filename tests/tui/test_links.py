"""What lies between the dashboard and an engine: tokens that expire, slow links, restarts."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from petops.daemon.server import SocketOwner, Tokens, hashed, serve_http, serve_socket, server
from petops.domain import events as ev
from petops.domain.events import Entry
from petops.domain.incident import Board
from petops.programs.engine_at import EngineAt, at
from petops.tui.app import Dashboard
from tests.tui.looks import settled, text_of, until
from tests.tui.scripted import ABOUT, ANA, PROPOSED, STORY, Beside, ScriptedEngine, desk, many

pytestmark = pytest.mark.slow

SIZE = (100, 30)


async def test_an_expired_token_is_said_and_heals(tmp_path: Path) -> None:
    del tmp_path
    known: dict[str, str] = {}
    api = server(ScriptedEngine(STORY[:PROPOSED]), Tokens(known), {}, about=ABOUT)
    async with serve_http(api, "127.0.0.1", 0) as url, EngineAt(at(url, "old")) as handle:
        app = Dashboard(desk(("lab", handle)))
        async with app.run_test(size=SIZE, notifications=True) as pilot:
            shown = await until(pilot, "lab lost")
            assert "a bearer token that this engine knows is needed" in shown
            known[hashed("old")] = "ana"
            await until(pilot, "INC-0001")
            assert "lost" not in text_of(app)
            known.clear()
            await settled(pilot, "o")
            assert "a bearer token" in text_of(app)
            assert not stage_is_acknowledged(app)


def stage_is_acknowledged(app: Dashboard) -> bool:
    return any(one.acknowledged for one in app.desk.feeds[0].board.incidents.values())


async def test_an_engine_that_is_started_again_is_followed_again(tmp_path: Path) -> None:
    path = tmp_path / "s"
    before, after = ScriptedEngine(STORY[:PROPOSED]), ScriptedEngine(STORY[:PROPOSED])
    async with EngineAt(at(path)) as handle:
        app = Dashboard(desk(("lab", handle)))
        async with app.run_test(size=SIZE, notifications=True) as pilot:
            async with serve_socket(server(before, SocketOwner(ANA), {}), path):
                await until(pilot, "INC-0001")
            await until(pilot, "lab lost")
            await after.append("INC-0001", ev.Acknowledged(at=after.now, by=ANA))
            async with serve_socket(server(after, SocketOwner(ANA), {}), path):
                await settled(pilot, "enter")
                await until(pilot, "ana is on it", seconds=15)
                while "lost" in text_of(app):
                    await pilot.pause(0.05)


async def test_another_journal_is_followed_from_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "s"
    async with EngineAt(at(path)) as handle:
        app = Dashboard(desk(("lab", handle)))
        async with app.run_test(size=SIZE, notifications=True) as pilot:
            old = ScriptedEngine(STORY[:PROPOSED])
            async with serve_socket(server(old, SocketOwner(ANA), {}), path):
                await until(pilot, "default/petad")
            async with serve_socket(server(ScriptedEngine(many(2)), SocketOwner(ANA), {}), path):
                await until(pilot, "service-0002", seconds=20)
                assert "default/petad" not in text_of(app)


class Slow(Beside):
    """A handle whose every answer takes its time."""

    async def board(self) -> Board:
        await asyncio.sleep(4.0)
        return await super().board()


async def test_a_slow_link_stalls_no_key(tmp_path: Path) -> None:
    app = Dashboard(desk(("lab", Slow(ScriptedEngine(STORY[:PROPOSED])))))
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        shown = await settled(pilot, "question_mark")
        assert "keys and commands" in shown
        shown = await settled(pilot, "escape")
        assert "connecting to lab" in shown
        assert "All is well" not in shown
        await until(pilot, "INC-0001")


async def test_entries_of_a_newer_version_are_shown_and_stop_changes(tmp_path: Path) -> None:
    newer = ev.Unreadable(at=STORY[0].event.at, kind="remedy-rehearsed", text="{}")
    entry = Entry(seq=PROPOSED + 1, incident="INC-0001", number=PROPOSED, event=newer)
    app = Dashboard(desk(("lab", Beside(ScriptedEngine((*STORY[:PROPOSED], entry))))))
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await until(pilot, "INC-0001")
        await settled(pilot, "a")
        await until(pilot, "of a newer petops and cannot be read here")
        await settled(pilot, "i", "4")
        await until(pilot, "remedy-rehearsed")
