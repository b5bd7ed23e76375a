"""The lab by itself: up until it is told to end, found and ended from any terminal."""

from __future__ import annotations

import asyncio
import os
import shlex
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from petops.app import SystemClock
from petops.errors import PetopsError, UsageError
from petops.lab.application_size import LARGEST
from petops.lab.children import tail
from petops.lab.lab_state import LabState, Ran, clear, end, running_lab
from petops.lab.one_lab import bring_up
from petops.lab.running import Lab
from petops.programs.attach import lab_folder
from petops.programs.printing import Printer, note, print_json
from petops.remote import socket_is_alive
from petops.scenarios import BEHAVIOURS

ENGINE_GRACE_SECONDS = 5.0
READY_SECONDS = 60.0
SECONDS_EACH_COPY = 0.5


async def kept(*, with_engine: bool, size: int = 1) -> None:
    """Run the lab, and an engine on it, until it is told to end."""
    printer, began = Printer(), time.monotonic()

    def ready(state: LabState) -> None:
        printer.say(f"the lab is ready, after {time.monotonic() - began:.1f} s", "bold")
        for name, address in state.addresses.items():
            printer.say(f"  {name:<11} {address}")
        printer.say('use it in any terminal: eval "$(petops lab env)"')
        printer.say("try:  petops chaos inject memory-leak    petops incidents")
        printer.say("Ctrl-C, or petops lab down, ends it")
        sys.stdout.flush()

    await bring_up(
        lab_folder(),
        SystemClock(),
        ready,
        note,
        behaviours=BEHAVIOURS,
        size=_checked(size),
        beside=_engine if with_engine else _no_engine,
    )


@asynccontextmanager
async def _no_engine(lab: Lab) -> AsyncIterator[tuple[Ran, ...]]:
    del lab
    yield ()


@asynccontextmanager
async def _engine(lab: Lab) -> AsyncIterator[tuple[Ran, ...]]:
    """Run an engine on the lab, in a process of its own, for as long as the block lasts."""
    log = lab.folder / "engine.log"
    with log.open("wb") as out:
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "petops", "daemon", "--port", "0"),
            env={**os.environ, **lab.environment()},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    try:
        await _listening(child, lab.folder / "journal.sock", log)
        yield (Ran.now("engine", child.pid),)
    finally:
        if child.returncode is None:
            child.terminate()
            with suppress(TimeoutError):
                async with asyncio.timeout(ENGINE_GRACE_SECONDS):
                    await child.wait()
        if child.returncode is None:
            child.kill()
            await child.wait()


async def _listening(child: asyncio.subprocess.Process, socket: Path, log: Path) -> None:
    """Wait until the engine answers on its socket."""
    deadline = time.monotonic() + READY_SECONDS
    while not socket_is_alive(socket):
        if child.returncode is not None or time.monotonic() > deadline:
            raise PetopsError(f"the lab's engine did not start: {tail(log)}")
        await asyncio.sleep(0.05)


def _checked(size: int) -> int:
    if not 1 <= size <= LARGEST:
        raise UsageError(f"a lab has a size of 1 to {LARGEST}", hint="petops lab up --size 10")
    return size


def detached(config: Path | None, *, with_engine: bool, size: int = 1) -> None:
    """Start the lab in the background, and return once it is ready."""
    _checked(size)
    folder = lab_folder()
    running = running_lab(folder)
    if running is not None:
        raise PetopsError(
            f"a lab runs already, since {running.since}", hint="petops lab env, petops lab down"
        )
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    command = [sys.executable, "-m", "petops"]
    command += ["--config", str(config)] if config else []
    command += ["lab", "up", "--size", str(size)] + ([] if with_engine else ["--no-engine"])
    log = folder / "up.log"
    with log.open("wb") as out:
        child = subprocess.Popen(  # noqa: S603 - our own program
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
        )
    deadline = time.monotonic() + READY_SECONDS + SECONDS_EACH_COPY * size
    while True:
        state = running_lab(folder)
        if state is not None and state.is_ready and state.lab.pid == child.pid:
            Printer().say('the lab is ready: eval "$(petops lab env)"')
            return
        if child.poll() is not None or time.monotonic() > deadline:
            child.terminate()  # it clears up after itself
            child.wait()
            raise PetopsError(f"the lab did not start: {tail(log)}")
        time.sleep(0.05)


def status(*, as_json: bool) -> None:
    """Print whether a lab runs; what a killed one left is cleared away."""
    folder = lab_folder()
    state = running_lab(folder)
    if state is None and clear(folder):
        note("cleared away what a killed lab had left")
    if as_json:
        print_json(_as_json(state))
    elif state is None:
        Printer().say("no lab runs")
    else:
        ready = "ready" if state.is_ready else "starting"
        Printer().say(f"a lab runs since {state.since}, {ready}, process {state.lab.pid}")
        for one in state.children:
            Printer().say(f"  {one.name:<11} {'alive' if one.is_alive else 'gone'} ({one.pid})")


def _as_json(state: LabState | None) -> dict[str, object]:
    if state is None:
        return {"running": False}
    return {
        "running": True,
        "ready": state.is_ready,
        "since": state.since,
        "addresses": dict(state.addresses),
        "environment": dict(state.environment),
    }


def environment() -> None:
    """Print the lab's environment as a shell takes it."""
    state = running_lab(lab_folder())
    if state is None or not state.is_ready:
        raise PetopsError("no lab runs", hint="petops lab up")
    for name, value in state.environment.items():
        sys.stdout.write(f"export {name}={shlex.quote(value)}\n")


async def ended() -> None:
    """End the lab that runs."""
    was_there = await end(lab_folder())
    Printer().say("the lab is down" if was_there else "no lab ran")
