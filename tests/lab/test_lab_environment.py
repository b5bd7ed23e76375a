"""By the lab's environment any boto3 client meets its CloudWatch, Logs and X-Ray."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import boto3
import pytest

from petops.domain.alarm import AlarmState
from petops.domain.alarm_mapping import AlarmMapping
from petops.lab.running import Lab
from petops.sources.cloudwatch_alarms import CloudWatchAlarms
from tests.lab.wall_clock import WallClock

pytestmark = pytest.mark.slow

NAME = "default-petadoptionshistory-py-memory"


def drilled(queue: str) -> tuple[list[dict[str, Any]], float]:
    """Set an alarm's state; return what the queue had, and how long it took."""
    boto3.client("cloudwatch").set_alarm_state(
        AlarmName=NAME, StateValue="ALARM", StateReason="a drill"
    )
    began = time.monotonic()
    answer = boto3.client("sqs").receive_message(QueueUrl=queue, WaitTimeSeconds=10)
    seconds = time.monotonic() - began
    return [json.loads(one["Body"]) for one in answer.get("Messages", ())], seconds


async def test_a_state_that_is_set_arrives_on_the_queue_and_is_described(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Lab.started(tmp_path / "lab", clock=WallClock()) as lab:
        environment = lab.environment()
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        own = {environment[f"AWS_ENDPOINT_URL_{name}"] for name in ("CLOUDWATCH", "XRAY")}
        assert own == {environment["AWS_ENDPOINT_URL_CLOUDWATCH_LOGS"]}
        assert own != {environment["AWS_ENDPOINT_URL_SQS"]}
        events, seconds = await asyncio.to_thread(drilled, environment["PETOPS_SQS_QUEUE_URL"])
        assert [one["detail"]["alarmName"] for one in events] == [NAME]
        assert events[0]["detail"]["previousState"]["value"] == "OK"
        assert seconds < 5
        alarm = await CloudWatchAlarms(region="us-east-1").find(NAME, AlarmMapping())
        assert alarm.state is AlarmState.ALARM
        xray = await asyncio.to_thread(lambda: boto3.client("xray"))
        end = WallClock().now()
        graph = await asyncio.to_thread(
            lambda: xray.get_service_graph(StartTime=end.timestamp() - 300, EndTime=end)
        )
        assert {"petsite", "payforadoption-go"} <= {one["Name"] for one in graph["Services"]}
