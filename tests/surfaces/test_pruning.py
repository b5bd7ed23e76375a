"""What has long been over goes; what is open, young or noted stays, and the chain holds."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

from petops.domain import events as ev
from petops.domain.alarm import Assessment, Category, Priority
from petops.domain.incident import Board
from petops.domain.policy import Identity
from petops.journal.sqlite import SqliteJournal
from petops.programs.pruning import pruned
from tests.surfaces.small_engine import NOW, alarm

DAY = timedelta(days=1)
ANA = Identity(user="ana", channel="socket")
SO = Assessment(category=Category.MEMORY, priority=Priority.P1, because="x")


def opened(at: datetime) -> ev.Event:
    return ev.IncidentOpened(at=at, alarm=alarm(), assessment=SO)


def closed(at: datetime) -> ev.Event:
    return ev.Closed(at=at, by=ANA, because="done")


async def board_of(journal: SqliteJournal) -> Board:
    board = Board()
    while page := await journal.read(board.seq):
        board = board.after(*page)
    return board


async def test_old_incidents_go_and_no_id_is_given_twice(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    async with SqliteJournal.open(path) as journal:
        old, young = NOW - 100 * DAY, NOW - DAY
        turned = ev.AlarmTurnedAway(at=old, alarm=alarm(), because="x")
        await journal.append("-", 0, [turned, turned])
        await journal.append("INC-0001", 0, [opened(old), closed(old)])
        await journal.append("INC-0002", 0, [opened(young), closed(young)])
        assert await pruned(journal, 30 * DAY, NOW) == 4
        board = await board_of(journal)
        assert list(board.incidents) == ["INC-0002"]
        assert board.next_id == "INC-0003"
        assert (await journal.verified()).faults == ()
        assert await pruned(journal, 30 * DAY, NOW) == 0
        assert await pruned(journal, timedelta(hours=1), NOW) == 2
    async with SqliteJournal.open(path) as again:
        board = await board_of(again)
        assert (board.incidents, board.next_id) == ({}, "INC-0003")
        await again.append("-", board.loose, [turned])
        await again.append(board.next_id, 0, [opened(NOW)])
        assert (await again.verified()).faults == ()
        assert (await board_of(again)).next_id == "INC-0004"


async def test_an_open_incident_keeps_itself_and_what_is_behind_it(tmp_path: Path) -> None:
    async with SqliteJournal.open(tmp_path / "journal.db") as journal:
        old = NOW - 100 * DAY
        await journal.append("INC-0001", 0, [opened(old)])
        await journal.append("INC-0002", 0, [opened(old), closed(old)])
        assert await pruned(journal, 30 * DAY, NOW) == 0
        await journal.append("INC-0001", 1, [closed(NOW - 60 * DAY)])
        assert await pruned(journal, 30 * DAY, NOW) == 4


async def test_what_was_taken_out_by_others_is_still_found(tmp_path: Path) -> None:
    async with SqliteJournal.open(tmp_path / "journal.db") as journal:
        old = NOW - 100 * DAY
        await journal.append("INC-0001", 0, [opened(old), closed(old)])
        await journal.append("INC-0002", 0, [opened(NOW), closed(NOW)])
        await pruned(journal, 30 * DAY, NOW)
        with closing(sqlite3.connect(tmp_path / "journal.db")) as other:
            other.execute("delete from entries where seq = 3")
            other.commit()
        assert "line 3 is missing" in (await journal.verified()).faults[0].what
