"""An alarm of petops' own, set by hand, and whether it arrives.

Where an engine runs, its journal tells that the alarm came: from under it nothing is received. Else
the queue is looked through, once it has more messages than before and only while they are few.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Sequence
from contextlib import aclosing, suppress
from typing import Any, Final

from petops import wire
from petops.config import Settings
from petops.errors import PetopsError, SourceError
from petops.programs.doctor_alarms import Services, attributes, opened, rules_of
from petops.programs.doctor_check import Check, broken, failed, off, ok
from petops.remote import connected, socket_is_alive
from petops.sources.alarm_route import alarm_prefixes
from petops.sources.aws_calls import HASTY, AwsCalls
from petops.sources.aws_pieces import TEST_ALARM

NAME: Final = "test alarm"
ARRIVES_SECONDS: Final = 30.0
_LOOK_EVERY_SECONDS: Final = 1.0
_SECONDS: Final = 8.0
_MOST_WAITING: Final = 40
_AT_ONCE: Final = 10
_HIDDEN_SECONDS: Final = 5
_COUNTS: Final = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)


async def look(settings: Settings, *, seconds: float = ARRIVES_SECONDS) -> Sequence[Check]:
    """Make an alarm, set it, wait for it to arrive, and take it away again."""
    if not settings.alarms.sqs_queue_url:
        return (off(NAME, "no queue is set that it could arrive in"),)
    region = settings.cluster.region
    try:
        async with (
            opened(settings) as services,
            AwsCalls(
                "cloudwatch", "CloudWatch", region=region, timeout_seconds=_SECONDS, patience=HASTY
            ) as cloudwatch,
        ):
            name = await _name(services, settings)
            await cloudwatch.call("put_metric_alarm", **_alarm(name))
            try:
                return (await _sent(name, cloudwatch, services, settings, seconds=seconds),)
            finally:
                await _taken_away(name, cloudwatch)
    except PetopsError as exc:
        return (failed(NAME, exc, "petops setup aws policies shows the rights that it needs"),)


async def _name(services: Services, settings: Settings) -> str:
    """Return a name that the rule lets through."""
    queue = await attributes(services.sqs, settings.alarms.sqs_queue_url)
    rules = await rules_of(services.events, queue["QueueArn"])
    prefixes = [prefix for rule in rules for prefix in alarm_prefixes(_pattern(rule))]
    return f"{prefixes[0] if prefixes else ''}{TEST_ALARM}-{uuid.uuid4().hex[:8]}"


def _pattern(rule: Any) -> Any:
    with suppress(ValueError):
        return json.loads(rule.get("EventPattern") or "{}")
    return {}


def _alarm(name: str) -> dict[str, Any]:
    return {
        "AlarmName": name,
        "AlarmDescription": "petops doctor sets this for a moment, to see whether it arrives",
        "ActionsEnabled": False,
        "Namespace": "petops/doctor",
        "MetricName": "nothing",
        "Statistic": "Sum",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 1.0,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "ignore",
    }


async def _sent(
    name: str, cloudwatch: AwsCalls, services: Services, settings: Settings, *, seconds: float
) -> Check:
    if socket_is_alive(settings.socket_path):
        async with connected(settings.socket_path) as engine:
            seq = (await engine.board()).seq
            await _set(name, cloudwatch, "ALARM")
            with suppress(TimeoutError):
                async with (
                    asyncio.timeout(seconds),
                    aclosing(engine.entries(seq)) as entries,
                ):
                    async for entry in entries:
                        if name in wire.entry_to_json(entry):
                            return ok(NAME, "was set, came by the queue, and is in the journal")
        told = f"was set, and did not reach the engine within {seconds:.0f} s"
        return broken(NAME, told, "see the lines above: queue, policy, rule; then the engine's log")
    before = await _count(services.sqs, settings)
    if before > _MOST_WAITING:
        told = f"was not set: {before} messages wait, and no engine reads them"
        return broken(NAME, told, "start the engine first: petops daemon")
    await _set(name, cloudwatch, "ALARM")
    for _ in range(int(seconds / _LOOK_EVERY_SECONDS)):
        await asyncio.sleep(_LOOK_EVERY_SECONDS)
        count = await _count(services.sqs, settings)
        if count > before:
            before = count
            if await _is_waiting(name, services.sqs, settings.alarms.sqs_queue_url):
                return ok(NAME, "was set, and came into the queue (no engine reads it here)")
    told = f"was set, and was not seen in the queue within {seconds:.0f} s"
    fix = "see the lines above; or an engine elsewhere was faster: ask it, GET /api/v1/doctor"
    return broken(NAME, told, fix)


async def _is_waiting(name: str, sqs: AwsCalls, url: str) -> bool:
    """Look through the few messages that wait, once; take ours away, and leave all others.

    They are visible again after seconds; an engine would meet them once more, and no message is
    near the number of receives that makes it a dead letter.
    """
    for _ in range(_MOST_WAITING // _AT_ONCE + 1):
        answer = await sqs.call(
            "receive_message",
            QueueUrl=url,
            MaxNumberOfMessages=_AT_ONCE,
            VisibilityTimeout=_HIDDEN_SECONDS,
            WaitTimeSeconds=0,
        )
        found = answer.get("Messages") or ()
        for one in found:
            if name in one["Body"]:
                handle = one["ReceiptHandle"]
                await sqs.call("delete_message", QueueUrl=url, ReceiptHandle=handle)
                return True
        if not found:
            return False
    return False


async def _set(name: str, cloudwatch: AwsCalls, state: str) -> None:
    reason = "petops doctor --test-alarm"
    await cloudwatch.call("set_alarm_state", AlarmName=name, StateValue=state, StateReason=reason)


async def _count(sqs: AwsCalls, settings: Settings) -> int:
    queue = await attributes(sqs, settings.alarms.sqs_queue_url)
    return sum(int(queue.get(one, "0")) for one in _COUNTS)


async def _taken_away(name: str, cloudwatch: AwsCalls) -> None:
    """Clear the alarm, so that whatever it opened closes by itself, and delete it."""
    with suppress(SourceError):
        await _set(name, cloudwatch, "OK")
    with suppress(SourceError):
        await cloudwatch.call("delete_alarms", AlarmNames=[name])
