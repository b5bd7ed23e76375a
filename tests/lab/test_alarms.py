"""The lab's alarms: when they change their state, and the event that says so."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from petops.domain.subject import ClusterName
from petops.errors import SourceError
from petops.lab.alarm_events import Event, delivered, entry
from petops.lab.alarm_watch import AlarmWatch
from petops.lab.alarms import State
from petops.lab.children import beside
from tests.lab.figures import MIB, NODE, Figures

CLUSTER = ClusterName(name="petops-lab", account="111122223333", region="us-east-1")
MEMORY = "default-service-petsite-memory"
CPU = "default-service-petsite-cpu"
RESTARTS = "default-petsite-restarts"
NODE_MEMORY = f"{NODE}-node-memory"


class Watched:
    """A small world and its alarms."""

    def __init__(self) -> None:
        self.world = Figures()
        self.watch = AlarmWatch(self.world, CLUSTER, self.world.now)

    def after(
        self, seconds: float, *, working_set_mib: float = 64, cores: float = 0.1
    ) -> list[Event]:
        """Let time pass, cAdvisor look and the alarms be evaluated."""
        self.world.pass_time(seconds, working_set_mib=working_set_mib, cores=cores)
        return self.watch.look(self.world.now)


@pytest.fixture
def watched() -> Watched:
    return Watched()


def changes(events: list[Event]) -> list[tuple[str, str, str]]:
    return [
        (
            event["detail"]["alarmName"],
            event["detail"]["previousState"]["value"],
            event["detail"]["state"]["value"],
        )
        for event in events
    ]


def test_a_healthy_world_has_all_its_alarms_in_ok_and_says_nothing(watched: Watched) -> None:
    assert watched.watch.states == dict.fromkeys((MEMORY, CPU, RESTARTS, NODE_MEMORY), State.OK)
    assert watched.after(12) == []


def test_one_datapoint_over_the_threshold_fires_and_a_minute_below_it_ends_it(
    watched: Watched,
) -> None:
    assert changes(watched.after(12, working_set_mib=110)) == [(MEMORY, "OK", "ALARM")]
    assert watched.after(12) == [], "the high datapoint is less than a minute old"
    assert watched.after(35) == []
    assert changes(watched.after(14)) == [(MEMORY, "ALARM", "OK")]


def test_exactly_the_threshold_is_not_over_it(watched: Watched) -> None:
    assert watched.after(12, working_set_mib=0.8 * 128) == []


def test_nothing_fires_before_cadvisor_looks(watched: Watched) -> None:
    full = [replace(each, memory_working_set_bytes=120 * MIB) for each in watched.world.usages]
    watched.world.usages = full
    watched.world.now += timedelta(seconds=3)
    assert watched.watch.look(watched.world.now) == []


def test_cpu_is_judged_by_what_was_used_between_two_looks(watched: Watched) -> None:
    assert watched.after(12, cores=0.4) == []
    assert changes(watched.after(12, cores=0.5)) == [(CPU, "OK", "ALARM")]


def test_a_restart_fires_once_and_is_over_after_a_minute(watched: Watched) -> None:
    watched.world.restart()
    assert changes(watched.after(12)) == [(RESTARTS, "OK", "ALARM")]
    assert watched.after(30) == []
    assert changes(watched.after(31)) == [(RESTARTS, "ALARM", "OK")]


def test_a_nodes_memory_is_watched(watched: Watched) -> None:
    watched.world.node = replace(watched.world.node, memory_available_bytes=400 * MIB)
    (event,) = watched.after(12)
    metric = event["detail"]["configuration"]["metrics"][0]["metricStat"]["metric"]
    assert metric == {
        "namespace": "ContainerInsights",
        "name": "node_memory_utilization",
        "dimensions": {"ClusterName": "petops-lab", "InstanceId": "i-0abc", "NodeName": NODE},
    }


def test_three_silent_minutes_are_insufficient_data(watched: Watched) -> None:
    watched.world.usages = []
    assert watched.after(60) == []
    events = watched.after(121)
    assert set(changes(events)) == {
        (MEMORY, "OK", "INSUFFICIENT_DATA"),
        (CPU, "OK", "INSUFFICIENT_DATA"),
    }
    state = events[0]["detail"]["state"]
    assert state["reason"] == "Insufficient Data: 1 datapoint was unknown."
    assert "reasonData" not in state


def test_a_new_service_begins_with_insufficient_data(watched: Watched) -> None:
    service = {
        "metadata": {"name": "extra", "namespace": "default"},
        "spec": {"selector": {"app": "petsite"}},
    }
    watched.world.store.held["services"].append(service)
    before = ("default-extra-memory", "INSUFFICIENT_DATA", "OK")
    assert before in changes(watched.after(12))
    assert len(watched.watch.states) == 6
    watched.world.store.held["services"].remove(service)
    assert watched.after(12) == []
    assert len(watched.watch.states) == 4


def test_the_event_is_the_one_that_eventbridge_delivers(watched: Watched) -> None:
    (event,) = watched.after(12, working_set_mib=112)
    reason_data = json.loads(event["detail"]["state"].pop("reasonData"))
    event["detail"]["previousState"].pop("reasonData")
    metric_id = event["detail"]["configuration"]["metrics"][0].pop("id")
    assert metric_id
    assert event["id"]
    assert {key: event[key] for key in event if key not in {"id", "detail"}} == {
        "version": "0",
        "detail-type": "CloudWatch Alarm State Change",
        "source": "aws.cloudwatch",
        "account": "111122223333",
        "time": "2026-11-23T07:00:12Z",
        "region": "us-east-1",
        "resources": [f"arn:aws:cloudwatch:us-east-1:111122223333:alarm:{MEMORY}"],
    }
    assert event["detail"] == {
        "alarmName": MEMORY,
        "configuration": {
            "description": "A pod of the service uses more than 80 % of its memory limit.",
            "metrics": [
                {
                    "metricStat": {
                        "metric": {
                            "dimensions": {
                                "ClusterName": "petops-lab",
                                "Namespace": "default",
                                "Service": "service-petsite",
                            },
                            "name": "pod_memory_utilization_over_pod_limit",
                            "namespace": "ContainerInsights",
                        },
                        "period": 60,
                        "stat": "Maximum",
                    },
                    "returnData": True,
                }
            ],
        },
        "previousState": {
            "reason": "Threshold Crossed: 1 out of the last 1 datapoints "
            "[50.0 (23/11/26 06:59:00)] was not greater than the threshold (80.0) "
            "(minimum 1 datapoint for ALARM -> OK transition).",
            "timestamp": "2026-11-23T07:00:00.000+0000",
            "value": "OK",
        },
        "state": {
            "reason": "Threshold Crossed: 1 out of the last 1 datapoints "
            "[87.5 (23/11/26 07:00:00)] was greater than the threshold (80.0) "
            "(minimum 1 datapoint for OK -> ALARM transition).",
            "timestamp": "2026-11-23T07:00:12.000+0000",
            "value": "ALARM",
        },
    }
    assert reason_data == {
        "version": "1.0",
        "queryDate": "2026-11-23T07:00:12.000+0000",
        "startDate": "2026-11-23T07:00:00.000+0000",
        "statistic": "Maximum",
        "period": 60,
        "recentDatapoints": [87.5],
        "threshold": 80.0,
        "evaluatedDatapoints": [
            {"timestamp": "2026-11-23T07:00:00.000+0000", "sampleCount": 2.0, "value": 87.5}
        ],
    }


def test_an_event_as_an_entry_of_put_events(watched: Watched) -> None:
    (event,) = watched.after(12, working_set_mib=112)
    put = entry(event)
    assert json.loads(put["Detail"]) == event["detail"]
    assert put["Time"] == datetime.fromisoformat(event["time"])
    assert put["Resources"] == event["resources"]


async def test_an_event_that_cannot_be_delivered_is_tried_again_and_keeps_its_place() -> None:
    waiting: asyncio.Queue[Event] = asyncio.Queue()
    got: list[str] = []
    failures = [SourceError("moto is away"), SourceError("still")]
    pauses: list[float] = []

    async def put(event: Event) -> None:
        if failures:
            raise failures.pop()
        got.append(event["id"])

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    for number in ("1", "2"):
        waiting.put_nowait({"id": number})
    async with beside(delivered(waiting, put, sleep)):
        await waiting.join()
    assert got == ["1", "2"]
    assert pauses == [0.2, 0.4]
