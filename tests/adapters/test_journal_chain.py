"""The chain of hashes: whoever edits, removes or adds lines is found out, and the line is named."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

from petops.domain import events as ev
from petops.errors import JournalError, SupersededError
from petops.journal.chain import Verified, link
from petops.journal.memory import MemoryJournal
from petops.journal.sqlite import SqliteJournal

NOW = datetime(2026, 11, 23, 6, 43, tzinfo=UTC)
VERSION_1 = """
create table entries (
    seq integer primary key, incident text not null, number integer not null, kind text not null,
    at text not null, body text not null, unique (incident, number)
)
"""


async def written(path: Path, count: int = 5) -> Path:
    async with SqliteJournal.open(path) as journal:
        for number in range(count):
            note = ev.Noted(at=NOW, text=f"line {number + 1} ä")
            await journal.append("INC-0001", number, [note])
    return path


def edited(path: Path, *statements: str) -> None:
    with sqlite3.connect(path) as file:
        for one in statements:
            file.execute(one)
    file.close()


async def verified(path: Path, expected: str = "") -> Verified:
    async with SqliteJournal.open_read_only(path) as journal:
        return await journal.verified(expected)


async def test_what_nobody_touched_is_content(tmp_path: Path) -> None:
    path = await written(tmp_path / "journal.db")
    found = await verified(path)
    assert not found.faults
    assert found.entries == 5
    assert not (await verified(path, found.head)).faults
    async with SqliteJournal.open(path) as journal:
        await journal.append("INC-0001", 5, [ev.Noted(at=NOW, text="more")])
    assert not (await verified(path, found.head)).faults, "a hash noted earlier stays in the chain"


@pytest.mark.parametrize("seq", [1, 3, 5])
@pytest.mark.parametrize(
    "change",
    [
        "body = replace(body, 'line', 'lime')",
        "at = '2026-11-23T06:43:01+00:00'",
        "incident = 'INC-0002'",
        "kind = 'closed'",
        "hash = 'ff'",
    ],
)
async def test_an_edited_line_is_named(tmp_path: Path, seq: int, change: str) -> None:
    path = await written(tmp_path / "journal.db")
    edited(path, f"update entries set {change} where seq = {seq}")  # noqa: S608
    faults = (await verified(path)).faults
    assert faults[0].seq == seq
    assert f"line {seq} " in faults[0].what


async def test_an_edit_with_its_own_hash_recomputed_breaks_the_next_line(tmp_path: Path) -> None:
    path = await written(tmp_path / "journal.db")
    with sqlite3.connect(path) as file:
        rows = file.execute("select * from entries order by seq").fetchall()
        row = (*rows[2][:5], rows[2][5].replace("line", "lime"))
        file.execute(
            "update entries set body = ?, hash = ? where seq = 3", (row[5], link(rows[1][6], row))
        )
    file.close()
    assert [one.seq for one in (await verified(path)).faults] == [4]


@pytest.mark.parametrize(
    ("where", "first", "words"),
    [
        ("seq = 3", 3, "line 3 is missing"),
        ("seq in (2, 3)", 2, "lines 2 to 3 are missing"),
        ("seq = 1", 1, "line 1 is missing"),
        ("seq > 3", 4, "lines 4 to 5 are missing"),
    ],
)
async def test_missing_lines_are_named(tmp_path: Path, where: str, first: int, words: str) -> None:
    path = await written(tmp_path / "journal.db")
    edited(path, f"delete from entries where {where}")  # noqa: S608
    (fault,) = (await verified(path)).faults
    assert (fault.seq, fault.what) == (first, words)


async def test_lines_that_others_added_are_named(tmp_path: Path) -> None:
    path = await written(tmp_path / "journal.db")
    edited(
        path,
        "insert into entries select 6, incident, 6, kind, at, body, 'x' from entries where seq = 5",
    )
    assert {one.seq for one in (await verified(path)).faults} == {6}


async def test_a_journal_that_was_written_anew_lacks_the_hash_noted_elsewhere(
    tmp_path: Path,
) -> None:
    noted = (await verified(await written(tmp_path / "a.db"))).head
    other = await written(tmp_path / "b.db", count=6)
    edited(other, "update head set token = 9")
    assert not (await verified(other)).faults
    faults = (await verified(other, "0" * 63 + "1")).faults
    assert "written anew" in faults[0].what
    assert not (await verified(other, noted)).faults, "the same lines have the same hashes"


async def test_a_journal_of_version_1_is_chained_when_an_engine_opens_it(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    body = '{"kind":"noted","at":"2026-11-23T06:43:00Z","request":"","text":"old"}'
    edited(
        path,
        VERSION_1,
        "insert into entries values "  # noqa: S608
        f"(1, 'INC-0001', 1, 'noted', '2026-11-23T06:43:00+00:00', '{body}')",
        "pragma user_version = 1",
    )
    with pytest.raises(JournalError, match="no chain yet"):
        await verified(path)
    async with SqliteJournal.open_read_only(path) as journal:
        assert len(await journal.read(0)) == 1
    async with SqliteJournal.open(path) as journal:
        await journal.append("INC-0001", 1, [ev.Noted(at=NOW, text="new")])
    found = await verified(path)
    assert found.entries == 2
    assert not found.faults
    edited(path, "update entries set body = replace(body, 'old', 'odd') where seq = 1")
    assert [one.seq for one in (await verified(path)).faults] == [1]


async def test_an_engine_that_was_superseded_writes_nothing_more(tmp_path: Path) -> None:
    path = await written(tmp_path / "journal.db")
    async with SqliteJournal.open(path) as journal:
        path.with_name("journal.db.lock").unlink()
        async with SqliteJournal.open(path) as later:
            assert later.token > journal.token
            with pytest.raises(SupersededError):
                await journal.append("INC-0001", 5, [ev.Noted(at=NOW, text="x")])
            assert len(await later.read(0)) == 5
    held = MemoryJournal()
    after = held.taken_over()
    assert after.token > held.token
    with pytest.raises(SupersededError):
        await held.append("INC-0001", 0, [ev.Noted(at=NOW, text="x")])
