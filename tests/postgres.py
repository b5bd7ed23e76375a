"""A PostgreSQL server of our own for tests, on a Unix socket and a port that nobody else uses."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LINK = Path(__file__).parents[1] / ".tools" / "postgres"
_START_SECONDS = 30.0


def programs() -> Path | None:
    """The folder of PostgreSQL's programs; None where there are none."""
    for found in (LINK, *sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)):
        if (found / "initdb").exists():
            return found.resolve()
    return None


@contextmanager
def running() -> Iterator[str]:
    """The URL of a fresh server; it and its data are gone after the block."""
    folder = programs()
    assert folder is not None
    home = Path(tempfile.mkdtemp(prefix="petops-pg-"))
    environment = {**os.environ, "LC_ALL": "C", "LD_LIBRARY_PATH": _libraries(folder)}

    def start(*words: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603 (the distribution's program)
            [*_as_somebody(), *words],
            cwd=home,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    data = str(home / "data")
    making = start(str(folder / "initdb"), "-D", data, "-U", "petops", "-A", "trust", "-N")
    assert making.wait(60) == 0, "initdb failed"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = ("fsync=off", "listen_addresses=127.0.0.1", f"unix_socket_directories={home}")
    options = [word for one in settings for word in ("-c", one)]
    server = start(str(folder / "postgres"), "-D", data, "-p", str(port), *options)
    try:
        _until_it_answers(port, server)
        yield f"postgresql://petops@127.0.0.1:{port}/postgres"
    finally:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait(10)
        shutil.rmtree(home, ignore_errors=True)


def _as_somebody() -> tuple[str, ...]:
    """PostgreSQL refuses to run as root: in a user namespace root is called something else."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        return ()
    return ("unshare", "--user", "--map-user=1000", "--map-group=1000")


def _libraries(folder: Path) -> str:
    """Where the libraries of unpacked packages stand; empty for what is installed."""
    if ".tools" not in folder.parts:
        return ""
    found = sorted(folder.parents[2].glob("*/libpq.so.5"))  # usr/lib/postgresql/15/bin, usr/lib
    return str(found[0].parent) if found else ""


def _until_it_answers(port: int, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        assert server.poll() is None, "the server ended"
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                time.sleep(0.3)
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("PostgreSQL did not start")
