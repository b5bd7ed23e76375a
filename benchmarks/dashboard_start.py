"""Measures how long `petops tui` takes from its process' start to the first painted board.

The whole program, on a terminal of its own, as a person starts it: on a lab that runs, and attached
to the lab's engine over HTTP. Painted is what has come out of the terminal; the board's words are
written only once the engine's journal was read. Prints one JSON object.
"""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import resource
import select
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.surfaces.terminals import Terminal, lab_of_a_user

TIMES = 7
PATIENCE_SECONDS = 30.0
SIZE = (40, 120)
PAINTED = b"All is well"
QUIT = b"\x11"
LIMITS = {"on_a_running_lab_seconds": 2.0, "attached_seconds": 1.0}


def painted(environment: dict[str, str], *words: str) -> tuple[float, float]:
    """Return the seconds until the board was painted, and those of a core until it was left.

    Where the first is much more than the second, the machine has other things to do.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", *SIZE, 0, 0))
    began = time.perf_counter()
    with subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-m", "petops", "tui", *words],
        env=environment | {"TERM": "xterm-256color", "LANG": "C.UTF-8"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    ) as child:
        os.close(theirs)
        try:
            took = _until_painted(ours, began)
            os.write(ours, QUIT)
            _drained(ours)
            child.wait(PATIENCE_SECONDS)
        finally:
            child.kill()
            os.close(ours)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return took, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _until_painted(terminal: int, began: float) -> float:
    seen = b""
    while time.perf_counter() - began < PATIENCE_SECONDS:
        if select.select([terminal], [], [], 0.1)[0]:
            seen += os.read(terminal, 1 << 16)
            if PAINTED in seen:
                return time.perf_counter() - began
    raise SystemExit(f"nothing was painted within {PATIENCE_SECONDS:g} s: {seen[-500:]!r}")


def _drained(terminal: int) -> None:
    """Read what comes until the program has closed its end: it could not leave otherwise."""
    try:
        while os.read(terminal, 1 << 16):
            pass
    except OSError:  # Linux says so when nobody has the other end any more
        return


def figures(user: Terminal) -> dict[str, dict[str, float]]:
    """Return both figures; the first start of each is not counted, it fills the disk's cache."""
    journal = Path(user.variables()["PETOPS_JOURNAL"])
    log = (journal.parent / "engine.log").read_text(encoding="utf-8")
    url = re.search(r"^API +(\S+)$", log, re.MULTILINE)
    if url is None:
        raise SystemExit(f"the lab's engine does not say where its API is: {log}")
    token = journal.with_suffix(".token").read_text(encoding="ascii")
    ways: dict[str, tuple[dict[str, str], tuple[str, ...]]] = {
        "on_a_running_lab_seconds": (user.environment, ()),
        "attached_seconds": (
            user.environment | {"PETOPS_TOKEN": token},
            ("--attach", f"lab={url[1]}"),
        ),
    }
    found = {}
    for name, (environment, words) in ways.items():
        took, core = zip(*[painted(environment, *words) for _ in range(TIMES + 1)][1:], strict=True)
        found[name] = {
            "median": round(statistics.median(took), 3),
            "max": round(max(took), 3),
            "core_seconds": round(statistics.median(core), 3),
        }
    return found


def main() -> int:
    """Print the figures; return 1 where a median is over its limit."""
    with (
        tempfile.TemporaryDirectory(prefix="petops-bench-") as folder,
        lab_of_a_user(Path(folder)) as user,
    ):
        found = figures(user)
    sys.stdout.write(json.dumps({**found, "limits": LIMITS}, indent=2) + "\n")
    return int(any(found[name]["median"] > limit for name, limit in LIMITS.items()))


if __name__ == "__main__":
    sys.exit(main())
