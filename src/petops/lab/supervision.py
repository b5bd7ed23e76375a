"""Keeps a program running: started, made ready, watched, started again if it dies, and ended."""

from __future__ import annotations

import asyncio
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from petops.errors import PetopsError
from petops.lab.children import beside, is_free, running_child, tail

READY_SECONDS: Final = 20.0
_PAUSE_SECONDS: Final = 0.5
_LONGEST_PAUSE_SECONDS: Final = 10.0

Told = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What to run. `made_ready` asks once whether it is ready, and makes it so where it can."""

    name: str
    command: Sequence[str]
    log: Path
    made_ready: Callable[[], Awaitable[bool]]
    environment: Mapping[str, str] = field(default_factory=dict)
    port: int = 0
    """What it will listen on, if that is known: it is not started while another program does."""


@dataclass(slots=True)
class Kept:
    """A program that is kept running. While it is being started again it is not ready."""

    name: str
    pid: int = 0
    restarts: int = 0
    is_ready: bool = False


@asynccontextmanager
async def kept_running(program: Program, on_restart: Told) -> AsyncIterator[Kept]:
    """Keep a program running for as long as the block lasts, ready from its first line on.

    If it dies it is started again, and `on_restart` is told so. Only a first start that fails is an
    error.
    """
    kept, first = Kept(program.name), asyncio.Event()
    async with beside(_keep(program, kept, first, on_restart)):
        await first.wait()
        yield kept


async def _keep(program: Program, kept: Kept, first: asyncio.Event, on_restart: Told) -> None:
    pause, why = _PAUSE_SECONDS, ""
    while True:
        if first.is_set():  # a first start that fails is an error, and says so itself
            await _until_free(program, on_restart)
        async with running_child(program.command, program.log, program.environment) as process:
            kept.pid = process.pid
            if why:
                kept.restarts += 1
                on_restart(f"{program.name} ended {why} and was started again")
            if await _became_ready(program, process):
                pause, kept.is_ready = _PAUSE_SECONDS, True
                first.set()
            elif not first.is_set():
                said = tail(program.log)
                raise PetopsError(f"{program.name} did not start: {said}", hint="make setup")
            why = f"with status {await process.wait()}"
            kept.is_ready = False
        await asyncio.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)


async def _until_free(program: Program, tell: Told) -> None:
    """Wait for a port that another program has taken, and say so once."""
    told = False
    while program.port and not is_free(program.port):
        if not told:
            tell(f"{program.name} waits: another program has its port {program.port}")
            told = True
        await asyncio.sleep(_PAUSE_SECONDS)


async def _became_ready(program: Program, process: Process) -> bool:
    try:
        async with asyncio.timeout(READY_SECONDS):
            while process.returncode is None:
                if await program.made_ready():
                    return process.returncode is None  # else another program has its port
                await asyncio.sleep(0.03)
    except TimeoutError:
        process.kill()
    return False
