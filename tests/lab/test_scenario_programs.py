"""The scenarios' programs as real processes, under limits that need no cgroup."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from petops.scenarios import CATALOGUE

MIB = 1024 * 1024

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux' /proc"),
]


@contextmanager
def running(
    scenario: str, folder: Path, changed: dict[str, str], *, memory_mib: int = 0
) -> Iterator[subprocess.Popen[bytes]]:
    """The program of a scenario's manifest, with other variables and an address space limit."""
    (document,) = CATALOGUE[scenario].documents()
    (container,) = document["spec"]["template"]["spec"]["containers"]
    variables = {one["name"]: one["value"] for one in container["env"]}
    variables |= {"STATE_DIRECTORY": str(folder)} | changed
    command = [sys.executable, *container["command"][1:]]
    if memory_mib:
        limit = f"import os,resource,sys;n={memory_mib * MIB};"
        limit += "resource.setrlimit(resource.RLIMIT_AS,(n,n));os.execv(sys.argv[1],sys.argv[1:])"
        command = [sys.executable, "-c", limit, *command]
    with subprocess.Popen(command, env=variables, stdout=subprocess.PIPE) as program:  # noqa: S603
        try:
            yield program
        finally:
            with contextlib.suppress(ProcessLookupError):
                program.send_signal(signal.SIGCONT)
            program.terminate()
            program.wait(10)


def resident(pid: int, *, at_least: float = 0, at_most: float = 1e9) -> float:
    """Wait until a process holds so many MiB, and return how many it does."""
    until = time.monotonic() + 30
    mib = 0.0
    while time.monotonic() < until:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        mib = pages * os.sysconf("SC_PAGESIZE") / MIB
        if at_least <= mib <= at_most:
            return mib
        time.sleep(0.1)
    raise AssertionError(f"the program holds {mib:.0f} MiB")


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    with socket.socket() as own:
        own.bind(("127.0.0.1", 0))
        return int(own.getsockname()[1])


def answer_seconds(port: int) -> float:
    began = time.monotonic()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/any", timeout=20) as answer:
        assert answer.status == 200
    return time.monotonic() - began


def when_listening(port: int) -> None:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        with contextlib.suppress(OSError):
            answer_seconds(port)
            return
        time.sleep(0.1)
    raise AssertionError("the program does not listen")


def test_the_leaking_program_leaks_answers_and_stops(tmp_path: Path) -> None:
    port = free_port()
    changed = {"BASELINE_MIB": "40", "LEAK_MIB_PER_SECOND": "8", "TTL_SECONDS": "9"}
    with running("memory-leak", tmp_path, {**changed, "PORT": str(port)}) as program:
        early = resident(program.pid, at_least=35)
        when_listening(port)
        assert resident(program.pid, at_least=early + 12) < 140
        assert (tmp_path / "started").exists()
        resident(program.pid, at_most=35)
        assert program.poll() is None
        program.terminate()
        assert program.wait(10) == 0


class Quota(threading.Thread):
    """What CFS does to a process: it stands still for most of each tenth of a second."""

    def __init__(self, pid: int, ratio: float) -> None:
        super().__init__(daemon=True)
        self._pid, self._ratio, self.over = pid, ratio, threading.Event()

    def run(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            while not self.over.is_set():
                os.kill(self._pid, signal.SIGSTOP)
                time.sleep(0.1 * (1 - self._ratio))
                os.kill(self._pid, signal.SIGCONT)
                time.sleep(0.1 * self._ratio)


def test_the_burning_program_burns_slows_down_under_a_quota_and_stops(tmp_path: Path) -> None:
    port = free_port()
    changed = {"BURN_CORES": "0.3", "TTL_SECONDS": "8"}
    with running("cpu-throttling", tmp_path, {**changed, "PORT": str(port)}) as program:
        when_listening(port)
        before, began = cpu_seconds(program.pid), time.monotonic()
        time.sleep(2)
        cores = (cpu_seconds(program.pid) - before) / (time.monotonic() - began)
        assert 0.15 < cores < 0.5
        fast = sorted(answer_seconds(port) for _ in range(9))[4]
        quota = Quota(program.pid, 0.15)
        quota.start()
        slow = sorted(answer_seconds(port) for _ in range(9))[4]
        quota.over.set()
        quota.join()
        assert slow > 1.5 * fast
        assert b"listening" in os.read(program.stdout.fileno(), 4096)  # type: ignore[union-attr]
        time.sleep(max(began + 8.5 - time.monotonic(), 0))
        idle = cpu_seconds(program.pid)
        time.sleep(1)
        assert cpu_seconds(program.pid) - idle < 0.1
        assert program.poll() is None


def meminfo(path: Path, mib: int) -> Path:
    path.write_text(f"MemTotal: 8000000 kB\nMemAvailable: {mib * 1024} kB\n")
    return path


FILL: dict[str, str] = {"FILL_MIB_PER_SECOND": "24", "TTL_SECONDS": "6"}


def test_the_filling_program_fills_until_little_is_left_and_ends(tmp_path: Path) -> None:
    path = meminfo(tmp_path / "meminfo", 5000)
    with running("node-pressure", tmp_path, {**FILL, "MEMINFO": str(path)}) as program:
        early = resident(program.pid, at_least=40)
        meminfo(path, 50)
        time.sleep(1.2)
        kept = resident(program.pid, at_least=early)
        time.sleep(1.5)
        assert resident(program.pid) < kept + 1
        assert program.wait(timeout=5) == 0


def test_the_filling_program_survives_a_limit(tmp_path: Path) -> None:
    path = meminfo(tmp_path / "meminfo", 5000)
    with running(
        "node-pressure", tmp_path, {**FILL, "MEMINFO": str(path)}, memory_mib=120
    ) as program:
        assert resource.getrlimit(resource.RLIMIT_AS)[0] == resource.RLIM_INFINITY
        resident(program.pid, at_least=50)
        time.sleep(2)
        assert resident(program.pid) < 120
        assert program.poll() is None
        assert program.stdout is not None
        said = (program.stdout.readline() for _ in range(3))
        assert any(b"no more memory" in line for line in said)
