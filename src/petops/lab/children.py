"""Programs that the lab runs beside itself, and what is known of a process from outside."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from asyncio.subprocess import DEVNULL, STDOUT, Process
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

LOOPBACK: Final = "127.0.0.1"
_TETHERED: Final = str(Path(__file__).with_name("tethered.py"))
_PATIENCE_SECONDS: Final = 5.0


@asynccontextmanager
async def running_child(
    command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None
) -> AsyncIterator[Process]:
    """Run a program for as long as the block lasts; it dies with this process too.

    What it prints goes to the end of `log`. It gets nothing of our environment: a user's AWS
    profile or proxy must not reach into the lab.
    """
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", _TETHERED, str(os.getpid()), *command),
            stdin=DEVNULL,
            stdout=output,
            stderr=STDOUT,
            start_new_session=True,  # Ctrl-C in the terminal is for us, and we end our children
            env={"PATH": os.defpath, "HOME": str(log.parent), **(environment or {})},
        )
    try:
        yield process
    finally:
        await _ended(process)


async def _ended(process: Process) -> None:
    if process.returncode is not None:
        return
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await process.wait()
    except (TimeoutError, asyncio.CancelledError):
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


@asynccontextmanager
async def beside(*work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run `work` while the block lasts; if any of it fails, cancel the block and raise that.

    A task group would hand out even a single error in an ExceptionGroup.
    """
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(each) for each in work]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
    except BaseExceptionGroup as failed:
        if len(failed.exceptions) > 1:
            raise
        raise failed.exceptions[0] from None


def listening_socket(port: int = 0) -> socket.socket:
    """Return a socket on the loopback that no other process can take the port of."""
    # By its protocol asyncio knows that Nagle's delay is to be off: else small answers take 40 ms.
    own = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    own.bind((LOOPBACK, port))
    return own


def free_port() -> int:
    """Return a port that nobody listens on, for a program that opens it itself."""
    with listening_socket() as own:
        return int(own.getsockname()[1])


def is_free(port: int) -> bool:
    """Say whether nobody listens on a port."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as own:
        own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            own.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def tail(log: Path, lines: int = 5) -> str:
    """Return the end of what a program printed."""
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return " / ".join(text.strip().splitlines()[-lines:])


def start_mark(pid: int) -> str | None:
    """Return what tells a process from a later one with the same id; None if none runs."""
    try:
        return _mark_by_proc(pid) if sys.platform == "linux" else mark_by_ps(pid)
    except OSError:
        return None


def _mark_by_proc(pid: int) -> str | None:
    # The command's name may hold anything, even spaces and brackets: count after it.
    stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    state, *fields = stat.rpartition(")")[2].split()
    return None if state in "ZX" else fields[18]


def mark_by_ps(pid: int) -> str | None:
    """Return the start time as `ps` says it, in one language and time zone."""
    shown = subprocess.run(  # noqa: S603 - ps, and a number
        ["/bin/ps", "-o", "stat=", "-o", "lstart=", "-p", str(pid)],
        capture_output=True,
        text=True,
        check=False,
        env={"LC_ALL": "C", "TZ": "UTC"},
    ).stdout.strip()
    state, _, started = shown.partition(" ")
    return None if not shown or state.startswith("Z") else started.strip()


def end_process(pid: int, mark: str, how: signal.Signals) -> bool:
    """Send a signal to a process, if it is still the one that had this mark; say whether it was."""
    if start_mark(pid) != mark:
        return False
    with suppress(ProcessLookupError):
        os.kill(pid, how)
    return True
