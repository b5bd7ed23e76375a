"""The file: who may open it, what survives, and what is said when it fails."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from petops.domain import events as ev
from petops.errors import ConflictError, JournalError
from petops.journal.sqlite import SqliteJournal

NOW = datetime(2026, 11, 23, 6, 43, tzinfo=UTC)

APPENDS = """
import asyncio, sys
from datetime import UTC, datetime
from pathlib import Path
from petops.domain.events import ActFailed, Noted
from petops.journal.sqlite import SqliteJournal

async def main():
    async with SqliteJournal.open(Path(sys.argv[1])) as journal:
        for number in range(0, 1_000_000, 2):
            now = datetime.now(UTC)
            await journal.append("INC-0001", number, [Noted(at=now, text="x" * 500),
                ActFailed(at=now, act="a", why="w") if number % 10 else Noted(at=now, text="y")])
            print(number + 2, flush=True)

asyncio.run(main())
"""
FILLS = """
import asyncio, resource, sys
from datetime import UTC, datetime
from pathlib import Path
from petops.domain.events import Noted
from petops.errors import JournalError
from petops.journal.sqlite import SqliteJournal

async def main():
    path = Path(sys.argv[1])
    note = Noted(at=datetime.now(UTC), text="x" * 2000)
    async with SqliteJournal.open(path) as journal:
        limited = len(sys.argv) > 2
        if limited:
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
        number = 0
        try:
            while number < 20_000:
                await journal.append("INC-0001", number, [note, note])
                number += 2
        except JournalError as exc:
            print(exc.message)
        assert len(await journal.read(0, 100_000)) == number, number
        if limited:
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        else:
            Path(sys.argv[1]).with_name("ballast").unlink()
        await journal.append("INC-0001", number, [note, note])
        assert [one.number for one in await journal.read(0, 100_000)] == list(range(1, number + 3))
        print("works again")

