"""The disk of the journal is full for a while: nothing happens unrecorded, and then it goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from petops.domain import events as ev
from petops.domain.events import Entry, Event
from petops.domain.phases import Phase
from petops.errors import JournalError
from petops.journal.memory import MemoryJournal
from tests.engine.stage import Stage, offered

pytestmark = pytest.mark.looptime


class FullDisk(MemoryJournal):
    """A journal with no space for as long as it is full; before and after each write it counts."""

    def __init__(self) -> None:
        super().__init__()
        self.is_full = False
        self.refused = 0
        self.fills_before: type[Event] | None = None

    async def append(
        self, incident: str, expected: int, events: Sequence[Event]
    ) -> tuple[Entry, ...]:
        if self.fills_before and any(isinstance(one, self.fills_before) for one in events):
            self.is_full, self.fills_before = True, None
        if self.is_full:
            self.refused += 1
            raise JournalError("there is no space for the journal, nothing was written")
        return await super().append(incident, expected, events)

    @asynccontextmanager
    async def emptied_after(self, seconds: float) -> AsyncIterator[None]:
        async def free() -> None:
            while not self.is_full:  # noqa: ASYNC110
                await asyncio.sleep(0.5)
            await asyncio.sleep(seconds)
            self.is_full = False

        task = asyncio.create_task(free())
        try:
            yield
        finally:
            task.cancel()


@pytest.mark.parametrize(
    "before",
    [ev.InvestigationStarted, ev.StepAnswered, ev.Diagnosed, ev.RemediesProposed, ev.RemedyApplied],
    ids=lambda one: one.__name__,
)
async def test_an_incident_goes_on_once_there_is_space_and_the_act_is_made_once(
    before: type[Event],
) -> None:
    journal = FullDisk()
    journal.fills_before = before
    stage = Stage(journal=journal)
    async with stage.running() as engine, journal.emptied_after(20):
        await stage.leak_for(60)
        await stage.report(engine)
        waiting = await stage.until(engine, Phase.WAITING)
        await stage.approve(engine, offered(waiting, "restart-workload"))
        await stage.until(engine, Phase.MITIGATED)
    assert journal.refused
    assert len(stage.cluster.acts) == 1
    kinds = [type(one.event) for one in await journal.read(0)]
    assert kinds.count(ev.ActIntended) == kinds.count(ev.RemedyApplied) == 1


async def test_no_change_is_made_whose_intent_could_not_be_written() -> None:
    journal = FullDisk()
    stage = Stage(journal=journal)
    async with stage.running() as engine:
        await stage.leak_for(60)
        await stage.report(engine)
        waiting = await stage.until(engine, Phase.WAITING)
        journal.is_full = True
        proposal = offered(waiting, "restart-workload")
        with pytest.raises(JournalError, match="no space"):
            await stage.approve(engine, proposal)
        with pytest.raises(JournalError, match="no space"):
            await stage.report(engine)
        await stage.clock.sleep(600)
        assert not stage.cluster.acts
        assert (await engine.board()).incidents["INC-0001"].phase is Phase.WAITING
        journal.is_full = False
        found = await stage.until(engine, Phase.WAITING)
        await stage.approve(engine, offered(found, "restart-workload"))
        await stage.until(engine, Phase.MITIGATED)
        assert len(stage.cluster.acts) == 1
