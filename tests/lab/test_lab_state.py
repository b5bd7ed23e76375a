"""How labs on one machine find each other, and what is done about one that was killed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from petops.errors import PetopsError
from petops.lab.children import mark_by_ps, start_mark
from petops.lab.lab_state import (
    STATE_FILE,
    LabState,
    Ran,
    claim,
    clear,
    end,
    release,
    running_lab,
    state_folder,
    write,
)

ME = Ran.now("lab", os.getpid())


def sleeper() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])


def ready(state: LabState) -> LabState:
    return replace(state, environment={"PROMETHEUS_URL": "http://127.0.0.1:9"})


def test_a_lab_is_found_by_who_looks_for_it(tmp_path: Path) -> None:
    assert running_lab(tmp_path) is None
    state = claim(tmp_path, ME)
    found = running_lab(tmp_path)
    assert found == state
    assert not found.is_ready
    write(tmp_path, ready(state))
    found = running_lab(tmp_path)
    assert found is not None
    assert found.is_ready
    assert (tmp_path / STATE_FILE).stat().st_mode & 0o777 == 0o600


def test_a_second_lab_is_told_where_the_first_is(tmp_path: Path) -> None:
    write(tmp_path, ready(claim(tmp_path, ME)))
    with pytest.raises(PetopsError, match=r"runs already.*http://127.0.0.1:9") as refused:
        claim(tmp_path, ME)
    assert refused.value.hint is not None
    assert str(ME.pid) in refused.value.message


def test_what_a_killed_lab_left_is_cleared_away(tmp_path: Path) -> None:
    with sleeper() as child:
        killed = Ran(name="lab", pid=child.pid, mark="another time")
        state = claim(tmp_path, killed)
        (Path(state.folder) / "journal.db").write_text("old")
        write(tmp_path, replace(state, children=(Ran.now("prometheus", child.pid),)))
        assert running_lab(tmp_path) is None
        claim(tmp_path, ME)
        assert child.wait(5) == -9
    assert not (Path(state.folder) / "journal.db").exists()


def test_whoever_looks_clears_away_what_was_killed_and_only_that(tmp_path: Path) -> None:
    assert not clear(tmp_path / "nowhere")
    state = claim(tmp_path, ME)
    assert not clear(tmp_path)
    assert running_lab(tmp_path) is not None
    with sleeper() as child:
        gone = Ran(name="lab", pid=ME.pid, mark="another start")
        left = Ran.now("moto", child.pid)
        write(tmp_path, replace(state, lab=gone, children=(left,)))
        assert clear(tmp_path)
        assert child.wait(5) != 0
    assert {path.name for path in tmp_path.iterdir()} == {"lab.lock"}
    assert not clear(tmp_path)


def test_a_process_with_a_reused_id_is_left_alone(tmp_path: Path) -> None:
    with sleeper() as child:
        state = claim(tmp_path, Ran(name="lab", pid=child.pid, mark="another time"))
        other = Ran(name="prometheus", pid=child.pid, mark="another time too")
        write(tmp_path, replace(state, children=(other,)))
        claim(tmp_path, ME)
        assert child.poll() is None
        child.kill()


async def test_ending_a_lab_that_is_gone_only_clears_away(tmp_path: Path) -> None:
    assert not await end(tmp_path)
    claim(tmp_path, Ran(name="lab", pid=2**22 + 1, mark="1"))
    assert not await end(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"lab.lock"}  # noqa: ASYNC240 - a test


def test_a_lab_removes_only_its_own_state(tmp_path: Path) -> None:
    claim(tmp_path, ME)
    release(tmp_path, replace(ME, mark="1"))
    assert running_lab(tmp_path) is not None
    release(tmp_path, ME)
    assert running_lab(tmp_path) is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"lab": 1}', '{"lab": {"pid": 1}}'])
def test_a_file_that_nobody_can_read_is_no_lab(tmp_path: Path, text: str) -> None:
    (tmp_path / STATE_FILE).write_text(text)
    assert running_lab(tmp_path) is None
    claim(tmp_path, ME)


@pytest.mark.parametrize("mark_of", [start_mark, mark_by_ps])
def test_a_mark_tells_processes_apart(mark_of: Callable[[int], str | None]) -> None:
    with sleeper() as child:
        mark = mark_of(child.pid)
        assert mark
        assert mark == mark_of(child.pid)
        child.kill()
        child.wait()
        assert mark_of(child.pid) is None


def test_where_the_state_is_kept() -> None:
    home = Path("/home/ada")
    assert state_folder({}, home, "linux") == Path("/home/ada/.local/state/petops/lab")
    assert state_folder({"XDG_STATE_HOME": "/s"}, home, "linux") == Path("/s/petops/lab")
    assert state_folder({"XDG_STATE_HOME": "relative"}, home, "linux").is_relative_to(home)
    mac = state_folder({"XDG_STATE_HOME": "/s"}, home, "darwin")
    assert mac == home / "Library/Application Support/petops/lab"
