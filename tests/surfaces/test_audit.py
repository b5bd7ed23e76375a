"""`petops audit verify` and `petops incidents export`, on a journal that an engine wrote."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from petops.domain import events as ev
from petops.domain.alarm import Assessment, Category, Priority
from petops.journal.sqlite import SqliteJournal
from tests.surfaces.small_engine import alarm

NOW = datetime(2026, 11, 23, 6, 43, tzinfo=UTC)


@pytest.fixture
async def journal(tmp_path: Path) -> Path:
    path = tmp_path / "journal.db"
    why = Assessment(category=Category.MEMORY, priority=Priority.P1, because="x")
    async with SqliteJournal.open(path) as opened:
        first = ev.IncidentOpened(at=NOW, alarm=alarm(), assessment=why)
        await opened.append("INC-0001", 0, [first, ev.Noted(at=NOW, text="one")])
    return path


def petops(journal: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", "petops", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={"PETOPS_JOURNAL": str(journal), "HOME": str(journal.parent), "PATH": ""},
    )


@pytest.mark.slow
def test_a_journal_as_it_was_written_is_content(journal: Path) -> None:
    done = petops(journal, "audit", "verify")
    assert done.returncode == 0, done.stderr
    assert "2 lines, each as it was written" in done.stdout
    head = done.stdout.split()[-1]
    assert petops(journal, "audit", "verify", "--expect", head).returncode == 0
    other = petops(journal, "audit", "verify", "--expect", "0" * 63 + "1")
    assert other.returncode == 1
    assert "written anew" in other.stderr


@pytest.mark.slow
def test_a_line_that_was_edited_is_named(journal: Path) -> None:
    with sqlite3.connect(journal) as file:
        file.execute("update entries set body = replace(body, 'one', 'two') where seq = 2")
    file.close()
    done = petops(journal, "audit", "verify", "--json")
    assert done.returncode == 1
    found = json.loads(done.stdout)
    assert found["ok"] is False
    assert found["faults"][0]["line"] == 2
    assert "error: the journal" in done.stderr
    assert "line 2" in done.stderr


@pytest.mark.slow
def test_no_journal_is_one_sentence(tmp_path: Path) -> None:
    done = petops(tmp_path / "none.db", "audit", "verify")
    assert done.returncode == 1
    assert done.stderr.startswith("error: there is no journal")
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_an_incident_is_exported_as_markdown_and_as_json(journal: Path) -> None:
    text = petops(journal, "incidents", "export", "INC-0001")
    assert text.stdout.startswith("# INC-0001: no cause found")
    whole = json.loads(
        petops(journal, "incidents", "export", "INC-0001", "--format", "json").stdout
    )
    assert [one["told"] for one in whole["timeline"]][1] == "note: one"
    assert petops(journal, "incidents", "export", "INC-9999").returncode == 2
