"""The dashboard on a real terminal: tmux holds it, a lab is behind it, only keys are pressed."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.surfaces.terminals import Terminal, lab_of_a_user

TMUX = shutil.which("tmux")
PATIENCE_SECONDS = 150.0

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(TMUX is None, reason="tmux is not installed: no real terminal to test on"),
]


class Window:
    """One tmux session of its own server."""

    def __init__(self, folder: Path, environment: dict[str, str], size: tuple[int, int]) -> None:
        self._socket = folder / "tmux"
        self._environment = environment | {"LANG": "C.UTF-8", "TERM": "xterm-256color"}
        columns, lines = size
        self._tmux(
            "-f", os.devnull, "new-session", "-d", "-x", str(columns), "-y", str(lines), "sh"
        )

    def _tmux(self, *words: str) -> str:
        done = subprocess.run(  # noqa: S603 - found on the path
            [str(TMUX), "-S", str(self._socket), *words],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
        return done.stdout

    def type(self, text: str) -> None:
        """Type text as it is."""
        self._tmux("send-keys", "-l", text)
        time.sleep(0.3)

    def press(self, *keys: str) -> None:
        """Press keys by their names."""
        for key in keys:
            self._tmux("send-keys", key)
            time.sleep(0.3)

    def line(self, text: str) -> None:
        """Type a line."""
        self.type(text)
        self.press("Enter")

    @property
    def text(self) -> str:
        return self._tmux("capture-pane", "-p")

    def flags(self) -> str:
        """Return: alternate screen, cursor shown, mouse asked for."""
        return self._tmux(
            "display", "-p", "#{alternate_on} #{cursor_flag} #{mouse_any_flag}"
        ).strip()

    def until(self, *words: str, seconds: float = 30.0) -> str:
        """Return the screen once it holds one of the words."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            text = self.text
            if any(one in text for one in words):
                return text
            time.sleep(0.2)
        raise AssertionError(f"none of {words} in:\n{self.text}")

    def end(self) -> None:
        """End the session and its server."""
        self._tmux("kill-server")


@pytest.fixture
def terminal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    with lab_of_a_user(tmp_path_factory.mktemp("user")) as user:
        yield user


def attached(terminal: Terminal) -> str:
    """Return the options that attach to the lab's engine over HTTP, as from another machine."""
    journal = Path(terminal.variables()["PETOPS_JOURNAL"])
    log = (journal.parent / "engine.log").read_text(encoding="utf-8")
    url = re.search(r"^API +(\S+)$", log, re.MULTILINE)
    assert url is not None, log
    token = journal.with_suffix(".token").read_text(encoding="ascii")
    terminal.environment["PETOPS_TOKEN"] = token
    return f" --attach lab={url[1]}"


@pytest.mark.parametrize("how", ["local", "attached"])
def test_a_leak_is_repaired_by_keyboard_alone(
    how: str, terminal: Terminal, tmp_path_factory: pytest.TempPathFactory
) -> None:
    options = attached(terminal) if how == "attached" else ""
    program = f"{shlex.quote(sys.executable)} -m petops tui --utc{options}"
    size = (80, 24) if how == "attached" else (120, 40)
    window = Window(tmp_path_factory.mktemp("tmux"), terminal.environment, size)
    try:
        window.line(f"{program}; echo left with $?")
        window.until("All is well")
        assert window.flags().startswith("1")
        if how == "attached":
            terminal.run("chaos", "inject", "memory-leak")
        else:
            _injected_by_keyboard(window)
        window.until("INC-0001", seconds=PATIENCE_SECONDS)
        window.until("needs approval", seconds=30)
        window.press("Enter")
        window.until("memory-leak")
        window.press("a")
        window.until("dry run", "digest")
        window.press("a")
        asked = window.until("Type yes")
        assert "petadoptionshistory-py-leak" in asked
        window.line("yes")
        window.until("approved by", "applied", "recovered")
        found = terminal.until("INC-0001", "watching", "recovered", "mitigated")
        assert found["incident"] == "INC-0001"
        window.until("recovered", "mitigated", seconds=60)
        _commanded(window, "quit")
        window.until("left with 0")
        assert window.flags() == "0 1 0"
        window.line("stty -a")
        settings = window.until("icanon")
        assert " echo " in settings
        assert "-icanon" not in settings
    finally:
        window.end()


