"""Alarms on their way through a moto that really runs."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from datetime import UTC, datetime
from pathlib import Path

import pytest

from petops.domain.subject import ClusterName
from petops.lab.alarm_events import CONTRIBUTOR_TYPE, Event, delivered, enveloped
from petops.lab.alarm_watch import AlarmWatch
from petops.lab.aws import ACCOUNT, REGION, Aws, running_aws
from petops.lab.children import beside
from tests.lab.figures import Figures

pytestmark = pytest.mark.slow

CLUSTER = ClusterName(name="petops-lab", account=ACCOUNT, region=REGION)


async def received(aws: Aws) -> list[dict[str, object]]:
    answer = await aws.call("sqs", "receive_message", QueueUrl=aws.queue_url, WaitTimeSeconds=2)
    return [json.loads(message["Body"]) for message in answer.get("Messages", ())]


async def test_an_alarm_reaches_the_queue_as_the_event_that_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")  # which must not matter
    world = Figures()
    watch = AlarmWatch(world, CLUSTER, world.now)
    world.pass_time(12, working_set_mib=120)
    (event,) = watch.look(world.now)
    async with running_aws(tmp_path) as aws:
        await aws.put_event(event)
        (got,) = await received(aws)
        attributes = await aws.call(
            "sqs", "get_queue_attributes", QueueUrl=aws.queue_url, AttributeNames=["All"]
        )
        environment = aws.environment()
    assert got | {"id": ""} == {**event, "id": ""}
    redrive = json.loads(attributes["Attributes"]["RedrivePolicy"])
    assert redrive["maxReceiveCount"] == 5
    assert redrive["deadLetterTargetArn"].endswith(":devops-agent-alarms-dlq")
    assert {value for name, value in environment.items() if "ENDPOINT" in name} == {
        aws.endpoint_url
    }


async def test_a_contributors_event_reaches_the_queue_too(tmp_path: Path) -> None:
    detail = {"alarmName": "any", "alarmContributor": {"id": "6d44", "attributes": {"a": "b"}}}
    event = enveloped(CONTRIBUTOR_TYPE, detail, datetime.now(UTC), CLUSTER, "ALARM")
    async with running_aws(tmp_path) as aws:
        await aws.put_event(event)
        (got,) = await received(aws)
    assert got | {"id": ""} == {**event, "id": ""}


async def test_what_is_no_alarm_does_not_reach_the_queue(tmp_path: Path) -> None:
    async with running_aws(tmp_path) as aws:
        other = {"Source": "aws.ec2", "DetailType": "EC2 Instance State-change", "Detail": "{}"}
        await aws.call("events", "put_events", Entries=[other])
        answer = await aws.call("sqs", "receive_message", QueueUrl=aws.queue_url)
    assert "Messages" not in answer


async def test_a_moto_that_dies_is_started_again_and_takes_the_alarm_that_waited(
    tmp_path: Path,
) -> None:
    world = Figures()
    watch = AlarmWatch(world, CLUSTER, world.now)
    world.pass_time(12, working_set_mib=120)
    waiting: asyncio.Queue[Event] = asyncio.Queue()
    told: list[str] = []
    async with (
        running_aws(tmp_path, told.append) as aws,
        beside(delivered(waiting, aws.put_event)),
    ):
        os.kill(aws.process.pid, signal.SIGKILL)
        (event,) = watch.look(world.now)
        waiting.put_nowait(event)
        async with asyncio.timeout(20):
            await waiting.join()
        (got,) = await received(aws)
    assert got["detail"] == event["detail"]
    assert told == ["moto ended with status -9 and was started again"]
