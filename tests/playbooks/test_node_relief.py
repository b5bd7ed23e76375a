"""Recovered under memory pressure: measured since the change, while the kubelet holds its word."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from petops.domain.alarm import Assessment, Category, Priority
from petops.domain.diagnosis import Finding, Verdict
from petops.domain.evidence import Asked, PodScope, Readings, Sample, Series, Signal, Window
from petops.domain.subject import Kind, Subject
from petops.engine.investigation import Inquiry, Ports
from petops.errors import SourceError
from petops.playbooks.base import Case, CauseNow, Evidence, Judgement
from petops.playbooks.node_memory_pressure import MODE
from petops.playbooks.node_watch import HOLDS
from petops.sources.kubernetes import KubernetesCluster
from tests.kubernetes_objects import (
    NAMESPACE,
    NOW,
    deployment,
    event,
    node,
    pod,
    replica_set,
    world,
)
from tests.recorded import CLUSTER, alarm
from tests.recorded import deployment as named
from tests.virtual import VirtualClock

pytestmark = pytest.mark.looptime
MIB = 1024 * 1024
NODE = Subject(cluster=CLUSTER, kind=Kind.NODE, name="node-a")
CHANGED = NOW - timedelta(seconds=40)
CAUSE = Finding(
    mode=MODE.name,
    verdict=Verdict.SUPPORTED,
    confidence=0.9,
    because="a test",
    rows=(),
    subject=NODE,
    culprit=named(NAMESPACE, "hog"),
)
EVICTED = "The node was low on resource: memory. Threshold quantity: 100Mi, available: 5Mi."


class Memory:
    """Every pod's working set: `mib` in use, read so long ago."""

    def __init__(self, mib: float, seconds_ago: float = 5, *, silent: str = "") -> None:
        self.mib, self.at, self.silent = mib, NOW - timedelta(seconds=seconds_ago), silent

    async def read(self, signal: Signal, scope: PodScope, window: Window) -> Readings:
        assert signal is Signal.MEMORY_WORKING_SET_BYTES
        if self.silent == "all":
            raise SourceError("Prometheus does not answer")
        samples = (Sample(at=self.at, value=self.mib * MIB),)
        series = tuple(
            Series(labels=(("container", "app"), ("id", "1"), ("pod", one)), samples=samples)
            for one in scope.pods
            if one != self.silent and window.start <= self.at
        )
        return Readings(asked=Asked(source="test", query="memory"), series=series)


def objects(*, pressed: bool = True, back: bool = True, evicted_ago: float = 60) -> Any:
    victim = pod("web", 9, phase="Failed", ready=False, reason="Evicted", message=EVICTED)
    ready = {"readyReplicas": 1, "availableReplicas": 1}
    return world(
        deployments=[deployment("web", **(ready if back else {})), deployment("api", **ready)],
        replicasets=[replica_set("web"), replica_set("api")],
        pods=[pod("api"), pod("api", 2), victim],
        nodes=[node(MemoryPressure=str(pressed))],
        events=[
            event(
                "Evicted",
                "Pod",
                "web-hash1-p9",
                EVICTED,
                last=evicted_ago,
                source={"host": "node-a"},
            )
        ],
    )


async def judged(
    api: Any, memory: Memory, *, cause: Finding = CAUSE, changed: Any = CHANGED
) -> Judgement:
    start = changed or NOW - timedelta(minutes=10)
    case = Case(
        alarm=alarm(NODE, NOW),
        assessment=Assessment(category=Category.NODE, priority=Priority.P1, because="a test"),
        subject=cause.watched,
        window=Window(start=start, end=NOW),
    )
    inquiry = Inquiry(
        case,
        Ports(metrics=memory, cluster=KubernetesCluster(api, CLUSTER)),
        clock=VirtualClock(),
    )
    evidence = await inquiry.ask(MODE.watch_steps)
    return MODE.judge(case, evidence, cause, changed)


async def test_measured_headroom_is_recovery_and_the_condition_is_told_and_waited_for() -> None:
    found = await judged(objects(), Memory(500))
    assert found.symptom_gone is True
    assert found.cause is CauseNow.UNCLEAR  # not verified before the kubelet says so
    assert found.signals == (
        "its pods use 1000 of 8192 MiB allocatable",
        f"no eviction there since {CHANGED:%H:%M:%S}Z",
        "sent away and back: Deployment shop/web",
        "MemoryPressure is still set on node-a: a kubelet keeps it for up to 5 min by default",
    )


async def test_once_the_condition_is_off_the_cause_is_gone() -> None:
    found = await judged(objects(pressed=False), Memory(500))
    assert (found.symptom_gone, found.cause) == (True, CauseNow.GONE)
    assert MODE.relapse_seconds(Evidence([]), CAUSE) > HOLDS.total_seconds()
    silent = await judged(objects(pressed=False), Memory(500, silent="all"))
    assert (silent.symptom_gone, silent.cause) == (True, CauseNow.GONE)


@pytest.mark.parametrize(
    ("api", "memory", "why"),
    [
        (objects(), Memory(4000), "8000 of 8192 MiB"),
        (objects(), Memory(500, seconds_ago=30), "not yet measured since the change"),
        (objects(), Memory(500, silent="api-hash1-p2"), "not yet measured"),
        (objects(), Memory(500, silent="all"), "not yet measured"),
        (objects(evicted_ago=10), Memory(500), "evicted last at 11:59:50Z"),
        (objects(back=False), Memory(500), "sent away and not back: Deployment shop/web"),
        (objects(pressed=False, back=False), Memory(500), "sent away and not back"),
    ],
)
async def test_what_is_not_seen_to_be_well_is_not_called_so(
    api: Any, memory: Memory, why: str
) -> None:
    found = await judged(api, memory)
    assert found.symptom_gone is False
    assert why in "; ".join(found.signals)


async def test_a_condition_that_is_not_yet_written_is_not_taken_for_well() -> None:
    just_now = objects(pressed=False, evicted_ago=10)
    for changed in (CHANGED, None):
        found = await judged(just_now, Memory(500), changed=changed)
        assert (found.symptom_gone, found.cause) == (False, CauseNow.UNCLEAR)


async def test_evictions_that_go_on_are_the_cause_going_on() -> None:
    found = await judged(objects(evicted_ago=5), Memory(500))
    assert found.cause is CauseNow.GOES_ON


async def test_where_no_pod_is_the_culprit_only_the_condition_counts() -> None:
    found = await judged(objects(), Memory(500), cause=replace(CAUSE, culprit=None))
    assert found.symptom_gone is False
    assert "it is not known what took it" in found.signals


async def test_before_a_change_the_condition_is_the_symptom() -> None:
    found = await judged(objects(), Memory(500), changed=None)
    assert (found.symptom_gone, found.cause) == (False, CauseNow.GOES_ON)