def test_a_terminal_that_is_closed_ends_the_lab_that_it_began(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    user = Terminal(tmp_path_factory.mktemp("user"))
    window = Window(tmp_path_factory.mktemp("tmux"), user.environment, (80, 24))
    try:
        window.line(f"{shlex.quote(sys.executable)} -m petops tui --lab")
        window.until("All is well", seconds=60)
        assert "no lab runs" not in user.run("lab", "status")
    finally:
        window.end()
    deadline = time.monotonic() + 30
    while "no lab runs" not in (said := user.run("lab", "status")):
        assert time.monotonic() < deadline, said
        time.sleep(0.5)


def _commanded(window: Window, line: str) -> None:
    window.press(":")
    window.until("command, for example")
    window.line(line)


def _injected_by_keyboard(window: Window) -> None:
    _asked_of_chaos(window, 0, "i", "inject this fault")
    window.until("at work")
    window.press("q")


def _asked_of_chaos(window: Window, which: int, key: str, question: str) -> None:
    """Open the chaos screen, go to a fault, press a key, and confirm what it asks."""
    _commanded(window, "chaos")
    window.until("not injected", "at work")
    window.press("g", *["j"] * which, key)
    window.until(question)
    window.line("yes")


FAULTS = ("memory-leak", "cpu-throttling", "node-pressure")


@pytest.mark.soak
@pytest.mark.parametrize("how", ["local", "attached"])
def test_three_faults_are_repaired_by_keyboard_while_another_terminal_sees_the_same(
    how: str, terminal: Terminal, tmp_path_factory: pytest.TempPathFactory
) -> None:
    across = attached(terminal)
    options = across if how == "attached" else ""
    environment = dict(terminal.environment)
    if how == "attached":  # a person's own settings say where faults go and charts come from
        wanted = ("KUBECONFIG", "PETOPS_CONTEXT", "PROMETHEUS_URL")
        environment |= {
            name: value for name, value in terminal.variables().items() if name in wanted
        }
    program = f"{shlex.quote(sys.executable)} -m petops tui --utc"
    window = Window(tmp_path_factory.mktemp("tmux"), environment, (120, 40))
    other = Window(tmp_path_factory.mktemp("tmux"), environment, (80, 24))
    try:
        window.line(f"{program}{options}")
        other.line(f"{program}{across}")
        window.until("All is well")
        other.until("All is well")
        for number, fault in enumerate(FAULTS, start=1):
            _asked_of_chaos(window, number - 1, "i", "inject this fault")
            window.until("at work")
            _repaired(window, other, f"INC-{number:04d}")
            if fault != "node-pressure":  # a node recovers once what fills it is gone
                _ended(window, other)
            _asked_of_chaos(window, number - 1, "c", "take this fault back")
            window.until("is taken back", seconds=60)
            window.press("q")
            _ended(window, other)
            found = terminal.until(f"INC-{number:04d}", "recovered", "mitigated", "verified")
            assert found["incident"] == f"INC-{number:04d}", fault
    finally:
        window.end()
        other.end()


def _ended(*windows: Window) -> None:
    for one in windows:
        one.until("● recovered", "mitigated", "✓ verified", seconds=300)


def _repaired(window: Window, other: Window, incident: str) -> None:
    """Wait for the incident, open it in both terminals, and approve its first change in one."""
    for one in (window, other):
        _commanded(one, "board")
        one.until(incident, seconds=PATIENCE_SECONDS)
        one.until("needs approval", seconds=60)
        _commanded(one, f"approve {incident}")
        one.until("dry run", seconds=60)
    window.press("a")
    window.until("Type yes")
    window.line("yes")
    for one in (window, other):
        one.until("approved by", seconds=30)


def test_a_terminal_that_can_show_nothing_is_told_so(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path)
    said = terminal.run("tui", status=2)
    assert "needs a terminal" in said
    assert "petops incidents" in said
