"""Alarms from an SQS queue that EventBridge fills.

A message is deleted only once the engine has taken its alarms, so that a crash at any point brings
it again; what cannot be read goes to the dead-letter queue with the reason. A queue that is away is
waited for, at start as at any other time. Who ends gives back what it had in hand, so that the next
engine has it at once, and not only when the queue shows it again by itself.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Self

from petops.domain.alarm import Alarm
from petops.domain.alarm_mapping import AlarmMapping
from petops.errors import ForbiddenError, NotThereError, PetopsError, SourceError
from petops.sources.alarm_events import UnreadableAlarmError, parse_document

Submit = Callable[[Alarm], Awaitable[object]]
Say = Callable[[str], None]

_POLL_SECONDS: Final = 5  # a cancelled poll keeps its thread for as long
_AT_ONCE: Final = 10
_HELPERS: Final = 7
_IN_FLIGHT: Final = 1000  # each is a message that the queue keeps until it is journaled
_PATIENCE_SECONDS: Final = 0.25
_LONGEST_PAUSE_SECONDS: Final = 60.0
_LONGEST_REASON: Final = 500
_REGION: Final = re.compile(r"https://sqs\.([a-z0-9-]+)\.amazonaws\.com")
_DENIED: Final = re.compile(r"AccessDenied|Expired|InvalidClientTokenId|Unauthorized|Signature")


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One message as the queue handed it out. It comes again unless it is deleted in time."""

    body: str
    receipt: str
    message_id: str
    receive_count: int
    sent_at: float = 0.0


class SqsAlarms:
    """Reads one queue; used as a context manager, since it keeps threads of its own.

    `client` is a boto3 client for SQS; without one it is made when it is first needed.
    """

    def __init__(
        self,
        queue_url: str,
        *,
        dead_letter_url: str = "",
        region: str = "",
        client: Any = None,
        pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self.dead_lettered = 0
        self._queue_url = queue_url
        self._dead_letter_url = dead_letter_url
        self._region = region
        self._client = client
        self._pause = pause
        self.last_poll_at = 0.0
        self.lag_seconds = 0.0
        self._failed: PetopsError | None = None
        self._slots = asyncio.Semaphore(_IN_FLIGHT)
        self._in_hand: set[str] = set()
        self._ended = False
        self._threads = ThreadPoolExecutor(max_workers=16, thread_name_prefix="petops-sqs")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._ended = True  # a poll under way gives back what it gets, in its own thread
        if self._in_hand and self._client is not None:
            self._threads.submit(self._given_back, tuple(self._in_hand))
        self._threads.shutdown(wait=False)

    async def poll(self) -> Sequence[Delivery]:
        """Wait up to five seconds for messages; raise SourceError if the queue is away."""
        answer = await self._call(
            "receive_message",
            MaxNumberOfMessages=_AT_ONCE,
            WaitTimeSeconds=_POLL_SECONDS,
            MessageSystemAttributeNames=["ApproximateReceiveCount", "SentTimestamp"],
        )
        return [
            Delivery(
                body=one["Body"],
                receipt=one["ReceiptHandle"],
                message_id=one["MessageId"],
                receive_count=int(one.get("Attributes", {}).get("ApproximateReceiveCount", 1)),
                sent_at=int(one.get("Attributes", {}).get("SentTimestamp", 0)) / 1000,
            )
            for one in answer.get("Messages", ())
        ]

    async def done(self, delivery: Delivery) -> None:
        """Delete the message: its alarms are the engine's now."""
        await self._call("delete_message", ReceiptHandle=delivery.receipt)

    async def dead(self, delivery: Delivery, why: str) -> None:
        """Move the message to the dead-letter queue, with the reason.

        Raise NotThereError if there is no such queue; the message then stays where it is.
        """
        target = await self._dead_letters()
        fifo = {"MessageGroupId": "petops", "MessageDeduplicationId": delivery.message_id}
        reason = {"DataType": "String", "StringValue": why[:_LONGEST_REASON] or "unreadable"}
        await self._call(
            "send_message",
            QueueUrl=target,
            MessageBody=delivery.body,
            MessageAttributes={"reason": reason},
            **(fifo if target.endswith(".fifo") else {}),
        )
        self.dead_lettered += 1
        await self.done(delivery)

    async def run(self, submit: Submit, mapping: AlarmMapping, say: Say) -> None:
        """Hand every alarm to `submit`, without end; `say` tells when the queue goes and comes.

        Alarms may wait in `submit`: polling goes on beside them, up to a bound. While polls come
        back full, further ones run beside the first.
        """
        async with asyncio.TaskGroup() as group:

            async def handle(delivery: Delivery) -> None:
                try:
                    await self._handle(delivery, submit, mapping, say)
                    self._in_hand.discard(delivery.receipt)
                except PetopsError as exc:
                    self._failed = exc
                    self._in_hand.discard(delivery.receipt)  # it comes again, after a while
                finally:
                    self._slots.release()

            async def batch() -> bool:
                """Poll once; return whether there is more to be had."""
                found = await self.poll()
                self.last_poll_at = time.monotonic()
                tasks = []
                self._in_hand |= {one.receipt for one in found}
                for one in found:
                    await self._slots.acquire()
                    tasks.append(group.create_task(handle(one)))
                if tasks:
                    await asyncio.wait(tasks, timeout=_PATIENCE_SECONDS)
                if self._failed is not None:
                    failed, self._failed = self._failed, None
                    raise failed
                return len(found) >= _AT_ONCE

            try:
                await self._polling(group, batch, say)
            finally:
                self._ended = True

    async def _polling(
        self, group: asyncio.TaskGroup, batch: Callable[[], Awaitable[bool]], say: Say
    ) -> None:
        """Poll without end, with helpers while there is a backlog, and with pauses in trouble."""
        failures, helpers = 0, 0

        async def helping() -> None:
            nonlocal helpers
            try:
                while await batch():
                    pass
            except PetopsError as exc:
                self._failed = exc  # the first poller tells, and pauses
            helpers -= 1

        while True:
            try:
                is_full = await batch()
            except PetopsError as exc:
                if not failures:
                    say(f"alarms wait in their queue: {exc.message}; petops keeps trying")
                failures += 1
                await self._pause(_pause_seconds(failures))
            else:
                if failures:
                    say("alarms are read from their queue again")
                failures = 0
                if is_full and helpers < _HELPERS:
                    helpers += 1
                    group.create_task(helping())

    async def _handle(
        self, delivery: Delivery, submit: Submit, mapping: AlarmMapping, say: Say
    ) -> None:
        try:
            alarms = parse_document(delivery.body, mapping)
        except UnreadableAlarmError as exc:
            await self._put_aside(delivery, exc.message, say)
            return
        for alarm in alarms:
            await submit(alarm)
        if delivery.sent_at:
            self.lag_seconds = max(0.0, time.time() - delivery.sent_at)
        await self.done(delivery)

    async def _put_aside(self, delivery: Delivery, why: str, say: Say) -> None:
        try:
            await self.dead(delivery, why)
        except NotThereError as exc:
            if delivery.receive_count == 1:
                say(f"message {delivery.message_id} stays in the queue: {why}; {exc.message}")
        else:
            say(f"message {delivery.message_id} went to the dead-letter queue: {why}")

    async def _dead_letters(self) -> str:
        """Return the dead-letter queue: the one that is set, else that of the queue's policy."""
        if not self._dead_letter_url:
            answer = await self._call("get_queue_attributes", AttributeNames=["RedrivePolicy"])
            policy = answer.get("Attributes", {}).get("RedrivePolicy")
            if not policy:
                raise NotThereError(
                    "the alarm queue has no dead-letter queue",
                    hint="set alarms.dead_letter_url, or give the queue a redrive policy",
                )
            *_, account, name = json.loads(policy)["deadLetterTargetArn"].split(":")
            found = await self._call(
                "get_queue_url", QueueUrl=None, QueueName=name, QueueOwnerAWSAccountId=account
            )
            self._dead_letter_url = str(found["QueueUrl"])
        return self._dead_letter_url

    async def _call(self, operation: str, **arguments: Any) -> dict[str, Any]:
        """Make one call in a thread of our own; turn AWS' failures into ours."""
        arguments = {"QueueUrl": self._queue_url, **arguments}
        given = {key: value for key, value in arguments.items() if value is not None}
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._blocking, operation, given)

    def _blocking(self, operation: str, arguments: dict[str, Any]) -> dict[str, Any]:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - 0.4 s
        from botocore.parsers import ResponseParserError  # noqa: PLC0415

        try:
            if self._client is None:
                self._client = _client(self._region or _region_of(self._queue_url))
            answer: dict[str, Any] = getattr(self._client, operation)(**arguments)
            if self._ended and operation == "receive_message":
                self._given_back([one["ReceiptHandle"] for one in answer.get("Messages", ())])
        except ClientError as exc:
            raise _refusal(exc.response.get("Error", {}), self._queue_url) from exc
        except (BotoCoreError, ResponseParserError, ValueError, OSError) as exc:
            raise SourceError(
                f"SQS cannot be asked: {exc}",
                hint="see AWS_PROFILE, AWS_REGION and the network; `petops doctor` tells more",
            ) from exc
        return answer

    def _given_back(self, receipts: Sequence[str]) -> None:
        """Let the queue show messages again at once; what it refuses comes later by itself."""
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

        for one in receipts:
            with suppress(BotoCoreError, ClientError, OSError):
                self._client.change_message_visibility(
                    QueueUrl=self._queue_url, ReceiptHandle=one, VisibilityTimeout=0
                )


