"""An alarm's change of state as the event that EventBridge delivers, and its way there."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from petops.domain.subject import ClusterName
from petops.errors import SourceError
from petops.lab.alarms import PERIOD, Alarm, Comparison, Judged, State, StateChange

Event = Mapping[str, Any]

SOURCE: Final = "aws.cloudwatch"
DETAIL_TYPE: Final = "CloudWatch Alarm State Change"
CONTRIBUTOR_TYPE: Final = "CloudWatch Alarm Contributor State Change"
_NAMES: Final = uuid.UUID("5a9d1f0e-4c0b-5d5e-9a53-6d0f6c6c1ab0")
_WORDS: Final = {
    Comparison.GREATER: "greater than",
    Comparison.AT_LEAST: "greater than or equal to",
}
_FIRST_PAUSE_SECONDS: Final = 0.2
_LONGEST_PAUSE_SECONDS: Final = 5.0


def event(change: StateChange, cluster: ClusterName) -> Event:
    """Return the event of a change, as EventBridge's targets get it."""
    alarm, at = change.alarm, change.after.since
    detail = {
        "alarmName": alarm.name,
        "configuration": configuration(alarm),
        "previousState": state(alarm, change.before, None),
        "state": state(alarm, change.after, change.before.state),
    }
    return enveloped(DETAIL_TYPE, detail, at, cluster, str(change.after.state))


def alarm_arn(name: str, cluster: ClusterName) -> str:
    """Return an alarm's ARN."""
    return f"arn:aws:cloudwatch:{cluster.region}:{cluster.account}:alarm:{name}"


def enveloped(
    kind: str, detail: dict[str, Any], at: datetime, cluster: ClusterName, mark: str
) -> Event:
    """Return what EventBridge delivers around a detail; `mark` tells events of a moment apart."""
    arn = alarm_arn(detail["alarmName"], cluster)
    return {
        "version": "0",
        "id": str(uuid.uuid5(_NAMES, f"{arn} {at.isoformat()} {mark}")),
        "detail-type": kind,
        "source": SOURCE,
        "account": cluster.account,
        "time": at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": cluster.region,
        "resources": [arn],
        "detail": detail,
    }


def entry(delivered: Event) -> dict[str, Any]:
    """Return an event as an entry of PutEvents."""
    return {
        "Source": delivered["source"],
        "DetailType": delivered["detail-type"],
        "Detail": json.dumps(delivered["detail"]),
        "Resources": delivered["resources"],
        "Time": datetime.fromisoformat(delivered["time"]),
    }


async def delivered(
    waiting: asyncio.Queue[Event],
    put: Callable[[Event], Awaitable[None]],
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Hand events on in their order, for ever; one that cannot be is tried until it can."""
    while True:
        one = await waiting.get()
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                await put(one)
                break
            except SourceError:
                await sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
        waiting.task_done()


def configuration(alarm: Alarm) -> dict[str, Any]:
    """Return what an event says of a rule on one series."""
    metric = {
        "dimensions": dict(alarm.series.dimensions),
        "name": alarm.series.metric,
        "namespace": "ContainerInsights",
    }
    seconds = int(PERIOD.total_seconds())
    return {
        "description": alarm.rule.description,
        "metrics": [
            {
                "id": str(uuid.uuid5(_NAMES, alarm.name)),
                "metricStat": {"metric": metric, "period": seconds, "stat": alarm.rule.statistic},
                "returnData": True,
            }
        ],
    }


def state(alarm: Alarm, judged: Judged, before: State | None) -> dict[str, Any]:
    """Return a state; one that no datapoint led to has no data, but its reason."""
    said = {"timestamp": stamp(judged.since), "value": str(judged.state)}
    if judged.value is None or judged.datapoint_at is None:
        first = judged.state is State.INSUFFICIENT_DATA and before is not None
        reason = "Insufficient Data: 1 datapoint was unknown." if first else UNCHECKED
        return {"reason": reason, **said}
    rule, start = alarm.rule, judged.datapoint_at.replace(second=0, microsecond=0)
    is_over = "was" if judged.state is State.ALARM else "was not"
    shown = start.astimezone(UTC).strftime("%d/%m/%y %H:%M:%S")
    usual = State.ALARM if judged.state is State.OK else State.OK
    reason = (
        f"Threshold Crossed: 1 out of the last 1 datapoints [{judged.value} ({shown})] {is_over} "
        f"{_WORDS[rule.comparison]} the threshold ({rule.threshold}) "
        f"(minimum 1 datapoint for {before or usual} -> {judged.state} transition)."
    )
    data = {
        "version": "1.0",
        "queryDate": stamp(judged.since),
        "startDate": stamp(start),
        "statistic": rule.statistic,
        "period": int(PERIOD.total_seconds()),
        "recentDatapoints": [judged.value],
        "threshold": rule.threshold,
        "evaluatedDatapoints": [
            {
                "timestamp": stamp(start),
                "sampleCount": float(judged.datapoints),
                "value": judged.value,
            }
        ],
    }
    return {"reason": reason, "reasonData": json.dumps(data, separators=(",", ":")), **said}


UNCHECKED: Final = "Unchecked: Initial alarm creation"


def stamp(at: datetime) -> str:
    """Return a time as CloudWatch writes it in events."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "+0000"
