"""The loop from several terminals: the lab up in one, every other a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow
PATIENCE_SECONDS = 200
KUBECTL = Path(__file__).parents[2] / ".tools" / "kubectl"


class Terminal:
    """Runs `petops` as a user of its own, with a state folder of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        kept = {key: os.environ[key] for key in ("PATH", "LANG", "TMPDIR") if key in os.environ}
        self.environment = kept | {
            "HOME": str(home),
            "XDG_STATE_HOME": str(home / "state"),
            "XDG_CONFIG_HOME": str(home / "config"),
        }

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-m", "petops", *words],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: str, status: int = 0, given: str | None = None) -> str:
        done = subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-m", "petops", *words],
            env=self.environment,
            input=given,
            stdin=None if given is not None else subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        assert done.returncode == status, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout if status == 0 else done.stderr

    def json(self, *words: str) -> Any:
        return json.loads(self.run(*words, "--json"))

    def variables(self) -> dict[str, str]:
        lines = self.run("lab", "env").splitlines()
        pairs = (line.removeprefix("export ").split("=", 1) for line in lines)
        return {name: value.strip("'") for name, value in pairs}

    def until(self, incident: str, *phases: str) -> dict[str, Any]:
        deadline = time.monotonic() + PATIENCE_SECONDS
        found: dict[str, Any] = {}
        while time.monotonic() < deadline:
            listed = self.json("incidents", "list", "--all")
            found = next((one for one in listed if one["incident"] == incident), {})
            if found.get("phase") in phases:
                return found
            time.sleep(0.5)
        raise AssertionError(f"{incident} is {found.get('phase')}, not {phases}")


@contextmanager
def lab_of_a_user(home: Path, *options: str) -> Iterator[Terminal]:
    """A user whose lab is up; everything of it is gone afterwards."""
    user = Terminal(home)
    lab = user.start("lab", "up", *options)
    try:
        assert lab.stdout is not None
        for line in lab.stdout:
            if line.startswith("Ctrl-C"):
                break
        else:
            raise AssertionError(lab.stderr.read() if lab.stderr else "")
        yield user
    finally:
        user.run("lab", "down")
        assert lab.wait(20) == 0
        assert "no lab runs" in user.run("lab", "status")
        for pipe in (lab.stdout, lab.stderr):
            if pipe is not None:
                pipe.close()
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def terminal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    with lab_of_a_user(tmp_path_factory.mktemp("user")) as user:
        yield user


@pytest.fixture
def bare_terminal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    """A lab without an engine."""
    with lab_of_a_user(tmp_path_factory.mktemp("user"), "--no-engine") as user:
        yield user


