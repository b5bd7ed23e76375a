"""The world as a whole: steady, the same every time, measured at a real cluster's cadence."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from petops.domain.evidence import PodScope, Signal, Window
from petops.errors import PetopsError, SourceError
from petops.lab.ports_in_memory import WorldMetrics
from petops.lab.programs import Behaviour, Program, ordinary
from petops.lab.world import World
from tests.lab.hand_clock import BEGAN, LEAK, PODS, HandClock, Lab

NAME = "petadoptionshistory-py"
HOUR = timedelta(hours=1)


def picture(world: World) -> Any:
    objects = {
        name: sorted(map(str, world.store.objects(name))) for name in world.store.resources()
    }
    return objects, world.usage(), world.traffic(), world.nodes_usage()


@pytest.mark.slow
def test_the_same_seed_makes_the_same_world_however_often_one_looks() -> None:
    often, seldom, other = Lab(3), Lab(3), Lab(4)
    for lab in (often, seldom, other):
        lab.inject_leak()
    for _ in range(900):
        often.pass_seconds(0.1)
    seldom.pass_seconds(90)
    other.pass_seconds(90)
    assert picture(often.world)[:2] == picture(seldom.world)[:2]
    assert picture(other.world)[1] != picture(seldom.world)[1]


@pytest.mark.slow
def test_all_is_well_in_the_beginning() -> None:
    lab = Lab()
    pods = lab.get(PODS)["items"]
    assert len(pods) == 11
    for pod in pods:
        (status,) = pod["status"]["containerStatuses"]
        assert status["ready"]
        assert status["restartCount"] == 0
        assert status["state"]["running"]["startedAt"] < "2026-11-23T08:00:00Z"
    lab.pass_seconds(4 * 3600)
    assert [one["metadata"]["name"] for one in lab.get(PODS)["items"]] == [
        one["metadata"]["name"] for one in pods
    ]


@pytest.mark.slow
def test_steady_programs_stay_at_a_noisy_plateau() -> None:
    lab = Lab(history=HOUR)
    samples = [
        one.memory_rss_bytes / 1024**2
        for minute in range(60)
        for one in lab.world.history(BEGAN - timedelta(minutes=minute))
        if one.service_app == NAME
    ]
    assert 70 < min(samples) < max(samples) < 100
    assert max(samples) - min(samples) > 1


def test_a_sample_is_refreshed_every_ten_to_fifteen_seconds() -> None:
    lab = Lab()
    seen: list[datetime] = []
    for _ in range(400):
        lab.pass_seconds(0.5)
        one = next(one for one in lab.world.usage() if one.service_app == NAME)
        assert one.sampled_at <= lab.clock.now() < one.sampled_at + timedelta(seconds=15.5)
        if not seen or seen[-1] != one.sampled_at:
            seen.append(one.sampled_at)
    gaps = [(later - before).total_seconds() for before, later in pairwise(seen)]
    assert 10 <= min(gaps) <= max(gaps) <= 15
    assert len(set(gaps)) > 5


@pytest.mark.slow
def test_counters_run_on_from_history_into_the_present() -> None:
    lab = Lab(history=HOUR)
    moments = [BEGAN + timedelta(seconds=15 * step) for step in range(-235, 1)]
    rows = [{one.container_id: one for one in lab.world.history(at)} for at in moments]
    rows[-1] = {one.container_id: one for one in lab.world.usage()}
    for _ in range(8):
        lab.pass_seconds(15)
        rows.append({one.container_id: one for one in lab.world.usage()})
    assert {len(row) for row in rows} == {11 + 8}  # and eight in kube-system
    for before, later in pairwise(rows):
        for key, one in later.items():
            seconds = (one.sampled_at - before[key].sampled_at).total_seconds()
            assert 0 <= one.cpu_seconds_total - before[key].cpu_seconds_total <= max(seconds, 0)
            assert one.network_receive_bytes_total >= before[key].network_receive_bytes_total
            assert one.cfs_throttled_periods_total <= one.cfs_periods_total


@pytest.mark.slow
def test_requests_are_counted_all_the_time() -> None:
    lab = Lab(history=HOUR)
    before = {one.pod: one for one in lab.world.traffic_history(BEGAN - timedelta(minutes=30))}
    now = {one.pod: one for one in lab.world.traffic()}
    assert set(before) == set(now)
    for pod, one in now.items():
        if one.namespace == "kube-system":
            continue
        grown = one.requests_total - before[pod].requests_total
        assert grown > 1000
        assert one.errors_total < one.requests_total / 100
        assert list(one.duration_counts) == sorted(one.duration_counts)
        assert one.duration_counts[-1] <= one.requests_total


def test_nodes_have_memory_and_time() -> None:
    lab = Lab()
    before = lab.world.nodes_history(BEGAN - timedelta(minutes=1))
    lab.pass_seconds(60)
    now = lab.world.nodes_usage()
    assert [one.node for one in before] == [one.node for one in now]
    for was, one in zip(before, now, strict=True):
        assert 0 < one.memory_available_bytes < one.memory_total_bytes
        seconds = (one.at - was.at).total_seconds()
        spent = sum(
            getattr(one, f"cpu_{mode}_seconds_total") - getattr(was, f"cpu_{mode}_seconds_total")
            for mode in ("idle", "user", "system", "iowait")
        )
        assert spent == pytest.approx(seconds * one.cpus, rel=0.05)


def test_a_scenario_may_bring_a_behaviour_of_its_own() -> None:
    def dying(program: Program) -> Behaviour:
        return replace(ordinary(program), exits_after=5.0, exit_code=3)

    clock = HandClock()
    world = World(clock, behaviours={"memory-leak": dying}, history=timedelta(minutes=2))
    world.apply(LEAK.manifest())
    clock.at += timedelta(seconds=30)
    world.step()
    (pod,) = [one for one in world.store.objects("pods") if "leak" in one["metadata"]["name"]]
    ended = pod["status"]["containerStatuses"][0]["lastState"]["terminated"]
    assert (ended["reason"], ended["exitCode"]) == ("Error", 3)


def test_what_the_api_refuses_cannot_be_applied() -> None:
    lab = Lab()
    with pytest.raises(PetopsError, match="does not know"):
        lab.world.apply([{"apiVersion": "v1", "kind": "Nothing", "metadata": {"name": "x"}}])
    with pytest.raises(PetopsError, match="refused Deployment x"):
        lab.world.apply(
            [{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "x"}}]
        )


async def test_until_waits_on_the_clock() -> None:
    lab = Lab()
    lab.inject_leak()

    def killed(world: World) -> bool:
        leaking = (one for one in world.store.objects("pods") if "leak" in one["metadata"]["name"])
        return any(one["status"]["containerStatuses"][0]["restartCount"] for one in leaking)

    await lab.world.until(killed, timeout=90)
    assert lab.clock.now() < BEGAN + timedelta(seconds=70)
    with pytest.raises(TimeoutError):
        await lab.world.until(lambda _: False, timeout=5)


@pytest.mark.slow
async def test_metrics_in_memory_have_one_series_a_run() -> None:
    lab = Lab(history=HOUR)
    lab.inject_leak()
    lab.pass_seconds(150)
    metrics = WorldMetrics(lab.world)
    pod = lab.leaking()["metadata"]["name"]
    window = Window.before(lab.clock.now(), HOUR)
    scope = PodScope(namespace="default", pods=(), prefixes=(pod.rpartition("-")[0],))
    found = await metrics.read(Signal.MEMORY_RSS_BYTES, scope, window)
    assert len(found.series) == 3
    for series in found.series:
        values = [sample.value for sample in series.samples]
        assert values == sorted(values)
        assert series.label("container") == NAME
        assert series.label("pod") == pod
        assert series.label("id").endswith(".scope")
    assert "container_memory_rss" in found.asked.query
    limit = await metrics.read(Signal.MEMORY_LIMIT_BYTES, scope, window)
    assert {sample.value for series in limit.series for sample in series.samples} == {256 * 1024**2}
    service = PodScope(
        namespace="default", pods=tuple(one["metadata"]["name"] for one in lab.pods(NAME))
    )
    requests = await metrics.read(Signal.REQUESTS_TOTAL, service, window)
    assert len(requests.series) == 4
    assert len(requests.series[0].samples) > 200
    elsewhere = await metrics.read(
        Signal.MEMORY_RSS_BYTES, PodScope(namespace="other", pods=(pod,)), window
    )
    assert elsewhere.series == ()
    metrics.is_down = True
    with pytest.raises(SourceError):
        await metrics.read(Signal.MEMORY_RSS_BYTES, scope, window)
