"""A dashboard on one scripted engine, in this process or across a real socket."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from petops.domain.events import Entry
from petops.domain.incident import Incident
from petops.tui.app import Dashboard
from petops.tui.feed import Ref
from tests.tui.looks import until
from tests.tui.scripted import ScriptedEngine, desk, embedded

SIZE = (100, 30)


@dataclass
class Stage:
    """A dashboard on one scripted engine."""

    pilot: Pilot[None]
    engine: ScriptedEngine
    app: Dashboard

    def incident(self) -> Incident:
        found = self.app.desk.incident(Ref("lab", "INC-0001"))
        assert found is not None
        return found


def channel(handle: Any) -> str:
    """Return by which way decisions come with this kind of handle."""
    return "socket" if handle is embedded else "token"


@asynccontextmanager
async def staged(
    handle: Any, folder: Path, entries: tuple[Entry, ...], name: str = "lab", **more: Any
) -> AsyncIterator[Stage]:
    engine = ScriptedEngine(entries)
    async with handle(engine, folder) as made:
        app = Dashboard(desk((name, made), **more))
        async with app.run_test(size=SIZE, notifications=True) as pilot:
            await until(pilot, "INC-" if entries else "All is well")
            yield Stage(pilot, engine, app)
