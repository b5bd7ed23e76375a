"""`petops investigate --case` on a real cluster's answers, through the production adapters."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow
RECORDINGS = Path(__file__).parents[1] / "recordings"
CAUSE, NO_CAUSE = 0, 3


def investigated(case: Path, *, path: str | None = None) -> tuple[int, Any, str]:
    environment = {"PATH": os.environ["PATH"] if path is None else path, "HOME": "/nonexistent"}
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", "petops", "investigate", "--case", str(case), "--json"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, json.loads(done.stdout) if done.stdout else None, done.stderr


def test_the_recorded_leak_is_named_and_the_undo_is_preferred() -> None:
    status, found, _ = investigated(RECORDINGS / "oomkill")
    assert status == CAUSE
    assert found["diagnosis"]["mode"] == "memory-leak"
    assert found["diagnosis"]["subject"] == {
        "kind": "Deployment",
        "namespace": "oomkill",
        "name": "orders-api",
    }
    first = found["remedies"][0]
    assert first["name"] == "undo-rollout"
    assert any("1.4.2" in line for line in first["diff"] if line.startswith("+"))
    assert first["inverse"]["edits"][0]["to"] == first["change"]["edits"][0]["was"]
    assert found["diagnosis"]["forecast"]["good_revision"] == 1


@pytest.mark.parametrize("case", ["crashloop", "throttle", "memory-pressure", "evicted-unmeasured"])
def test_no_leak_is_diagnosed_where_there_is_none(case: str) -> None:
    status, found, _ = investigated(RECORDINGS / case)
    assert status == NO_CAUSE
    assert found["diagnosis"] is None
    assert found["no_cause"]
    assert found["remedies"] == []


def test_every_key_of_the_contract_stands_always() -> None:
    wanted = {
        *("incident", "phase", "priority", "category", "alarm", "diagnosis", "evidence"),
        *("rivals", "gaps", "also_broken", "remedies", "timings"),
    }
    for case in ("oomkill", "crashloop"):
        _, found, _ = investigated(RECORDINGS / case)
        assert wanted <= set(found)
        assert {"detect_seconds", "investigate_seconds", "total_seconds"} <= set(found["timings"])
        for row in found["evidence"]:
            assert row["verdict"] in {"for", "against", "not-measured"}
            assert {"mode", "step", "statement", "seen", "refuted_if", "query", "window"} <= set(
                row
            )


def test_a_folder_that_is_none_or_is_broken_is_said(tmp_path: Path) -> None:
    status, _, said = investigated(tmp_path / "none")
    assert status == 2
    assert "error:" in said
    shutil.copytree(RECORDINGS / "crashloop", tmp_path / "broken")
    (tmp_path / "broken" / "pods.json").write_text("{", encoding="utf-8")
    status, _, said = investigated(tmp_path / "broken")
    assert status == 2
    assert "pods.json" in said
