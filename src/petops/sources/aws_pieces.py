"""What petops needs in an AWS account, as values: queues, rule, policies, and how they differ.

`manifests/aws/devops-agent.yaml` says the same to CloudFormation; a test compares the two.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

Json = Any

TAG: Final = "petops.dev/setup"
TARGET: Final = "alarms"
DETAIL_TYPES: Final = (
    "CloudWatch Alarm State Change",
    "CloudWatch Alarm Contributor State Change",
)
TEST_ALARM: Final = "petops-doctor"
"""In the name of every alarm that `petops doctor --test-alarm` makes."""

_VERSION: Final = "2012-10-17"
_FOUR_DAYS: Final = "345600"
_TWO_WEEKS: Final = "1209600"
_VISIBLE_AGAIN_SECONDS: Final = "120"
_LONG_POLL_SECONDS: Final = "20"
_MOST_RECEIVES: Final = 5


class PieceKind(StrEnum):
    """What there is of."""

    QUEUE = "queue"
    RULE = "rule"
    POLICY = "policy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Account and region, and what names begin with."""

    account: str
    region: str
    partition: str = "aws"
    prefix: str = "devops-agent"
    alarm_prefix: str = ""

    def arn(self, service: str, resource: str, *, region: str | None = None) -> str:
        """Return the ARN of something in this account."""
        where = self.region if region is None else region
        return f"arn:{self.partition}:{service}:{where}:{self.account}:{resource}"

    @property
    def queue(self) -> str:
        return f"{self.prefix}-alarms"

    @property
    def dead_letters(self) -> str:
        return f"{self.prefix}-alarms-dlq"

    @property
    def rule(self) -> str:
        return f"{self.prefix}-alarms"

    @property
    def rule_arn(self) -> str:
        return self.arn("events", f"rule/{self.rule}")

    @property
    def queue_arn(self) -> str:
        return self.arn("sqs", self.queue)

    @property
    def dead_letter_arn(self) -> str:
        return self.arn("sqs", self.dead_letters)


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One thing of the account. `owner` is the setup that made it; empty: somebody else did."""

    kind: PieceKind
    name: str
    attributes: Mapping[str, Json]
    owner: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What has to be done to one piece: make it, or change these attributes (was, to)."""

    piece: Piece
    is_new: bool = False
    is_foreign: bool = False
    changed: Mapping[str, tuple[Json, Json]] = field(default_factory=dict)

    @property
    def is_none(self) -> bool:
        return not self.is_new and not self.changed


def pieces(place: Place) -> tuple[Piece, ...]:
    """Return everything that there should be, in the order in which it can be made."""
    return (
        _piece(place, PieceKind.QUEUE, place.dead_letters, dead_letter_queue(place)),
        _piece(place, PieceKind.QUEUE, place.queue, alarm_queue(place)),
        _piece(place, PieceKind.RULE, place.rule, alarm_rule(place)),
        *(
            _piece(place, PieceKind.POLICY, name, {"PolicyDocument": document})
            for name, document in policies(place).items()
        ),
    )


def _piece(place: Place, kind: PieceKind, name: str, attributes: Mapping[str, Json]) -> Piece:
    return Piece(kind=kind, name=name, attributes=attributes, owner=place.prefix)


def dead_letter_queue(place: Place) -> Mapping[str, Json]:
    """Keep for two weeks what could not be read or delivered."""
    return {
        "MessageRetentionPeriod": _TWO_WEEKS,
        "SqsManagedSseEnabled": "true",
        "Policy": queue_policy(place, place.dead_letter_arn),
    }


def alarm_queue(place: Place) -> Mapping[str, Json]:
    """Hold alarms until the engine has journaled them."""
    redrive = {"deadLetterTargetArn": place.dead_letter_arn, "maxReceiveCount": _MOST_RECEIVES}
    return {
        "VisibilityTimeout": _VISIBLE_AGAIN_SECONDS,
        "MessageRetentionPeriod": _FOUR_DAYS,
        "ReceiveMessageWaitTimeSeconds": _LONG_POLL_SECONDS,
        "SqsManagedSseEnabled": "true",
        "RedrivePolicy": redrive,
        "Policy": queue_policy(place, place.queue_arn),
    }


