"""Who leads, by a Lease on the lab in virtual time: one at a time, with a token that rises."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from petops.errors import SourceError
from petops.lab.ports_in_memory import WorldCalls
from petops.lab.world import World
from petops.ports import ApiAnswer
from petops.sources.kubernetes_lease import KubernetesLease
from tests.virtual import VirtualClock

pytestmark = pytest.mark.looptime
PATH = "/apis/coordination.k8s.io/v1/namespaces/default/leases/devops-agent"


class Line:
    """`KubernetesCalls` of one replica; it can be cut."""

    def __init__(self, calls: WorldCalls) -> None:
        self._calls = calls
        self.is_cut = False

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str | None = None,
    ) -> ApiAnswer:
        await asyncio.sleep(0.01)
        if self.is_cut:
            raise SourceError("Kubernetes cannot be reached")
        return await self._calls.request(
            method, path, query=query, body=body, content_type=content_type
        )


class Replicas:
    """Some replicas of one Lease, and who led when."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.calls = WorldCalls(World(self.clock))
        self.led: list[tuple[str, int, float, float]] = []
        self.leading: set[str] = set()
        self.said: list[str] = []
        self.lines: dict[str, Line] = {}
        self.leases: dict[str, KubernetesLease] = {}

    async def lead(self, name: str, seconds: float = 1e9, floor: int = 0) -> None:
        """Wait for the Lease, and lead until it is lost or the time is over."""
        line = self.lines.setdefault(name, Line(self.calls))
        lease = KubernetesLease(
            line,
            namespace="default",
            name="devops-agent",
            holder=name,
            address=f"http://{name}",
            clock=self.clock,
        )
        self.leases[name] = lease
        loop = asyncio.get_running_loop()

        async def lowest() -> int:
            return floor

        async with lease.held(self.said.append, lowest) as held:
            began = loop.time()
            assert not self.leading, "two lead"
            self.leading.add(name)
            try:
                async with asyncio.timeout(seconds):
                    await held.lost.wait()
            except TimeoutError:
                pass
            finally:
                self.leading.remove(name)
                self.led.append((name, held.token, began, loop.time()))

    async def spec(self) -> Any:
        return (await self.calls.request("GET", PATH)).body["spec"]


@pytest.mark.slow
async def test_one_of_three_leads_and_the_next_follows_at_once_when_it_gives_back() -> None:
    replicas = Replicas()
    async with asyncio.TaskGroup() as group:
        for name in ("one", "two", "three"):
            group.create_task(replicas.lead(name, 30))
    assert sorted(name for name, *_ in replicas.led) == ["one", "three", "two"]
    assert [token for _, token, *_ in replicas.led] == [1, 2, 3]
    for (*_, before), (_, _, after, _) in zip(replicas.led, replicas.led[1:], strict=False):
        assert 0 < after - before < 2
    assert (await replicas.spec())["holderIdentity"] == ""


@pytest.mark.slow
async def test_who_is_gone_without_a_word_is_followed_within_fifteen_seconds() -> None:
    replicas = Replicas()
    first = asyncio.create_task(replicas.lead("one"))
    await asyncio.sleep(20)
    second = asyncio.create_task(replicas.lead("two", 5))
    await asyncio.sleep(10)
    replicas.lines["one"].is_cut = True  # killed: nothing of it is heard any more
    first.cancel()
    began = asyncio.get_running_loop().time()
    await second
    assert replicas.led[-1][:2] == ("two", 2)
    assert replicas.led[-1][2] - began < 15
    assert replicas.leases["two"].leader is not None


@pytest.mark.slow
async def test_who_cannot_renew_stops_before_another_begins() -> None:
    replicas = Replicas()
    first = asyncio.create_task(replicas.lead("one"))
    await asyncio.sleep(5)
    second = asyncio.create_task(replicas.lead("two", 20))
    await asyncio.sleep(5)
    replicas.lines["one"].is_cut = True
    await first
    await second
    (_, _, _, stopped), (_, _, began, _) = replicas.led
    assert stopped < began
    assert "is lost" in replicas.said[0]


@pytest.mark.slow
async def test_a_lease_taken_from_outside_is_lost_at_once() -> None:
    replicas = Replicas()
    first = asyncio.create_task(replicas.lead("one"))
    await asyncio.sleep(5)
    found = (await replicas.calls.request("GET", PATH)).body
    found["spec"] |= {"holderIdentity": "eve", "leaseTransitions": 9}
    await replicas.calls.request("PUT", PATH, body=found)
    async with asyncio.timeout(5):
        await first
    assert (await replicas.spec())["holderIdentity"] == "eve"


@pytest.mark.slow
async def test_a_lease_made_anew_goes_on_above_the_journals_token() -> None:
    replicas = Replicas()
    await replicas.lead("one", 1, floor=41)
    assert replicas.led == [("one", 42, replicas.led[0][2], replicas.led[0][3])]
    await replicas.lead("two", 1)
    assert replicas.led[1][1] == 43


@pytest.mark.slow
async def test_an_api_that_is_away_is_told_of_once_and_waited_for() -> None:
    replicas = Replicas()
    replicas.lines["one"] = Line(replicas.calls)
    replicas.lines["one"].is_cut = True
    waiting = asyncio.create_task(replicas.lead("one", 1))
    await asyncio.sleep(30)
    replicas.lines["one"].is_cut = False
    await waiting
    assert len(replicas.said) == 1
    assert replicas.led
