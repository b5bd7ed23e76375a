"""CloudWatch's alarms as they stand: one by its name or ARN."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any, Final

from petops.domain.alarm import Alarm
from petops.domain.alarm_mapping import AlarmMapping
from petops.errors import SourceError, UsageError
from petops.sources.alarm_events import parse_eventbridge

Json = Any

_SECONDS: Final = 10
_DETAIL_TYPE: Final = "CloudWatch Alarm State Change"


class CloudWatchAlarms:
    """Reads alarms by DescribeAlarms, off the loop."""

    def __init__(self, *, region: str) -> None:
        self._region = region

    async def find(self, name: str, mapping: AlarmMapping) -> Alarm:
        """Return the alarm with this name or ARN.

        As its last change of state would have told it.
        """
        wanted = name.rpartition(":alarm:")[2]
        with ThreadPoolExecutor(1, thread_name_prefix="cloudwatch") as thread:
            try:
                async with asyncio.timeout(2 * _SECONDS):
                    found = await asyncio.get_running_loop().run_in_executor(
                        thread, _described, wanted, self._region
                    )
            except TimeoutError:
                raise SourceError("CloudWatch did not answer", hint="petops doctor") from None
        if found is None:
            raise UsageError(
                f"CloudWatch has no alarm {wanted[:100]!r} in {self._region or 'its region'}",
                hint="aws cloudwatch describe-alarms lists them",
            )
        return parse_eventbridge(as_event(found), mapping)[0]


def as_event(alarm: Json) -> Json:
    """Return a described alarm as the event that its present state would have made."""
    arn: str = alarm["AlarmArn"]
    _, _, _, region, account, *_ = arn.split(":")
    updated = alarm.get("StateUpdatedTimestamp")
    at = updated.isoformat() if isinstance(updated, datetime) else str(updated)
    metric = {
        "namespace": alarm.get("Namespace", ""),
        "name": alarm.get("MetricName", ""),
        "dimensions": {one["Name"]: one["Value"] for one in alarm.get("Dimensions", ())},
    }
    metrics = [{"id": "m1", "metricStat": {"metric": metric}, "returnData": True}]
    for one in alarm.get("Metrics", ()):
        stat = one.get("MetricStat", {}).get("Metric")
        if stat:
            dimensions = {pair["Name"]: pair["Value"] for pair in stat.get("Dimensions", ())}
            named = {"namespace": stat["Namespace"], "name": stat["MetricName"]}
            metrics.append(
                {"id": one["Id"], "metricStat": {"metric": named | {"dimensions": dimensions}}}
            )
    return {
        "version": "0",
        "id": f"{arn}@{at}",
        "detail-type": _DETAIL_TYPE,
        "source": "aws.cloudwatch",
        "account": account,
        "region": region,
        "time": at,
        "resources": [arn],
        "detail": {
            "alarmName": alarm["AlarmName"],
            "state": {
                "value": alarm.get("StateValue", "ALARM"),
                "reason": alarm.get("StateReason", ""),
                "timestamp": at,
            },
            "configuration": {
                "description": alarm.get("AlarmDescription", ""),
                "metrics": metrics if not alarm.get("Metrics") else metrics[1:],
            },
        },
    }


def _described(name: str, region: str) -> Json | None:
    from boto3.session import Session  # noqa: PLC0415 - 0.4 s
    from botocore.config import Config  # noqa: PLC0415
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415
    from botocore.parsers import ResponseParserError  # noqa: PLC0415

    try:
        client = Session().client(
            "cloudwatch",
            region_name=region or None,
            config=Config(
                connect_timeout=_SECONDS, read_timeout=_SECONDS, retries={"total_max_attempts": 1}
            ),
        )
        answer = client.describe_alarms(
            AlarmNames=[name], AlarmTypes=["MetricAlarm", "CompositeAlarm"]
        )
    except (BotoCoreError, ClientError, ResponseParserError, ValueError, OSError) as exc:
        raise SourceError(
            f"CloudWatch could not be asked: {exc}", hint="are AWS credentials and region set?"
        ) from exc
    found = [*answer.get("MetricAlarms", ()), *answer.get("CompositeAlarms", ())]
    return found[0] if found else None