def queue_policy(place: Place, queue_arn: str) -> Json:
    """Let EventBridge send to a queue, for our rule alone."""
    return {
        "Version": _VERSION,
        "Statement": [
            {
                "Sid": "EventBridge",
                "Effect": "Allow",
                "Principal": {"Service": "events.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": queue_arn,
                "Condition": {"ArnEquals": {"aws:SourceArn": place.rule_arn}},
            }
        ],
    }


def alarm_rule(place: Place) -> Mapping[str, Json]:
    """Send every change of an alarm's state to the queue."""
    pattern: dict[str, Json] = {"source": ["aws.cloudwatch"], "detail-type": [*DETAIL_TYPES]}
    if place.alarm_prefix:
        pattern["detail"] = {"alarmName": [{"prefix": place.alarm_prefix}]}
    target = {
        "Id": TARGET,
        "Arn": place.queue_arn,
        "DeadLetterConfig": {"Arn": place.dead_letter_arn},
    }
    return {"EventPattern": pattern, "State": "ENABLED", "Target": target}


def policies(place: Place) -> Mapping[str, Json]:
    """Return the least that each ServiceAccount's role must be allowed, by the policy's name.

    Policies know no regions, but what they allow does: the region is in their names.
    """
    return {
        f"{place.prefix}-{place.region}": {
            "Version": _VERSION,
            "Statement": [*_agent_statements(place)],
        },
        f"{place.prefix}-prometheus-{place.region}": {
            "Version": _VERSION,
            "Statement": [
                _allow(
                    "Prometheus",
                    ["aps:GetLabels", "aps:GetMetricMetadata", "aps:GetSeries", "aps:QueryMetrics"],
                    place.arn("aps", "workspace/*"),
                )
            ],
        },
    }


def _agent_statements(place: Place) -> Iterator[Json]:
    yield _allow(
        "Alarms",
        [
            "sqs:ChangeMessageVisibility",
            "sqs:DeleteMessage",
            "sqs:GetQueueAttributes",
            "sqs:ReceiveMessage",
        ],
        place.queue_arn,
    )
    yield _allow(
        "DeadLetters",
        ["sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:SendMessage"],
        place.dead_letter_arn,
    )
    yield _allow("Rule", ["events:DescribeRule"], place.rule_arn)
    every_rule = place.arn("events", "rule/*")
    yield _allow("RulesOfTheQueue", ["events:ListRuleNamesByTarget"], every_rule)
    # These know no resources: AWS takes only the asterisk.
    yield _allow(
        "Measurements",
        [
            "cloudwatch:DescribeAlarms",
            "cloudwatch:GetMetricData",
            "cloudwatch:ListMetrics",
            "logs:GetQueryResults",
            "logs:StopQuery",
            "xray:BatchGetTraces",
            "xray:GetServiceGraph",
            "xray:GetTraceSummaries",
        ],
        "*",
    )
    groups = "log-group:/aws/containerinsights/*"
    yield _allow("Logs", ["logs:StartQuery"], place.arn("logs", groups))
    secret = place.arn("secretsmanager", f"secret:{place.prefix}/*")
    yield _allow("Secrets", ["secretsmanager:GetSecretValue"], secret)
    yield _allow(
        "TestAlarm",
        ["cloudwatch:DeleteAlarms", "cloudwatch:PutMetricAlarm", "cloudwatch:SetAlarmState"],
        place.arn("cloudwatch", f"alarm:*{TEST_ALARM}-*"),
    )


def _allow(sid: str, actions: Sequence[str], resource: str) -> Json:
    return {"Sid": sid, "Effect": "Allow", "Action": [*actions], "Resource": resource}


def difference(wanted: Piece, found: Piece | None) -> Difference:
    """Say what has to be done; attributes that petops says nothing of stay as they are."""
    if found is None:
        return Difference(piece=wanted, is_new=True)
    changed = {
        name: (found.attributes.get(name), value)
        for name, value in wanted.attributes.items()
        if not same(found.attributes.get(name), value)
    }
    return Difference(piece=wanted, changed=changed, is_foreign=found.owner != wanted.owner)


def same(one: Json, other: Json) -> bool:
    """Compare as AWS does: a list of one is that one, and sets of actions have no order."""
    return bool(_plain(one) == _plain(other))


def holds(wanted: Json, found: Json) -> bool:
    """Say whether `found` has all that `wanted` has, whatever else is in it."""
    if not isinstance(wanted, Mapping):
        return same(wanted, found)
    return isinstance(found, Mapping) and all(
        name in found and holds(value, found[name]) for name, value in wanted.items()
    )


def _plain(value: Json) -> Json:
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        plain = sorted(map(_plain, value), key=_sorted_by)
        return plain[0] if len(plain) == 1 else plain
    return value if isinstance(value, str) or value is None else str(value)


def _sorted_by(value: Json) -> str:
    return json.dumps(value, sort_keys=True)
