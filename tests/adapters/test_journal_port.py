"""What every journal does, whatever it is kept in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from petops.domain import events as ev
from petops.errors import ConflictError, JournalError, SupersededError
from petops.journal.memory import MemoryJournal
from petops.journal.postgres import PostgresJournal, place_of
from petops.journal.sqlite import SqliteJournal
from petops.ports import Journal
from tests import postgres

NOW = datetime(2026, 11, 23, 6, 43, tzinfo=UTC)


def noted(*texts: str) -> list[ev.Event]:
    return [ev.Noted(at=NOW, text=text) for text in texts]


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    if postgres.programs() is None:
        pytest.skip("there is no PostgreSQL here; scripts/postgres.sh fetches one")
    with postgres.running() as url:
        yield url


async def emptied(url: str) -> None:
    import asyncpg  # noqa: PLC0415 (an extra)

    connection = await asyncpg.connect(url)
    await connection.execute("drop table if exists petops_entries, petops_head")
    await connection.close()


@pytest.fixture(
    params=["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.slow)],
)
async def journal(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Journal]:
    if request.param == "memory":
        yield MemoryJournal()
    elif request.param == "postgres":
        url = request.getfixturevalue("database")
        await emptied(url)
        async with PostgresJournal.open(url) as opened:
            yield opened
    else:
        async with SqliteJournal.open(tmp_path / "journal.db") as opened:
            yield opened


async def test_entries_are_read_in_the_order_in_which_they_were_appended(journal: Journal) -> None:
    first = await journal.append("INC-0001", 0, noted("a", "b"))
    second = await journal.append("INC-0002", 0, noted("c"))
    third = await journal.append("INC-0001", 2, noted("d"))
    assert [(one.seq, one.incident, one.number) for one in (*first, *second, *third)] == [
        (1, "INC-0001", 1),
        (2, "INC-0001", 2),
        (3, "INC-0002", 1),
        (4, "INC-0001", 3),
    ]
    assert await journal.read(0) == (*first, *second, *third)


async def test_reading_begins_after_and_ends_at_the_limit(journal: Journal) -> None:
    entries = await journal.append("-", 0, noted("a", "b", "c", "d"))
    assert await journal.read(1, limit=2) == entries[1:3]
    assert await journal.read(4) == ()
    assert await journal.read(99) == ()


@pytest.mark.parametrize("expected", [0, 1, 3])
async def test_who_comes_second_is_told_and_nothing_is_stored(
    journal: Journal, expected: int
) -> None:
    stood = await journal.append("INC-0001", 0, noted("a", "b"))
    with pytest.raises(ConflictError, match="2 entries"):
        await journal.append("INC-0001", expected, noted("x"))
    assert await journal.read(0) == stood
    assert len(await journal.append("INC-0001", 2, noted("y"))) == 1


async def test_nothing_appended_is_nothing(journal: Journal) -> None:
    assert await journal.append("INC-0001", 0, []) == ()
    assert await journal.read(0) == ()


async def test_a_memory_journal_goes_on_from_a_record() -> None:
    entries = await MemoryJournal().append("INC-0001", 0, noted("a", "b", "c"))
    journal = MemoryJournal(entries[1:])
    assert await journal.read(2) == entries[2:]
    (added,) = await journal.append("INC-0001", 3, noted("d"))
    assert (added.seq, added.number) == (4, 4)


@pytest.mark.slow
async def test_of_two_engines_on_one_database_the_later_one_writes(database: str) -> None:
    await emptied(database)
    async with PostgresJournal.open(database) as first:
        await first.append("INC-0001", 0, noted("a"))
        async with PostgresJournal.open(database) as second:
            assert second.token == first.token + 1
            with pytest.raises(SupersededError):
                await first.append("INC-0001", 1, noted("b"))
            await second.append("INC-0001", 1, noted("c"))
            assert [one.number for one in await first.read(0)] == [1, 2]
        with pytest.raises(SupersededError):
            async with PostgresJournal.open(database, token=1):
                pass
        async with PostgresJournal.open(database, token=40) as third:
            assert third.token == 40


@pytest.mark.slow
async def test_followers_of_many_writers_miss_nothing(database: str) -> None:
    await emptied(database)
    async with (
        PostgresJournal.open(database) as writer,
        PostgresJournal.open_read_only(database) as reader,
    ):
        seen: list[int] = []

        async def follow() -> None:
            while len(seen) < 200:
                page = await reader.read(seen[-1] if seen else 0)
                seen.extend(one.seq for one in page)

        async with asyncio.TaskGroup() as group:
            group.create_task(follow())
            for number in range(20):
                group.create_task(_ten(writer, f"INC-{number:04d}"))
        assert seen == list(range(1, 201))
        found = await writer.verified()
        assert (found.entries, found.faults) == (200, ())


async def _ten(journal: PostgresJournal, incident: str) -> None:
    for number in range(10):
        await journal.append(incident, number, noted("x"))


@pytest.mark.slow
async def test_an_edited_line_is_found_in_a_database_too(database: str) -> None:
    import asyncpg  # noqa: PLC0415 (an extra)

    await emptied(database)
    async with PostgresJournal.open(database) as journal:
        await journal.append("INC-0001", 0, noted("a", "b", "c"))
        connection = await asyncpg.connect(database)
        await connection.execute("update petops_entries set body = '{}' where seq = 2")
        await connection.close()
        assert "line 2" in (await journal.verified()).faults[0].what


async def test_a_database_that_is_away_is_one_sentence() -> None:
    with pytest.raises(JournalError, match=r"127\.0\.0\.1:9/x cannot be used") as raised:
        async with PostgresJournal.open("postgresql://ana:secret@127.0.0.1:9/x"):
            pass
    assert "secret" not in raised.value.message
    assert place_of("postgresql://ana:p@ss@host/x?sslmode=require") == "host/x"
