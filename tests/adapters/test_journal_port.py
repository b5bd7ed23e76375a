"""What every journal does, whatever it is kept in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from petops.domain import events as ev
from petops.errors import ConflictError
from petops.journal.memory import MemoryJournal
from petops.journal.sqlite import SqliteJournal
from petops.ports import Journal

NOW = datetime(2026, 11, 23, 6, 43, tzinfo=UTC)


def noted(*texts: str) -> list[ev.Event]:
    return [ev.Noted(at=NOW, text=text) for text in texts]


@pytest.fixture(params=["memory", "sqlite"])
async def journal(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Journal]:
    if request.param == "memory":
        yield MemoryJournal()
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
