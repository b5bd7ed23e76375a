"""Reads, makes, changes and removes the pieces of `aws_pieces` in an AWS account."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

from petops.errors import NotThereError, RefusedError, SourceError
from petops.sources.aws_calls import AwsCalls
from petops.sources.aws_pieces import (
    TAG,
    TARGET,
    Difference,
    Piece,
    PieceKind,
    Place,
    holds,
)

Json = Any

_DOCUMENTS: Final = ("Policy", "RedrivePolicy")
_MOST_VERSIONS: Final = 5
_OWN_TARGET: Final = "Target"


@dataclass(frozen=True, slots=True, kw_only=True)
class Clients:
    """The services that the pieces are of."""

    sqs: AwsCalls
    events: AwsCalls
    iam: AwsCalls


class AwsAccount:
    """The pieces of one account and region."""

    def __init__(self, clients: Clients, place: Place) -> None:
        self._sqs, self._events, self._iam = clients.sqs, clients.events, clients.iam
        self.place = place

    async def found(self, wanted: Piece) -> Piece | None:
        """Return the piece of this name as it is; None if there is none."""
        read = {
            PieceKind.QUEUE: self._queue,
            PieceKind.RULE: self._rule,
            PieceKind.POLICY: self._policy,
        }[wanted.kind]
        try:
            return await read(wanted)
        except NotThereError:
            return None

    async def make(self, wanted: Difference) -> None:
        """Make a piece, or change it to what it should be."""
        match wanted.piece.kind:
            case PieceKind.QUEUE:
                await self._make_queue(wanted)
            case PieceKind.RULE:
                await self._make_rule(wanted)
            case PieceKind.POLICY:
                await self._make_policy(wanted)

    async def remove(self, found: Piece) -> None:
        """Remove a piece that is there."""
        match found.kind:
            case PieceKind.QUEUE:
                await self._sqs.call("delete_queue", QueueUrl=await self.queue_url(found.name))
            case PieceKind.RULE:
                listed = await self._events.call("list_targets_by_rule", Rule=found.name)
                ids = [one["Id"] for one in listed.get("Targets", ())]
                if ids:
                    await self._events.call("remove_targets", Rule=found.name, Ids=ids)
                await self._events.call("delete_rule", Name=found.name)
            case PieceKind.POLICY:
                await self._remove_policy(found)

    async def queue_url(self, name: str) -> str:
        """Return a queue's address; raise NotThereError."""
        try:
            answer = await self._sqs.call("get_queue_url", QueueName=name)
        except SourceError as exc:
            if "NonExistentQueue" in exc.message or "QueueDoesNotExist" in exc.message:
                raise NotThereError(f"there is no queue {name}") from exc
            raise
        return str(answer["QueueUrl"])

    async def _queue(self, wanted: Piece) -> Piece:
        url = await self.queue_url(wanted.name)
        answer = await self._sqs.call("get_queue_attributes", QueueUrl=url, AttributeNames=["All"])
        tags = await self._sqs.call("list_queue_tags", QueueUrl=url)
        attributes = {
            name: _document(value) if name in _DOCUMENTS else value
            for name, value in answer.get("Attributes", {}).items()
        }
        owner = (tags.get("Tags") or {}).get(TAG, "")
        return replace(wanted, attributes=attributes, owner=owner)

    async def _make_queue(self, wanted: Difference) -> None:
        sent = {
            name: json.dumps(value) if name in _DOCUMENTS else value
            for name, value in wanted.piece.attributes.items()
            if wanted.is_new or name in wanted.changed
        }
        tags = {TAG: wanted.piece.owner}
        if wanted.is_new:
            name = wanted.piece.name
            await self._sqs.call("create_queue", QueueName=name, Attributes=sent, tags=tags)
            return
        url = await self.queue_url(wanted.piece.name)
        if sent:
            await self._sqs.call("set_queue_attributes", QueueUrl=url, Attributes=sent)
        await self._sqs.call("tag_queue", QueueUrl=url, Tags=tags)

    async def _rule(self, wanted: Piece) -> Piece:
        rule = await self._events.call("describe_rule", Name=wanted.name)
        listed = await self._events.call("list_targets_by_rule", Rule=wanted.name)
        tags = await self._events.call("list_tags_for_resource", ResourceARN=rule["Arn"])
        target = _own_target(listed.get("Targets", ()), wanted)
        attributes = {
            "EventPattern": _document(rule.get("EventPattern", "{}")),
            "State": rule.get("State", ""),
            _OWN_TARGET: target,
        }
        return replace(wanted, attributes=attributes, owner=_tag(tags.get("Tags", ())))

    async def _make_rule(self, wanted: Difference) -> None:
        rule, attributes = wanted.piece.name, wanted.piece.attributes
        told = {
            "Name": rule,
            "EventPattern": json.dumps(attributes["EventPattern"]),
            "State": attributes["State"],
            "Description": "CloudWatch alarms for petops",
        }
        tags = [{"Key": TAG, "Value": wanted.piece.owner}]
        if wanted.is_new:
            await self._events.call("put_rule", **told, Tags=tags)
        else:
            await self._events.call("put_rule", **told)
            await self._events.call(
                "tag_resource", ResourceARN=self.place.arn("events", f"rule/{rule}"), Tags=tags
            )
        listed = await self._events.call("list_targets_by_rule", Rule=rule)
        there = _there(listed.get("Targets", ()), attributes[_OWN_TARGET]) or {}
        target = {**there, **attributes[_OWN_TARGET], "Id": there.get("Id", TARGET)}
        answer = await self._events.call("put_targets", Rule=rule, Targets=[target])
        if answer.get("FailedEntryCount"):
            raise SourceError(f"EventBridge did not take the target: {answer['FailedEntries']}")

    async def _policy(self, wanted: Piece) -> Piece:
        arn = self.policy_arn(wanted.name)
        policy = (await self._iam.call("get_policy", PolicyArn=arn))["Policy"]
        version = await self._iam.call(
            "get_policy_version", PolicyArn=arn, VersionId=policy["DefaultVersionId"]
        )
        document = version["PolicyVersion"]["Document"]
        tags = await self._iam.call("list_policy_tags", PolicyArn=arn)
        attributes = {"PolicyDocument": _document(document)}
        return replace(wanted, attributes=attributes, owner=_tag(tags.get("Tags", ())))

    async def _make_policy(self, wanted: Difference) -> None:
        name, tags = wanted.piece.name, [{"Key": TAG, "Value": wanted.piece.owner}]
        document = json.dumps(wanted.piece.attributes["PolicyDocument"])
        if wanted.is_new:
            await self._iam.call(
                "create_policy", PolicyName=name, PolicyDocument=document, Tags=tags
            )
            return
        arn = self.policy_arn(name)
        if wanted.changed:
            await self._forget_versions(arn, keep=_MOST_VERSIONS - 1)
            await self._iam.call(
                "create_policy_version", PolicyArn=arn, PolicyDocument=document, SetAsDefault=True
            )
        await self._iam.call("tag_policy", PolicyArn=arn, Tags=tags)

    async def _remove_policy(self, found: Piece) -> None:
        arn = self.policy_arn(found.name)
        holders = await self._iam.call("list_entities_for_policy", PolicyArn=arn)
        roles = [one["RoleName"] for one in holders.get("PolicyRoles", ())]
        if roles:
            raise RefusedError(
                f"the policy {found.name} is attached to the role {', '.join(roles)}",
                hint=f"aws iam detach-role-policy --role-name {roles[0]} --policy-arn {arn}",
            )
        await self._forget_versions(arn, keep=1)
        await self._iam.call("delete_policy", PolicyArn=arn)

    async def _forget_versions(self, arn: str, *, keep: int) -> None:
        """Remove the oldest versions of a policy that are not in force: AWS keeps five."""
        versions = (await self._iam.call("list_policy_versions", PolicyArn=arn))["Versions"]
        spare = [one for one in versions if not one["IsDefaultVersion"]]
        spare.sort(key=lambda one: int(one["VersionId"].removeprefix("v")))
        for one in spare[: max(0, len(versions) - keep)]:
            await self._iam.call("delete_policy_version", PolicyArn=arn, VersionId=one["VersionId"])

    def policy_arn(self, name: str) -> str:
        """Return the ARN of one of the account's own policies."""
        return self.place.arn("iam", f"policy/{name}", region="")