def kubectl(terminal: Terminal, *words: str) -> str:
    if not KUBECTL.exists():
        pytest.skip("there is no kubectl for this platform in .tools")
    done = subprocess.run(  # noqa: S603 - prepared by the gate
        [str(KUBECTL), *words],
        env=terminal.environment | terminal.variables(),
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return done.stdout


def test_a_leak_is_found_approved_and_mitigated_from_three_terminals(terminal: Terminal) -> None:
    assert "no open incidents" in terminal.run("incidents")
    terminal.run("chaos", "inject", "memory-leak")
    assert "injected already" in terminal.run("chaos", "inject", "memory-leak", status=4)
    found = terminal.until("INC-0001", "waiting")
    assert found["diagnosis"]["mode"] == "memory-leak"
    assert found["alarm"]["cluster"] == "petops-lab"
    assert found["timings"]["investigate_seconds"] < 15
    restart = next(one for one in found["remedies"] if one["name"] == "restart-workload")
    assert restart["diff_by"] == "server dry run"
    short = restart["digest"].removeprefix("sha256:")[:8]

    before = kubectl(terminal, "get", "pods", "-o", "name")
    assert "no change with digest" in terminal.run("approve", "INC-0001", "0" * 12, status=4)
    terminal.run("approve", "INC-0001", short)
    assert "decided already" in terminal.run("approve", "INC-0001", short, status=4)
    terminal.until("INC-0001", "recovered", "mitigated")
    after = kubectl(terminal, "get", "pods", "-o", "name")
    leaking = {one for one in after.split() if "-leak-" in one}
    assert leaking
    assert leaking.isdisjoint(before.split())

    ended = terminal.until("INC-0001", "mitigated")
    assert ended["outcome"]["forecast"]["next_kill_at"]
    whole = terminal.run("incidents", "show", "INC-0001")
    for words in ("approved by lab-admin", "recovered:", "mitigated, not fixed", "MTTR"):
        assert words in whole
    terminal.run("chaos", "clean")
    assert "was not injected" in terminal.run("chaos", "clean")


def test_bad_input_gets_one_sentence(terminal: Terminal) -> None:
    cases = {
        ("incidents", "show", "INC-9999"): (2, "there is no incident"),
        ("chaos", "inject", "no-such"): (2, "there is no scenario"),
        ("chaos", "inject", "memory-leak", "--ttl", "soon"): (2, "time to live"),
        ("investigate", "no-such-alarm"): (2, "CloudWatch has no alarm"),
        ("investigate", "@/no/such/file"): (2, "cannot be read"),
        ("approve", "INC-9999", "0" * 8): (4, "there is no incident"),
        ("lab", "up"): (1, "a lab runs already"),
    }
    for words, (status, said) in cases.items():
        assert said in terminal.run(*words, status=status), words
    for given in ("", "{}", "[1]", "nonsense", '{"detail-type": "x", "source": "y"}'):
        assert "error:" in terminal.run("investigate", "-", status=1, given=given), given


def test_an_alarm_by_its_name_is_investigated_at_once(terminal: Terminal) -> None:
    name = "default-petadoptionshistory-py-memory"
    said = terminal.run("investigate", name, status=3)
    assert "incident INC-0001" in said
    found = terminal.until("INC-0001", "unexplained")
    assert found["diagnosis"] is None
    assert found["no_cause"]


def entries_of(journal: Path) -> list[str]:
    """The kinds of INC-0001's entries, as another process reads them."""
    if not journal.exists():
        return []
    with closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as opened:
        rows = opened.execute(
            "select kind from entries where incident = 'INC-0001' order by number"
        ).fetchall()
    return [str(kind) for (kind,) in rows]


class Daemon:
    """The engine in a process of its own, which is killed and started again."""

    def __init__(self, terminal: Terminal) -> None:
        self.terminal = terminal
        self.journal = Path(terminal.variables()["PETOPS_JOURNAL"])
        terminal.environment |= terminal.variables()
        self.process = self._started()

    def _started(self) -> subprocess.Popen[str]:
        process = self.terminal.start("daemon", "--port", "0")
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("ready"):
                return process
        raise AssertionError("the daemon did not start")

    def end(self, how: signal.Signals) -> None:
        self.process.send_signal(how)
        self.process.wait(20)
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()

    def killed_at_the_next_entry(self) -> None:
        """Wait for an entry more than now, kill -9 at once, and start again."""
        before, deadline = len(entries_of(self.journal)), time.monotonic() + PATIENCE_SECONDS
        while len(entries_of(self.journal)) <= before:
            assert time.monotonic() < deadline, entries_of(self.journal)
            time.sleep(0.001)
        self.end(signal.SIGKILL)
        self.process = self._started()


def test_the_engine_is_killed_at_entry_after_entry_and_acts_once(bare_terminal: Terminal) -> None:
    terminal = bare_terminal
    daemon = Daemon(terminal)
    try:
        terminal.run("chaos", "inject", "memory-leak")
        while "remedies-proposed" not in entries_of(daemon.journal):
            daemon.killed_at_the_next_entry()
        found = terminal.until("INC-0001", "waiting")
        digest = next(one for one in found["remedies"] if one["name"] == "restart-workload")
        approval = terminal.start("approve", "INC-0001", digest["digest"])
        while "remedy-applied" not in entries_of(daemon.journal):
            daemon.killed_at_the_next_entry()
            assert "act-failed" not in entries_of(daemon.journal)
        approval.communicate(timeout=30)
        daemon.killed_at_the_next_entry()
        terminal.until("INC-0001", "mitigated")
        kinds = entries_of(daemon.journal)
        assert kinds.count("remedy-approved") == 1
        assert kinds.count("act-intended") == 1
        assert kinds.count("remedy-applied") == 1
        generation = kubectl(
            terminal,
            *("get", "deployment", "petadoptionshistory-py-leak"),
            *("-o", "jsonpath={.metadata.generation}"),
        )
        assert generation == "2"
    finally:
        daemon.end(signal.SIGTERM)