def _client(region: str | None) -> Any:
    """Make a client that tries once: a failing queue is waited for here, where people are told."""
    import boto3  # noqa: PLC0415 - 0.4 s
    from botocore.config import Config  # noqa: PLC0415

    config = Config(
        connect_timeout=5,
        read_timeout=_POLL_SECONDS + 10,
        max_pool_connections=16,
        retries={"total_max_attempts": 1},
        user_agent_extra="petops",
    )
    return boto3.session.Session().client("sqs", region_name=region, config=config)


def _region_of(queue_url: str) -> str | None:
    found = _REGION.match(queue_url)
    return found[1] if found else None


def _refusal(error: dict[str, Any], queue_url: str) -> SourceError:
    code, message = str(error.get("Code", "")), str(error.get("Message", ""))
    if "NonExistentQueue" in code or "QueueDoesNotExist" in code:
        return SourceError(
            f"there is no queue {queue_url}", hint="`petops setup aws` makes it, or shows how"
        )
    if _DENIED.search(code):
        return ForbiddenError(
            f"AWS does not let petops use the queue ({code}): {message}",
            hint="`petops setup aws` shows the policy that petops needs",
        )
    return SourceError(f"SQS answered {code or 'an error'}: {message}")


def _pause_seconds(failures: int) -> float:
    """Return a growing pause, spread so that many engines do not come back all at once."""
    longest = min(2.0 ** (failures - 1), _LONGEST_PAUSE_SECONDS)
    return random.uniform(longest / 2, longest)  # noqa: S311 - no secret
