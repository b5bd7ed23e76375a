"""`petops` as a user runs it: processes of their own on a lab, and a daemon that is killed."""

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


def exported(terminal: Terminal, incident: str = "INC-0001") -> Any:
    """The incident's postmortem as JSON."""
    return json.loads(terminal.run("incidents", "export", incident, "--format", "json"))


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
        self.process = self.started()

    def started(self) -> subprocess.Popen[str]:
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
        self.process = self.started()
