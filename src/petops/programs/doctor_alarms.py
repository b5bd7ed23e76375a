"""Do alarms come? The queue, who may send to it, the rule that sends, and what lies aside."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from petops.config import Settings
from petops.errors import NotThereError, PetopsError, SourceError
from petops.programs.doctor_check import Check, broken, failed, off, ok, unknown, warning
from petops.sources.alarm_route import alarm_prefixes, lacks, lets_in
from petops.sources.aws_calls import HASTY, AwsCalls

QUEUE: Final = "alarm queue"
POLICY: Final = "queue policy"
RULE: Final = "alarm rule"
DEAD_LETTERS: Final = "dead letters"
NAMES: Final = (QUEUE, POLICY, RULE, DEAD_LETTERS)

_SETUP: Final = "petops setup aws"
_BEHIND: Final = 1000
_SECONDS: Final = 8.0
_MISSING: Final = ("NonExistentQueue", "QueueDoesNotExist")

Json = Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """What brings alarms here, as AWS describes it. `rules` are those that send to the queue."""

    queue_url: str
    queue: Mapping[str, str]
    rules: tuple[Json, ...] = ()

    @property
    def arn(self) -> str:
        return self.queue.get("QueueArn", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The services of AWS that alarms come through."""

    sqs: AwsCalls
    events: AwsCalls


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Services]:
    """Open the services for as long as the block lasts."""
    region = settings.cluster.region
    async with AsyncExitStack() as stack:

        async def service(name: str, title: str) -> AwsCalls:
            calls = AwsCalls(name, title, region=region, timeout_seconds=_SECONDS, patience=HASTY)
            return await stack.enter_async_context(calls)

        yield Services(
            sqs=await service("sqs", "SQS"), events=await service("events", "EventBridge")
        )


async def look(settings: Settings) -> Sequence[Check]:
    """Follow the way of an alarm back from the queue."""
    url = settings.alarms.sqs_queue_url
    if not url:
        told = "no queue is set: alarms come by HTTP and `petops investigate` only"
        fix = f"{_SETUP} makes one; then set alarms.sqs_queue_url"
        return off(QUEUE, told, fix), *(off(one, "no queue is set") for one in NAMES[1:])
    async with opened(settings) as services:
        try:
            queue = await attributes(services.sqs, url)
        except SourceError as exc:
            why = "the queue cannot be asked"
            return _no_queue(url, exc), *(unknown(one, why) for one in NAMES[1:])
        try:
            rules = await rules_of(services.events, queue["QueueArn"])
        except SourceError as exc:
            rule, rules = _no_rule(exc), ()
        else:
            rule = _rule(rules)
        route = Route(queue_url=url, queue=queue, rules=rules)
        dead = await _dead_letters(services.sqs, settings, route)
        return _queue(route), _policy(route), rule, dead


async def attributes(sqs: AwsCalls, url: str) -> Mapping[str, str]:
    """Return a queue's attributes."""
    answer = await sqs.call("get_queue_attributes", QueueUrl=url, AttributeNames=["All"])
    return dict(answer.get("Attributes") or {})


async def rules_of(events: AwsCalls, queue_arn: str) -> tuple[Json, ...]:
    """Return the rules that send to the queue, whatever they are called."""
    listed = await events.call("list_rule_names_by_target", TargetArn=queue_arn)
    names = listed.get("RuleNames") or ()
    return tuple([await events.call("describe_rule", Name=name) for name in names])


def _no_queue(url: str, exc: SourceError) -> Check:
    if any(one in exc.message for one in _MISSING) or isinstance(exc, NotThereError):
        return broken(QUEUE, f"there is no queue {url}", f"{_SETUP}, or correct the setting")
    return failed(QUEUE, exc)


def _no_rule(exc: PetopsError) -> Check:
    return failed(RULE, exc, "petops setup aws policies shows the right that is missing")


def _queue(route: Route) -> Check:
    waiting = _number(route.queue, "ApproximateNumberOfMessages")
    taken = _number(route.queue, "ApproximateNumberOfMessagesNotVisible")
    told = f"{waiting} messages wait in it, {taken} are being read"
    if waiting >= _BEHIND:
        return warning(QUEUE, told, "does an engine receive? petops incidents; petops daemon")
    return ok(QUEUE, told)


def _policy(route: Route) -> Check:
    """Say whether EventBridge may send; without a rule, whether it may for any."""
    policy = _json(route.queue.get("Policy", ""))
    rules = [str(one["Arn"]) for one in route.rules]
    shut_out = [one for one in rules if not lets_in(policy, route.arn, one)]
    if not policy:
        return broken(
            POLICY, "nobody but its owner may send to the queue: it has no policy", _SETUP
        )
    if shut_out:
        names = ", ".join(one.rpartition("/")[2] for one in shut_out)
        return broken(POLICY, f"the queue's policy does not let the rule {names} send", _SETUP)
    if not rules:
        return unknown(POLICY, "no rule is known that would send")
    return ok(POLICY, "EventBridge may send to the queue")


def _rule(rules: Sequence[Json]) -> Check:
    if not rules:
        return broken(RULE, "no EventBridge rule sends to the queue", _SETUP)
    enabled = [one for one in rules if one.get("State") != "DISABLED"]
    if not enabled:
        name = rules[0]["Name"]
        fix = f"aws events enable-rule --name {name}"
        return broken(RULE, f"the rule {name} is disabled", fix)
    missing = set.intersection(*(set(lacks(_json(one.get("EventPattern", "")))) for one in enabled))
    names = ", ".join(str(one["Name"]) for one in enabled)
    if missing:
        listed = " and ".join(sorted(missing))
        return broken(RULE, f"the rule {names} does not let {listed} through", _SETUP)
    only = [prefix for one in enabled for prefix in alarm_prefixes(_json(one["EventPattern"]))]
    which = f", of alarms that begin with {', '.join(only)}" if only else ""
    return ok(RULE, f"{names} is enabled, and sends changes of alarms' states{which}")


async def _dead_letters(sqs: AwsCalls, settings: Settings, route: Route) -> Check:
    redrive = _json(route.queue.get("RedrivePolicy", ""))
    url = settings.alarms.dead_letter_url
    try:
        if not url and redrive:
            *_, account, name = str(redrive["deadLetterTargetArn"]).split(":")
            found = await sqs.call("get_queue_url", QueueName=name, QueueOwnerAWSAccountId=account)
            url = str(found["QueueUrl"])
        if not url:
            return warning(
                DEAD_LETTERS, "what cannot be read stays in the queue: no other is set", _SETUP
            )
        count = _number(await attributes(sqs, url), "ApproximateNumberOfMessages")
    except SourceError as exc:
        return failed(DEAD_LETTERS, exc, _SETUP)
    if count:
        fix = f"aws sqs receive-message --queue-url {url} --message-attribute-names reason"
        return warning(DEAD_LETTERS, f"{count} messages could not be read or delivered", fix)
    return ok(DEAD_LETTERS, "nothing lies aside")


def _number(queue: Mapping[str, str], name: str) -> int:
    text = queue.get(name, "0")
    return int(text) if text.isdigit() else 0


def _json(text: str) -> Json:
    try:
        return json.loads(text) if text else {}
    except ValueError:
        return {}
