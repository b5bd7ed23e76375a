"""kubectl on a served world, for tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from petops.lab.children import beside, listening_socket
from petops.lab.kubernetes_server import kubernetes_app
from petops.lab.serving import LoopbackServer
from petops.lab.world import World
from petops.scenarios import BEHAVIOURS
from tests.lab.wall_clock import WallClock

PROGRAM = Path(__file__).parents[2] / ".tools" / "kubectl"


@asynccontextmanager
async def served() -> AsyncIterator[str]:
    """A world on a port of its own, for as long as the block lasts."""
    world = World(WallClock(), behaviours=BEHAVIOURS)
    server = LoopbackServer(kubernetes_app(world), listening_socket())
    async with beside(world.run(), server.run_until_cancelled()):
        await server.ready.wait()
        yield server.url


@dataclass(frozen=True)
class Kubectl:
    """One kubectl, pointed at one server."""

    url: str
    home: Path

    async def __call__(self, *arguments: str, fails: bool = False, seconds: float = 60) -> str:
        if not PROGRAM.exists():
            pytest.skip("there is no .tools/kubectl; `make test` gets it")
        process = await asyncio.create_subprocess_exec(
            PROGRAM,
            *("--server", self.url, *arguments),
            env={"HOME": str(self.home), "PATH": "/usr/bin:/bin"},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(seconds):
                out, err = await process.communicate()
        except TimeoutError:
            process.kill()
            await process.wait()
            raise
        said = (out + err).decode()
        assert bool(process.returncode) is fails, f"kubectl {' '.join(arguments)}: {said}"
        return said

    async def first_lines(self, *arguments: str, until: str, seconds: float = 30) -> str:
        """Run a command that goes on for ever until it prints something; then end it."""
        process = await asyncio.create_subprocess_exec(
            PROGRAM,
            *("--server", self.url, *arguments),
            env={"HOME": str(self.home)},
            stdout=asyncio.subprocess.PIPE,
        )
        said = ""
        assert process.stdout is not None
        try:
            async with asyncio.timeout(seconds):
                while until not in said:
                    line = await process.stdout.readline()
                    assert line, said
                    said += line.decode()
        finally:
            process.kill()
            await process.wait()
        return said
