"""The commands that list what petops knows say what a runbook may name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from petops import knowledge
from petops.commands.main import app
from petops.config import Settings
from petops.config.sections import KnowledgeSettings
from petops.errors import UsageError
from petops.playbooks import MODES
from petops.programs import doctor_own
from petops.programs.catalogue import failure_modes, known_remedies, mode_named
from petops.programs.doctor_check import Verdict
from petops.remedies import REMEDIES
from tests.knowledge.written import written_to


def told(*words: str, folder: Path | None = None) -> str:
    given = {"PETOPS_KNOWLEDGE_FOLDER": str(folder) if folder else ""}
    done = CliRunner().invoke(app, ["modes", *words], env=given)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_a_failure_mode_lists_its_steps(tmp_path: Path) -> None:
    folder = written_to(tmp_path)
    lines = told("certificate-expired", folder=folder).splitlines()
    assert lines[0].startswith("certificate-expired: certificate has run out (")
    assert lines[1] == "  certificate-days-left  How long does its certificate last?"
    assert "  runbook history-leaks" in told("memory-leak", folder=folder).splitlines()
    (found,) = json.loads(told("memory-leak", "--json"))
    assert [name for name, _ in found["steps"]] == [one.name for one in MODES["memory-leak"].steps]


def test_remedies_are_listed_with_their_risk(tmp_path: Path) -> None:
    listed = told("--remedies")
    assert [line.split()[0] for line in listed.splitlines()] == list(REMEDIES)
    (tmp_path / "own.py").write_text(
        "from dataclasses import replace\nfrom petops.remedies import REMEDIES\n"
        "REMEDY = replace(REMEDIES['look-closer'], name='look-again')\n"
    )
    own = knowledge.loaded(str(tmp_path), packages=False)
    assert known_remedies(own)[-1].origin.endswith("own.py")
    rows = json.loads(told("--remedies", "--json", folder=tmp_path))
    assert rows[-1]["name"] == "look-again"


def test_an_unknown_failure_mode_is_one_sentence() -> None:
    own = knowledge.loaded(packages=False)
    with pytest.raises(UsageError, match="there is no failure mode 'memory-leek'") as raised:
        mode_named("memory-leek", failure_modes(own))
    assert raised.value.hint == "did you mean memory-leak?"


async def test_the_doctor_says_what_is_brought_and_what_is_wrong_with_it(tmp_path: Path) -> None:
    def given(folder: Path) -> Settings:
        chosen = KnowledgeSettings(folder=str(folder), packages=False)
        return Settings(knowledge=chosen, source=({"name": "inventory"},))

    (right,) = await doctor_own.look(given(written_to(tmp_path)))
    assert (right.verdict, right.told) == (
        Verdict.OK,
        "1 failure mode, 1 source, 1 runbook",
    )
    (tmp_path / "certificates.py").unlink()
    (wrong,) = await doctor_own.look(given(tmp_path))
    assert wrong.verdict is Verdict.WARNING
    assert wrong.told.startswith("there is no source 'inventory' for its [[source]] table")
    assert wrong.told.endswith(", and 1 more")
    (none,) = await doctor_own.look(Settings(knowledge=KnowledgeSettings(packages=False)))
    assert none.verdict is Verdict.OFF
