"""One lab a user: brought up by one terminal, found by every other, ended by any."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from petops.lab.lab_state import LabState, Ran, claim, release, write
from petops.lab.programs import Behaviours
from petops.lab.running import Lab
from petops.lab.world import World
from petops.ports import Clock

Beside = Callable[[Lab], AbstractAsyncContextManager[tuple[Ran, ...]]]

_ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@asynccontextmanager
async def _nothing_beside(lab: Lab) -> AsyncIterator[tuple[Ran, ...]]:
    del lab
    yield ()


async def bring_up(
    folder: Path,
    clock: Clock,
    on_ready: Callable[[LabState], None],
    on_trouble: Callable[[str], None] = lambda _: None,
    *,
    behaviours: Behaviours | None = None,
    size: int = 1,
    beside: Beside = _nothing_beside,
) -> None:
    """Run the user's lab until Ctrl-C or another process ends it; `folder` is the state folder.

    `behaviours` is what scenarios' programs do, `size` how many times the application is there;
    `beside` runs what else belongs to it, such as an engine, and tells the processes that this
    takes. Raise PetopsError if a lab runs already.
    """
    me = Ran.now("lab", os.getpid())
    claimed = claim(folder, me)
    try:
        with _until_ended():
            lab = _Lab(clock, World(clock, behaviours=behaviours, size=size), beside, on_trouble)
            await lab.run(folder, claimed, on_ready)
    finally:
        release(folder, me)


@dataclass(slots=True)
class _Lab:
    """What one lab is made with; `ready` has it once it runs, with what runs beside it."""

    clock: Clock
    world: World
    beside: Beside
    on_trouble: Callable[[str], None]
    ready: list[tuple[Lab, tuple[Ran, ...]]] = field(default_factory=list)

    async def run(
        self, folder: Path, claimed: LabState, on_ready: Callable[[LabState], None]
    ) -> None:
        def changed(message: str) -> None:
            """Write down the program that was started anew, so that it can be cleared away."""
            if self.ready:
                write(folder, _as_seen(claimed, *self.ready[0]))
            self.on_trouble(message)

        home = Path(claimed.folder)
        async with (
            Lab.started(home, clock=self.clock, world=self.world, on_trouble=changed) as lab,
            self.beside(lab) as others,
        ):
            # The world stays as it is for the most part: to search all of it for what is in use no
            # more would stop a large one for a second now and then.
            gc.freeze()
            self.ready.append((lab, others))
            state = _as_seen(claimed, lab, others)
            write(folder, state)
            on_ready(state)
            await asyncio.get_running_loop().create_future()


def _as_seen(claimed: LabState, lab: Lab, others: tuple[Ran, ...]) -> LabState:
    return replace(
        claimed,
        children=(*lab.programs, *others),
        addresses=lab.addresses,
        environment=lab.environment(),
    )


@contextmanager
def _until_ended() -> Iterator[None]:
    """Let a signal end the block in order; one that comes while it ends changes nothing."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    ended = False

    def end() -> None:
        nonlocal ended
        if not ended and task is not None:
            ended = True
            task.cancel()

    for each in _ENDING:
        loop.add_signal_handler(each, end)
    try:
        yield
    except asyncio.CancelledError:
        if not ended or task is None or task.uncancel() > 0:
            raise
    finally:
        for each in _ENDING:
            loop.remove_signal_handler(each)