asyncio.run(main())
"""


def noted(text: str = "x") -> ev.Event:
    return ev.Noted(at=NOW, text=text)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "state" / "journal.db"
    async with SqliteJournal.open(path) as journal:
        await journal.append("INC-0001", 0, [noted()])
        assert mode(path.parent) == 0o700
        assert {one.name: mode(one) for one in path.parent.iterdir()} == dict.fromkeys(
            ("journal.db", "journal.db-shm", "journal.db-wal", "journal.db.lock"), 0o600
        )


async def test_what_was_stored_is_there_after_opening_again(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    async with SqliteJournal.open(path) as journal:
        stored = await journal.append("INC-0001", 0, [noted("ä\n\0"), noted("b")])
    async with SqliteJournal.open(path) as journal:
        assert await journal.read(0) == stored
        assert (await journal.append("INC-0001", 2, [noted()]))[0].seq == 3


async def test_an_event_of_a_later_version_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    async with SqliteJournal.open(path) as journal:
        await journal.append("INC-0001", 0, [noted()])
    with sqlite3.connect(path) as file:
        file.execute("update entries set kind = 'sung', body = '{\"kind\":\"sung\"}'")
    file.close()
    async with SqliteJournal.open(path) as journal:
        (entry,) = await journal.read(0)
    assert entry.event == ev.Unreadable(at=NOW, kind="sung", text='{"kind":"sung"}')


async def test_many_at_once_lose_nothing(tmp_path: Path) -> None:
    async with SqliteJournal.open(tmp_path / "journal.db") as journal:
        async with asyncio.TaskGroup() as group:
            for n in range(50):
                group.create_task(journal.append(f"INC-{n}", 0, [noted(), noted()]))
        entries = await journal.read(0)
    assert [one.seq for one in entries] == list(range(1, 101))


async def test_a_cancelled_append_is_whole_or_not_there(tmp_path: Path) -> None:
    async with SqliteJournal.open(tmp_path / "journal.db") as journal:
        task = asyncio.create_task(journal.append("INC-0001", 0, [noted(), noted()]))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert len(await journal.read(0)) in {0, 2}


async def test_another_in_this_process_is_locked_out_too(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    async with SqliteJournal.open(path):
        with pytest.raises(JournalError, match=f"in use by process {os.getpid()}") as raised:
            async with SqliteJournal.open(path):
                pass
    assert raised.value.hint
    async with SqliteJournal.open(path):
        pass


async def test_a_reader_sees_what_a_writer_stores(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    async with SqliteJournal.open(path) as writer, SqliteJournal.open_read_only(path) as reader:
        stored = await writer.append("INC-0001", 0, [noted()])
        assert await reader.read(0) == stored
        with pytest.raises(JournalError, match="readonly"):
            await reader.append("INC-0001", 1, [noted()])
    async with SqliteJournal.open_read_only(path) as reader:
        assert await reader.read(0) == stored


async def test_there_is_nothing_to_read_where_no_journal_is(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="there is no journal"):
        async with SqliteJournal.open_read_only(tmp_path / "journal.db"):
            pass


async def test_a_journal_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    async with SqliteJournal.open(path):
        pass
    with sqlite3.connect(path) as file:
        file.execute("pragma user_version = 7")
    file.close()
    for opening in (SqliteJournal.open, SqliteJournal.open_read_only):
        with pytest.raises(JournalError, match="version 7") as raised:
            async with opening(path):
                pass
        assert raised.value.hint


async def test_a_database_of_something_else_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with sqlite3.connect(path) as file:
        file.execute("create table recipes (name text)")
    file.close()
    with pytest.raises(JournalError, match="no journal of petops"):
        async with SqliteJournal.open(path):
            pass


async def test_a_file_that_is_no_database_is_said_to_be_damaged(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    path.write_bytes(b"nonsense" * 1000)
    with pytest.raises(JournalError, match="damaged") as raised:
        async with SqliteJournal.open(path):
            pass
    assert raised.value.hint


async def test_a_damaged_page_is_an_error_and_no_crash(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    async with SqliteJournal.open(path) as journal:
        await journal.append("INC-0001", 0, [noted("x" * 500)] * 200)
    with path.open("r+b") as file:
        file.seek(8192)
        file.write(b"\xff" * 65_536)
    with pytest.raises(JournalError, match="damaged"):
        async with SqliteJournal.open(path) as journal:
            await journal.read(0)


async def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalError, match="cannot be written"):
        async with SqliteJournal.open(tmp_path / "file" / "journal.db"):
            pass


async def test_the_writer_that_is_ahead_wins_even_without_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    async with SqliteJournal.open(path) as journal:
        path.with_name("journal.db.lock").unlink()
        async with SqliteJournal.open(path) as other:
            await other.append("INC-0001", 0, [noted()])
            with pytest.raises(ConflictError):
                await journal.append("INC-0001", 0, [noted()])


@pytest.mark.slow
async def test_a_killed_writer_leaves_what_it_said_it_stored(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    command = [sys.executable, "-c", APPENDS, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:  # noqa: S603, ASYNC220
        assert writer.stdout is not None
        said = [int(writer.stdout.readline()) for _ in range(100)]
        with pytest.raises(JournalError, match=f"in use by process {writer.pid}"):
            async with SqliteJournal.open(path):
                pass
        writer.kill()
        said += [int(line) for line in writer.stdout if line.endswith("\n")]
    async with SqliteJournal.open(path) as journal:
        entries = await journal.read(0, 1_000_000)
        assert [one.number for one in entries] == list(range(1, len(entries) + 1))
        assert len(entries) in {said[-1], said[-1] + 2}
        assert await journal.append("INC-0001", len(entries), [noted()])


@pytest.mark.slow
def test_a_file_that_may_not_grow_loses_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FILLS, str(tmp_path / "journal.db"), "limited"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr
    assert "no space" in done.stdout
    assert done.stdout.endswith("works again\n")


@pytest.mark.slow
def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    script = f"""
        mount -t tmpfs -o size=1m none {tmp_path} || exit 77
        head -c 500000 /dev/zero > {tmp_path}/ballast
        exec "$@" {tmp_path}/journal.db
    """
    command = [
        "/usr/bin/env",
        "unshare",
        "--user",
        "--map-root-user",
        "--mount",
        "sh",
        "-c",
        script,
    ]
    program = ["sh", sys.executable, "-c", FILLS]
    done = subprocess.run([*command, *program], capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode in {1, 77, 127} and "works again" not in done.stdout and not done.stdout:
        pytest.skip(f"no private mount here: {done.stderr.strip()[:80]}")
    assert done.returncode == 0, done.stderr
    assert "no space" in done.stdout
    assert done.stdout.endswith("works again\n")
