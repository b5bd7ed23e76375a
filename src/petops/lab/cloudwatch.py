"""The lab's alarms as CloudWatch lists them: kept in moto, which never evaluates them itself."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from petops.errors import SourceError
from petops.lab.alarm_events import Event
from petops.lab.alarms import Alarm
from petops.lab.aws import Aws

_PAUSE_SECONDS: Final = 1.0


async def listed(aws: Aws, alarms: tuple[Alarm, ...]) -> None:
    """Make each alarm known to DescribeAlarms; one that cannot be is tried again."""
    waiting = list(alarms)
    while waiting:
        try:
            await aws.call("cloudwatch", "put_metric_alarm", **_described(waiting[0]))
            await aws.call("cloudwatch", "set_alarm_state", **_quiet(waiting[0].name))
        except SourceError:
            await asyncio.sleep(_PAUSE_SECONDS)
        else:
            waiting.pop(0)


async def mirrored(aws: Aws, event: Event) -> None:
    """Keep the state that an event tells of; moto puts nothing on EventBridge for it."""
    state = event["detail"]["state"]
    configuration: Mapping[str, Any] = event["detail"]["configuration"]
    metric = configuration["metrics"][0]["metricStat"]
    described = {
        "AlarmName": event["detail"]["alarmName"],
        "AlarmDescription": configuration.get("description", ""),
        "Namespace": metric["metric"]["namespace"],
        "MetricName": metric["metric"]["name"],
        "Dimensions": _pairs(tuple(metric["metric"]["dimensions"].items())),
        "Statistic": metric["stat"],
        "Period": metric["period"],
        "EvaluationPeriods": 1,
        "Threshold": 0.0,
        "ComparisonOperator": "GreaterThanThreshold",
    }
    known = await aws.call("cloudwatch", "describe_alarms", AlarmNames=[described["AlarmName"]])
    if not known["MetricAlarms"]:
        await aws.call("cloudwatch", "put_metric_alarm", **described)
    await aws.call(
        "cloudwatch",
        "set_alarm_state",
        AlarmName=described["AlarmName"],
        StateValue=state["value"],
        StateReason=state["reason"],
    )


def _quiet(name: str) -> dict[str, str]:
    return {"AlarmName": name, "StateValue": "OK", "StateReason": "it is under its threshold"}


def _described(alarm: Alarm) -> dict[str, Any]:
    return {
        "AlarmName": alarm.name,
        "AlarmDescription": alarm.rule.description,
        "Namespace": "ContainerInsights",
        "MetricName": alarm.rule.metric,
        "Dimensions": _pairs(alarm.series.dimensions),
        "Statistic": str(alarm.rule.statistic),
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": alarm.rule.threshold,
        "ComparisonOperator": str(alarm.rule.comparison),
    }


def _pairs(dimensions: tuple[tuple[str, str], ...]) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in dimensions]
