"""One writer a journal, by a lock that dies with its process; and files for their owner only."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from petops.errors import JournalError


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the journal's lock; raise JournalError, with the process that has it, if it is held.

    The file stays when the lock is let go: who removes it could remove another's.
    """
    place = path.with_name(f"{path.name}.lock")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        held = os.open(place, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as exc:
        raise JournalError(f"the journal {path} cannot be written: {exc.strerror}") from exc
    try:
        _take(held, path)
        yield
        os.ftruncate(held, 0)
    finally:
        os.close(held)


def private(path: Path) -> None:
    """Make the journal's file, if there is none, for its owner only; SQLite's others follow it."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as exc:
        raise JournalError(f"the journal {path} cannot be written: {exc.strerror}") from exc


def _take(held: int, path: Path) -> None:
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = os.pread(held, 20, 0).decode("ascii", "replace").strip() or "unknown"
        raise JournalError(
            f"the journal {path} is in use by process {owner}",
            hint="attach to that engine, or stop it first",
        ) from None
    except OSError as exc:
        raise JournalError(f"the journal {path} cannot be locked: {exc.strerror}") from exc
    os.ftruncate(held, 0)
    os.pwrite(held, f"{os.getpid()}\n".encode(), 0)
