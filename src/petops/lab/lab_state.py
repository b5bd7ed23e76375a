"""The file that says which lab runs on this machine, so that every terminal finds it.

A lab that was killed leaves its file behind. The next to start or stop one ends what is left of its
programs, by id and start time, and removes its folder.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from petops.errors import PetopsError
from petops.lab.children import end_process, start_mark

STATE_FILE: Final = "lab.json"
_LOCK_FILE: Final = "lab.lock"
_RUN: Final = "run"
_END_SECONDS: Final = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """One process, and the mark that tells it from a later one with its id."""

    name: str
    pid: int
    mark: str

    @classmethod
    def now(cls, name: str, pid: int) -> Ran:
        """Return a process that runs."""
        return cls(name=name, pid=pid, mark=start_mark(pid) or "")

    @property
    def is_alive(self) -> bool:
        return bool(self.mark) and start_mark(self.pid) == self.mark


@dataclass(frozen=True, slots=True, kw_only=True)
class LabState:
    """A lab as other processes see it. `environment` is empty until it is ready."""

    lab: Ran
    folder: str
    since: str
    children: tuple[Ran, ...] = ()
    addresses: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_ready(self) -> bool:
        return bool(self.environment)


def state_folder(environment: Mapping[str, str], home: Path, platform: str = sys.platform) -> Path:
    """Return where this user's lab keeps its state."""
    if platform == "darwin":
        return home / "Library" / "Application Support" / "petops" / "lab"
    chosen = environment.get("XDG_STATE_HOME", "")
    return (Path(chosen) if chosen.startswith("/") else home / ".local/state") / "petops" / "lab"


def running_lab(folder: Path) -> LabState | None:
    """Return the lab that runs, ready or not; None if none does."""
    state = _read(folder)
    return state if state is not None and state.lab.is_alive else None


def clear(folder: Path) -> bool:
    """Clear away what a killed lab left; say whether there was anything."""
    if not (folder / STATE_FILE).exists():
        return False
    with _locked(folder):
        state = _read(folder)
        if state is None or state.lab.is_alive:
            return False
        _clear_away(folder, state)
        return True


def claim(folder: Path, lab: Ran) -> LabState:
    """Write down that `lab` is this user's lab, after clearing away one that was killed.

    Raise PetopsError if another runs.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _locked(folder):
        before = _read(folder)
        if before is not None and before.lab.is_alive:
            where = before.environment.get("PROMETHEUS_URL", "not ready yet")
            raise PetopsError(
                f"a lab runs already, since {before.since}: process {before.lab.pid}, "
                f"folder {before.folder}, Prometheus {where}",
                hint="petops lab env shows how to use it, petops lab down ends it",
            )
        if before is not None:
            _clear_away(folder, before)
        run = folder / _RUN
        shutil.rmtree(run, ignore_errors=True)
        run.mkdir(mode=0o700)
        since = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        state = LabState(lab=lab, folder=str(run), since=since)
        write(folder, state)
        return state


def write(folder: Path, state: LabState) -> None:
    """Replace the file in one step."""
    fresh = folder / f"{STATE_FILE}.new"
    fresh.touch(mode=0o600)
    fresh.write_text(json.dumps(asdict(state), indent=2), encoding="utf-8")
    fresh.replace(folder / STATE_FILE)


def release(folder: Path, lab: Ran) -> None:
    """Remove what `lab` wrote; what another lab wrote since stays."""
    with _locked(folder):
        state = _read(folder)
        if state is not None and state.lab == lab:
            _clear_away(folder, state)


async def end(folder: Path) -> bool:
    """End the lab that runs and wait until it is gone; say whether there was one.

    What a killed lab left is cleared away too.
    """
    state = _read(folder)
    if state is None:
        return False
    was_alive = end_process(state.lab.pid, state.lab.mark, signal.SIGTERM)
    deadline = time.monotonic() + _END_SECONDS
    while state.lab.is_alive:
        if time.monotonic() > deadline:
            end_process(state.lab.pid, state.lab.mark, signal.SIGKILL)
        await asyncio.sleep(0.05)
    release(folder, state.lab)
    return was_alive


def _clear_away(folder: Path, state: LabState) -> None:
    for child in state.children:
        end_process(child.pid, child.mark, signal.SIGKILL)
    shutil.rmtree(folder / _RUN, ignore_errors=True)
    (folder / STATE_FILE).unlink(missing_ok=True)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Let one process at a time claim or release; the lock is held for milliseconds."""
    with (folder / _LOCK_FILE).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _read(folder: Path) -> LabState | None:
    """Return what the file says; a file that nobody can read says nothing."""
    try:
        told: dict[str, Any] = json.loads((folder / STATE_FILE).read_text(encoding="utf-8"))
        return LabState(
            lab=Ran(**told.pop("lab")),
            children=tuple(Ran(**child) for child in told.pop("children")),
            **told,
        )
    except (OSError, ValueError, TypeError, KeyError):
        return None