@asynccontextmanager
async def open_account(place: Place) -> AsyncIterator[AwsAccount]:
    """Open the account for as long as the block lasts; nothing is asked yet."""
    async with AsyncExitStack() as stack:

        async def service(name: str, title: str) -> AwsCalls:
            return await stack.enter_async_context(AwsCalls(name, title, region=place.region))

        clients = Clients(
            sqs=await service("sqs", "SQS"),
            events=await service("events", "EventBridge"),
            iam=await service("iam", "IAM"),
        )
        yield AwsAccount(clients, place)


async def whose(region: str) -> tuple[str, str]:
    """Return account and partition of whoever we are at AWS."""
    async with AwsCalls("sts", "STS", region=region) as sts:
        answer = await sts.call("get_caller_identity")
    _, partition, *_ = str(answer["Arn"]).split(":")
    return str(answer["Account"]), partition


def _document(value: Json) -> Json:
    """Return a policy as JSON: some clients decode it, some do not."""
    if isinstance(value, Mapping):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _there(targets: Any, wanted: Json) -> Json | None:
    """Return the target that sends to our queue, whatever it is called."""
    return next((one for one in targets if one.get("Arn") == wanted["Arn"]), None)


def _own_target(targets: Any, wanted: Piece) -> Json:
    """Return the target as it is wanted if it has all of that, whatever else people added."""
    own = wanted.attributes[_OWN_TARGET]
    there = _there(targets, own)
    bare = {name: value for name, value in own.items() if name != "Id"}
    return own if there is not None and holds(bare, there) else there


def _tag(tags: Any) -> str:
    return next((str(one["Value"]) for one in tags if one["Key"] == TAG), "")
