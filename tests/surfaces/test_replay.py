"""An incident again from its record: exported as a case, and concluded again."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from petops.domain.events import CauseCorrected
from petops.domain.incident import Incident
from petops.domain.phases import Phase
from petops.errors import PetopsError, UsageError
from petops.journal.sqlite import SqliteJournal
from petops.programs.postmortem import markdown
from petops.programs.replaying import export_case, incident_of, replayed
from tests.engine.leaky import SUBJECT
from tests.engine.stage import RESPONDER, Stage

pytestmark = pytest.mark.looptime
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


async def leaked() -> Incident:
    stage = Stage()
    async with stage.running() as engine:
        await stage.leak_for(60)
        await stage.report(engine)
        return await stage.until(engine, Phase.WAITING)


def petops(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", "petops", *words],
        capture_output=True,
        text=True,
        check=False,
        env={"PETOPS_JOURNAL": str(home / "journal.db"), "HOME": str(home), "PATH": ""},
    )


def journal_of(incident: Incident, path: Path) -> None:
    async def write() -> None:
        async with SqliteJournal.open(path) as journal:
            await journal.append(incident.id, 0, [one.event for one in incident.history])

    asyncio.run(write())


async def test_the_same_answers_lead_to_the_same_verdict() -> None:
    incident = await leaked()
    found = replayed(incident)
    assert found.is_same
    assert found.now == incident.diagnosis


@pytest.mark.slow
async def test_answers_that_are_missing_lead_elsewhere_and_that_is_told(tmp_path: Path) -> None:
    incident = await leaked()
    blind = replace(
        incident, answers=tuple(one for one in incident.answers if "memory" not in one.step)
    )
    assert not replayed(blind).is_same
    kept = [
        one for one in incident.history if "memory" not in str(getattr(one.event, "answer", ""))
    ]
    await asyncio.to_thread(
        journal_of, replace(incident, history=tuple(kept)), tmp_path / "journal.db"
    )
    done = petops(tmp_path, "replay", incident.id)
    assert done.returncode == 1, done.stderr
    assert "then it was:" in done.stdout


@pytest.mark.slow
async def test_an_exported_case_is_investigated_and_scored(tmp_path: Path) -> None:
    incident = await leaked()
    await asyncio.to_thread(journal_of, incident, tmp_path / "journal.db")
    case = tmp_path / "case"
    assert petops(tmp_path, "incidents", "export", incident.id, "--case", str(case)).returncode == 0
    expected = json.loads((case / "expected.json").read_text())
    assert expected["mode"] == "memory-leak"
    assert expected["remedy"] == "undo-rollout"
    done = petops(tmp_path, "investigate", "--case", str(case), "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["diagnosis"]["mode"] == "memory-leak"
    assert petops(tmp_path, "eval", str(case)).returncode == 0
    again = petops(tmp_path, "replay", incident.id, "--json")
    assert json.loads(again.stdout)["same"] is True


async def test_what_a_person_said_that_it_was_is_what_the_case_is_scored_against(
    tmp_path: Path,
) -> None:
    incident = await leaked()
    said = CauseCorrected(at=NOW, by=RESPONDER, mode="nothing", because="a load test")
    export_case(replace(incident, corrected=said), tmp_path)
    assert json.loads((tmp_path / "expected.json").read_text()) == {"mode": None}
    other = replace(said, mode="hpa-maxed", subject=SUBJECT)
    export_case(replace(incident, corrected=other), tmp_path)
    expected = json.loads((tmp_path / "expected.json").read_text())
    assert expected["mode"] == "hpa-maxed"
    assert expected["subject"]["name"] == "checkout"
    text = markdown(replace(incident, corrected=said))
    assert "- What it really was, says alice: nothing: a load test." in text


async def test_what_is_no_case_is_said(tmp_path: Path) -> None:
    (tmp_path / "entries.jsonl").write_text("{}\n", encoding="utf-8")
    with pytest.raises(PetopsError, match="no entry of a journal"):
        incident_of(tmp_path)
    (tmp_path / "entries.jsonl").write_text("", encoding="utf-8")
    with pytest.raises(UsageError, match="has no incident"):
        incident_of(tmp_path)
    incident = replace(await leaked(), diagnosis=None)
    with pytest.raises(PetopsError, match="not investigated to its end"):
        export_case(incident, tmp_path / "case")
    assert not (tmp_path / "case").exists()
