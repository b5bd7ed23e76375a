"""The engine dies at every journal write and at every call out; another one goes on, once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from petops.domain.events import Entry, Event
from petops.domain.incident import Incident
from petops.domain.phases import Phase
from petops.domain.policy import Identity
from petops.engine.engine import Engine
from petops.journal.memory import MemoryJournal
from tests.engine.fleet import Fleet
from tests.engine.leaky import LeakyCluster
from tests.engine.stage import NodeStage, Stage, offered

pytestmark = pytest.mark.looptime

CALLS = (
    "pods",
    "rollouts",
    "workload",
    "room",
    "node",
    "may",
    "dry_run",
    "changed_since",
    "apply",
    "was_applied",
    "advance",
)
MOST_WRITES = 60
MOST_CALLS = 400


class Killed(BaseException):
    """The process is gone: nothing in it may catch this and go on."""


class MortalJournal(MemoryJournal):
    """Dies at one append, just before it is stored or just after."""

    def __init__(self) -> None:
        super().__init__()
        self.writes = 0
        self.dies_at = -1
        self.stores_first = False

    async def append(
        self, incident: str, expected: int, events: Sequence[Event]
    ) -> tuple[Entry, ...]:
        self.writes += 1
        if self.writes == self.dies_at and not self.stores_first:
            raise Killed
        stored = await super().append(incident, expected, events)
        if self.writes == self.dies_at:
            raise Killed
        return stored


class MortalCluster(LeakyCluster):
    """Dies at one call, or, where it acts, just after having acted."""

    calls = 0
    dies_at = -1
    dies_after_acting = False

    def _raise(self, method: str) -> None:
        self.calls += 1
        if self.calls == self.dies_at and method in CALLS:
            raise Killed
        super()._raise(method)

    async def apply(self, change: object, act: str) -> None:
        await super().apply(change, act)  # type: ignore[arg-type]
        if self.dies_after_acting:
            self.dies_after_acting = False
            raise Killed


class MortalFleet(Fleet):
    """Dies at one call, or just after one of its effects."""

    calls = 0
    dies_at = -1
    effects = 0
    dies_after_effect = -1

    def _raise(self, method: str) -> None:
        self.calls += 1
        if self.calls == self.dies_at and method in CALLS:
            raise Killed
        super()._raise(method)

    def _lose(self) -> None:
        self.effects += 1
        if self.effects == self.dies_after_effect:
            raise Killed


def mortal() -> tuple[Stage, MortalJournal, MortalCluster]:
    journal = MortalJournal()
    stage = Stage(journal=journal)
    cluster = MortalCluster(stage.clock)
    stage.cluster = cluster
    return stage, journal, cluster


async def lived(stage: Stage, engine: Engine, name: str) -> Incident:
    """A person at work: reports, approves what is on offer, waits for the end."""
    board = await engine.board()
    if not board.incidents:
        await stage.report(engine)
    found = await stage.until(
        engine, Phase.WAITING, Phase.REPAIRING, Phase.WATCHING, Phase.RECOVERED, Phase.MITIGATED
    )
    if found.phase is Phase.WAITING:
        await stage.approve(engine, offered(found, name))
    return await stage.until(engine, Phase.MITIGATED, Phase.VERIFIED, Phase.FAILED)


async def survived(stage: Stage, name: str = "restart-workload") -> tuple[Incident, int]:
    """Start an engine again after each death, until the incident has ended."""
    deaths = 0
    while True:
        try:
            async with stage.running() as engine:
                return await lived(stage, engine, name), deaths
        except* Killed:
            deaths += 1
        await asyncio.sleep(1)


@pytest.mark.slow
@pytest.mark.parametrize("stores_first", [False, True], ids=["before", "after"])
async def test_killed_at_each_journal_write(stores_first: bool) -> None:
    deaths = 0
    for write in range(1, MOST_WRITES):
        stage, journal, cluster = mortal()
        await stage.leak_for(60)
        journal.dies_at, journal.stores_first = write, stores_first
        ended, died = await survived(stage)
        assert ended.phase is Phase.MITIGATED, write
        assert len(cluster.acts) == 1, write
        deaths += died
        if not died:
            break
    assert deaths >= 15


@pytest.mark.slow
async def test_killed_at_each_call_out() -> None:
    deaths = 0
    for call in range(1, MOST_CALLS):
        stage, _, cluster = mortal()
        await stage.leak_for(60)
        cluster.dies_at = call
        ended, died = await survived(stage)
        assert ended.phase is Phase.MITIGATED, call
        assert len(cluster.acts) == 1, call
        deaths += died
        if cluster.calls < call:
            break
    assert deaths >= 20


async def test_killed_just_after_having_acted() -> None:
    stage, _, cluster = mortal()
    await stage.leak_for(60)
    cluster.dies_after_acting = True
    ended, died = await survived(stage)
    assert died == 1
    assert ended.applied is not None
    assert ended.applied.settled
    assert len(cluster.acts) == 1


def mortal_drain() -> tuple[NodeStage, MortalJournal, MortalFleet]:
    journal = MortalJournal()
    stage = NodeStage("drain-node", journal=journal)
    fleet = MortalFleet(stage.clock)
    return NodeStage("drain-node", journal=journal, fleet=fleet), journal, fleet


async def drained(stage: NodeStage, engine: Engine) -> Incident:
    """Two people at work: they report, sign what is on offer, and wait for the end."""
    if not (await engine.board()).incidents:
        await stage.report(engine)
    found = await stage.until(
        engine, Phase.WAITING, Phase.REPAIRING, Phase.WATCHING, Phase.RECOVERED, Phase.VERIFIED
    )
    if found.phase is Phase.WAITING:
        for user, channel in (("alice", "socket"), ("bob", "slack")):
            drain = offered(found, "drain-node")
            await stage.approve(engine, drain, by=Identity(user=user, channel=channel))
    return await stage.until(engine, Phase.VERIFIED, Phase.FAILED)


async def outlived(stage: NodeStage) -> tuple[Incident, int]:
    deaths = 0
    while True:
        try:
            async with stage.running() as engine:
                return await drained(stage, engine), deaths
        except* Killed:
            deaths += 1
        await asyncio.sleep(1)


def drained_once(ended: Incident, fleet: Fleet, where: int) -> None:
    assert ended.phase is Phase.VERIFIED, where
    assert fleet.evicted == {"uid-0": 1, "uid-1": 1, "uid-2": 1}, where
    assert [kind for _, kind in fleet.writes] == ["DrainNode"], where


@pytest.mark.parametrize("stores_first", [False, True], ids=["before", "after"])
async def test_a_drain_killed_at_each_journal_write(stores_first: bool) -> None:
    deaths = 0
    for write in range(1, MOST_WRITES):
        stage, journal, fleet = mortal_drain()
        journal.dies_at, journal.stores_first = write, stores_first
        ended, died = await outlived(stage)
        drained_once(ended, fleet, write)
        deaths += died
        if not died:
            break
    assert deaths >= 14


@pytest.mark.slow
async def test_a_drain_killed_at_each_call_out() -> None:
    deaths = 0
    for call in range(1, MOST_CALLS):
        stage, _, fleet = mortal_drain()
        fleet.dies_at = call
        ended, died = await outlived(stage)
        drained_once(ended, fleet, call)
        deaths += died
        if fleet.calls < call:
            break
    assert deaths >= 20


async def test_a_drain_killed_just_after_each_effect() -> None:
    for effect in range(1, 5):
        stage, _, fleet = mortal_drain()
        fleet.dies_after_effect = effect
        ended, died = await outlived(stage)
        assert died == 1
        drained_once(ended, fleet, effect)
