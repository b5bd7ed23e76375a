"""A leading replica is told to end while it acts: the act ends first, then the Lease goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from petops.config import DaemonSettings, Settings
from petops.daemon.standby import Standby, Switch
from petops.domain import events as ev
from petops.domain.change import Act
from petops.domain.phases import Phase
from petops.engine.engine import Engine
from petops.lab.ports_in_memory import WorldCalls
from petops.lab.world import World
from petops.ports import Clock, Journal
from petops.programs import replicas
from petops.programs.daemon import Beside
from petops.sources.kubernetes_lease import KubernetesLease
from tests.engine.leaky import LeakyCluster
from tests.engine.stage import Stage, offered

pytestmark = pytest.mark.looptime


class SlowCluster(LeakyCluster):
    """Takes its time over a change: `seconds` before it is made, and again until it says so."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.seconds = 3.0
        self.begun = 0
        self.at_work = asyncio.Event()

    async def apply(self, change: Act, act: str) -> None:
        self.begun += 1
        self.at_work.set()
        await asyncio.sleep(self.seconds)
        await super().apply(change, act)
        await asyncio.sleep(self.seconds)


class TwoReplicas:
    """Two replicas of one journal and one cluster, each with what `_lead` is made of."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.stage = Stage()
        self.cluster = SlowCluster(self.stage.clock)
        self.stage.cluster = self.cluster
        self.calls = WorldCalls(World(self.stage.clock))
        self.leading: dict[str, Engine] = {}
        self.said: list[str] = []

        @asynccontextmanager
        async def running(settings: Settings, journal: Journal) -> AsyncIterator[Any]:
            del journal
            name = settings.daemon.replica
            async with self.stage.running() as engine:
                assert not self.leading, "two lead"
                self.leading[name] = engine
                try:
                    yield SimpleNamespace(engine=engine, warm=lambda: None)
                finally:
                    del self.leading[name]

        @asynccontextmanager
        async def opened(settings: Settings, *, token: int = 0) -> AsyncIterator[Journal]:
            del settings, token
            yield self.stage.journal

        async def working(*_: object) -> str:
            return ""

        monkeypatch.setattr(replicas, "running_engine", running)
        monkeypatch.setattr(replicas, "opened_journal", opened)
        monkeypatch.setattr(replicas, "working", working)

    def start(self, name: str) -> asyncio.Task[None]:
        return asyncio.create_task(self._replica(name))

    async def _replica(self, name: str) -> None:
        settings = Settings(daemon=DaemonSettings(replica=name))
        lease = KubernetesLease(
            self.calls,
            namespace="default",
            name="devops-agent",
            holder=name,
            address=f"http://{name}",
            clock=self.stage.clock,
        )
        switch = Switch(Standby(None, lambda: ""))
        async with lease.held(self.said.append) as held:
            beside = Beside(leads=False)
            await replicas._lead(settings, held, switch, beside, self.said.append, json_lines=False)

    async def leader(self, name: str) -> Engine:
        async with asyncio.timeout(30):
            while True:
                if name in self.leading:
                    return self.leading[name]
                await asyncio.sleep(0.05)


async def acting(both: TwoReplicas) -> asyncio.Task[None]:
    """The first replica in the middle of a change, and the second standing by."""
    first = both.start("one")
    engine = await both.leader("one")
    await both.stage.leak_for(60)
    await both.stage.report(engine)
    waiting = await both.stage.until(engine, Phase.WAITING)
    approving = asyncio.create_task(
        both.stage.approve(engine, offered(waiting, "restart-workload"))
    )
    async with asyncio.timeout(30):
        await both.cluster.at_work.wait()
        await approving
    return first


async def ended(task: asyncio.Task[None]) -> float:
    """Tell a replica to end, as SIGTERM does; return how long that took."""
    began = asyncio.get_running_loop().time()
    task.cancel()
    await asyncio.wait({task})
    return asyncio.get_running_loop().time() - began


async def kinds(both: TwoReplicas) -> list[type[ev.Event]]:
    return [type(one.event) for one in await both.stage.journal.read(0)]


@pytest.mark.slow
async def test_the_change_is_made_and_journaled_before_the_lease_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    both = TwoReplicas(monkeypatch)
    first = await acting(both)
    second = both.start("two")
    took = await ended(first)
    assert 3 < took < 7
    assert ev.RemedyApplied in await kinds(both)
    began = asyncio.get_running_loop().time()
    engine = await both.leader("two")
    assert asyncio.get_running_loop().time() - began < 2
    await both.stage.until(engine, Phase.MITIGATED)
    assert both.cluster.begun == len(both.cluster.acts) == 1
    await ended(second)


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [6.0, 60.0], ids=["made", "not-made"])
async def test_a_change_that_takes_too_long_is_settled_by_the_next_leader(
    monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    both = TwoReplicas(monkeypatch)
    both.cluster.seconds = seconds
    first = await acting(both)
    second = both.start("two")
    assert await ended(first) < 12
    assert ev.RemedyApplied not in await kinds(both)
    both.cluster.seconds = 1.0
    engine = await both.leader("two")
    await both.stage.until(engine, Phase.MITIGATED)
    assert len(both.cluster.acts) == 1
    assert (await kinds(both)).count(ev.ActIntended) == 1
    await ended(second)


@pytest.mark.slow
async def test_who_has_lost_the_lease_waits_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    both = TwoReplicas(monkeypatch)
    both.cluster.seconds = 60.0
    first = await acting(both)
    path = "/apis/coordination.k8s.io/v1/namespaces/default/leases/devops-agent"
    found = (await both.calls.request("GET", path)).body
    found["spec"] |= {"holderIdentity": "eve", "leaseTransitions": 9}
    await both.calls.request("PUT", path, body=found)
    async with asyncio.timeout(4):
        await asyncio.wait({first})
    assert not both.leading
    assert not both.cluster.acts
