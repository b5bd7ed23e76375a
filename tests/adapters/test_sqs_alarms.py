"""Alarms from a queue: none is lost, none is done before the engine has it, junk is put aside."""

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError

from petops.domain.alarm import Alarm
from petops.domain.alarm_mapping import AlarmMapping
from petops.errors import ForbiddenError, JournalError, NotThereError, SourceError
from petops.sources.sqs_alarms import Delivery, SqsAlarms
from tests.adapters.test_alarm_events import MEMORY, event

QUEUE = "http://127.0.0.1/111122223333/alarms"
BODY = json.dumps(event(MEMORY))


class Stop(BaseException):
    """Ends a loop that has no end of its own."""


class FakeClient:
    """Just enough of boto3's client: messages stay until they are deleted."""

    def __init__(self, *bodies: str) -> None:
        self.messages = {f"m{number}": body for number, body in enumerate(bodies)}
        self.failures: list[Exception] = []
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.policy: str | None = None

    def receive_message(self, **arguments: Any) -> Any:
        self.calls.append(("receive", arguments))
        if self.failures:
            raise self.failures.pop(0)
        if not self.messages:
            raise Stop
        made = [
            {"Body": body, "ReceiptHandle": name, "MessageId": name}
            for name, body in self.messages.items()
        ]
        return {"Messages": made}

    def delete_message(self, **arguments: Any) -> Any:
        self.calls.append(("delete", arguments))
        del self.messages[arguments["ReceiptHandle"]]
        return {}

    def send_message(self, **arguments: Any) -> Any:
        self.calls.append(("send", arguments))
        return {}

    def get_queue_attributes(self, **arguments: Any) -> Any:
        return {"Attributes": {"RedrivePolicy": self.policy} if self.policy else {}}

    def get_queue_url(self, **arguments: Any) -> Any:
        assert arguments == {"QueueName": "dead", "QueueOwnerAWSAccountId": "111122223333"}
        return {"QueueUrl": "http://127.0.0.1/111122223333/dead"}


class Run:
    """One run of the loop until the queue is empty, with what came of it."""

    def __init__(self, client: FakeClient, **options: Any) -> None:
        self.client = client
        self.submitted: list[Alarm] = []
        self.said: list[str] = []
        self.pauses: list[float] = []
        self.refusals: list[Exception] = []
        self.source = SqsAlarms(QUEUE, client=client, pause=self.pause, **options)

    async def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)

    async def submit(self, alarm: Alarm) -> None:
        if self.refusals:
            raise self.refusals.pop(0)
        assert self.client.messages, "not deleted before the engine has it"
        self.submitted.append(alarm)

    async def until_empty(self) -> None:
        async with self.source:
            with pytest.RaisesGroup(Stop):
                await self.source.run(self.submit, AlarmMapping(), self.said.append)


async def test_an_alarm_is_submitted_and_then_deleted() -> None:
    run = Run(FakeClient(BODY))
    await run.until_empty()
    assert [alarm.name for alarm in run.submitted] == ["history-memory"]
    assert [what for what, _ in run.client.calls] == ["receive", "delete", "receive"]
    _, arguments = run.client.calls[0]
    assert arguments["WaitTimeSeconds"] == 5
    assert run.said == []


async def test_a_queue_that_is_away_is_waited_for_and_told_of_once() -> None:
    client = FakeClient(BODY)
    client.failures = [EndpointConnectionError(endpoint_url=QUEUE) for _ in range(12)]
    run = Run(client)
    await run.until_empty()
    assert len(run.submitted) == 1
    assert len(run.said) == 2
    assert "keeps trying" in run.said[0]
    assert "again" in run.said[1]
    assert len(run.pauses) == 12
    assert all(0.5 <= pause <= 60 for pause in run.pauses)
    assert run.pauses[-1] >= 30


async def test_what_the_engine_did_not_take_comes_again() -> None:
    run = Run(FakeClient(BODY))
    run.refusals = [JournalError("the disk is full")]
    await run.until_empty()
    assert len(run.submitted) == 1
    assert "the disk is full" in run.said[0]


async def test_junk_is_put_aside_with_the_reason_and_holds_nothing_up() -> None:
    run = Run(FakeClient("not JSON", BODY, "{}"), dead_letter_url="http://127.0.0.1/1/dead.fifo")
    await run.until_empty()
    assert len(run.submitted) == 1
    sent = [arguments for what, arguments in run.client.calls if what == "send"]
    assert [one["MessageBody"] for one in sent] == ["not JSON", "{}"]
    reason = sent[0]["MessageAttributes"]["reason"]["StringValue"]
    assert reason == "the document is no JSON"
    assert sent[0]["MessageDeduplicationId"] == "m0"
    assert run.source.dead_lettered == 2
    assert run.said[0] == "message m0 went to the dead-letter queue: the document is no JSON"


async def test_the_dead_letter_queue_is_that_of_the_queues_policy() -> None:
    client = FakeClient("not JSON")
    arn = "arn:aws:sqs:us-east-1:111122223333:dead"
    client.policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 5})
    run = Run(client)
    await run.until_empty()
    (sent,) = [arguments for what, arguments in client.calls if what == "send"]
    assert sent["QueueUrl"].endswith("/dead")
    assert "MessageGroupId" not in sent


async def test_without_a_dead_letter_queue_junk_stays_and_is_told_of() -> None:
    client = FakeClient("not JSON")
    source = SqsAlarms(QUEUE, client=client)
    delivery = Delivery(body="not JSON", receipt="m0", message_id="m0", receive_count=1)
    with pytest.raises(NotThereError, match="no dead-letter queue"):
        await source.dead(delivery, "why")
    assert client.messages


class Leaving(FakeClient):
    """A queue whose answers come late, and which takes messages back."""

    def __init__(self, *bodies: str) -> None:
        super().__init__(*bodies)
        self.polled, self.answers = threading.Event(), threading.Event()

    def receive_message(self, **arguments: Any) -> Any:
        self.polled.set()
        self.answers.wait(10)
        return super().receive_message(**arguments)

    def change_message_visibility(self, **arguments: Any) -> Any:
        self.calls.append(("back", arguments))
        return {}

    async def given_back(self) -> list[str]:
        async with asyncio.timeout(10):
            while len([what for what, _ in self.calls if what == "back"]) < len(  # noqa: ASYNC110
                self.messages
            ):
                await asyncio.sleep(0.01)
        back = [arguments for what, arguments in self.calls if what == "back"]
        assert all(one["VisibilityTimeout"] == 0 for one in back)
        return [one["ReceiptHandle"] for one in back]


async def ended(source: SqsAlarms, submit: Any, when: asyncio.Event | threading.Event) -> None:
    """Run until `when`, and end as a leader does that is told to."""
    async with source:
        running = asyncio.create_task(source.run(submit, AlarmMapping(), print))
        async with asyncio.timeout(10):
            while not when.is_set():  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.wait({running})


async def test_what_a_poll_brings_after_the_end_is_given_back_at_once() -> None:
    queue = Leaving(BODY, BODY)

    async def submit(alarm: Alarm) -> None:
        raise AssertionError(alarm)

    await ended(SqsAlarms(QUEUE, client=queue), submit, queue.polled)
    queue.answers.set()
    assert await queue.given_back() == ["m0", "m1"]


async def test_what_waits_for_the_engine_at_the_end_is_given_back_and_what_is_done_is_not() -> None:
    queue = Leaving(BODY, BODY, "not JSON")
    queue.answers.set()
    waiting = asyncio.Event()
    taken = 0

    async def submit(_: Alarm) -> None:
        nonlocal taken
        taken += 1
        if taken == 1:
            return
        while not any(what == "delete" for what, _ in queue.calls):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        waiting.set()
        await asyncio.Event().wait()

    source = SqsAlarms(QUEUE, client=queue, dead_letter_url=QUEUE)
    await ended(source, submit, waiting)
    assert "m1" in await queue.given_back()
    assert "m0" not in queue.messages


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    from moto.server import ThreadedMotoServer  # noqa: PLC0415 - a second of every run

    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    yield f"http://{host}:{port}"
    moto.stop()


def client(endpoint: str) -> Any:
    return boto3.client(
        "sqs",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106 - moto takes any
    )


@pytest.fixture
def queues(server: str) -> Iterator[tuple[Any, str, str]]:
    """A queue with a dead-letter queue."""
    sqs = client(server)
    dead = sqs.create_queue(QueueName=f"dead-{time.monotonic_ns()}")["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])
    policy = {"deadLetterTargetArn": attributes["Attributes"]["QueueArn"], "maxReceiveCount": 9}
    queue = sqs.create_queue(
        QueueName=f"alarms-{time.monotonic_ns()}",
        Attributes={"RedrivePolicy": json.dumps(policy), "VisibilityTimeout": "1"},
    )["QueueUrl"]
    yield sqs, queue, dead
    sqs.close()


def left(sqs: Any, queue: str) -> int:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
    return sum(int(one) for one in found.values())


@pytest.mark.slow
async def test_over_the_real_protocol(queues: tuple[Any, str, str]) -> None:
    sqs, queue, dead = queues
    sqs.send_message(QueueUrl=queue, MessageBody=BODY)
    sqs.send_message(QueueUrl=queue, MessageBody="not JSON")
    taken: list[Alarm] = []
    said: list[str] = []

    async def submit(alarm: Alarm) -> None:
        taken.append(alarm)

    async with asyncio.timeout(30), SqsAlarms(queue, client=sqs) as source:
        running = asyncio.create_task(source.run(submit, AlarmMapping(), said.append))
        while not (taken and source.dead_lettered and not left(sqs, queue)):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        running.cancel()
        await asyncio.wait({running})
    assert [alarm.name for alarm in taken] == ["history-memory"]
    (message,) = sqs.receive_message(QueueUrl=dead, MessageAttributeNames=["All"])["Messages"]
    assert message["Body"] == "not JSON"
    assert message["MessageAttributes"]["reason"]["StringValue"] == "the document is no JSON"


@pytest.mark.slow
async def test_a_message_that_is_not_done_comes_again(queues: tuple[Any, str, str]) -> None:
    sqs, queue, _ = queues
    sqs.send_message(QueueUrl=queue, MessageBody=BODY)
    async with SqsAlarms(queue, client=sqs) as source:
        (first,) = await source.poll()
        (again,) = await source.poll()
        assert (again.message_id, again.body) == (first.message_id, BODY)
        assert (first.receive_count, again.receive_count) == (1, 2)
        await source.done(again)
    assert left(sqs, queue) == 0


@pytest.mark.slow
async def test_the_next_engine_has_at_once_what_the_last_one_had_in_hand(
    queues: tuple[Any, str, str],
) -> None:
    sqs, queue, _ = queues
    hidden = {"VisibilityTimeout": "600"}
    sqs.set_queue_attributes(QueueUrl=queue, Attributes=hidden)
    sqs.send_message(QueueUrl=queue, MessageBody=BODY)
    waiting = asyncio.Event()

    async def submit(_: Alarm) -> None:
        waiting.set()
        await asyncio.Event().wait()

    await ended(SqsAlarms(queue, client=sqs), submit, waiting)
    async with asyncio.timeout(30), SqsAlarms(queue, client=sqs) as source:
        while not (found := await source.poll()):
            pass
        assert found[0].receive_count == 2
        await source.done(found[0])


@pytest.mark.slow
async def test_what_sqs_refuses_is_one_sentence(server: str, monkeypatch: Any) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", server)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    async with SqsAlarms(f"{server}/111122223333/none", region="us-east-1") as source:
        with pytest.raises(SourceError, match="there is no queue"):
            await source.poll()
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:9")
    async with SqsAlarms("http://127.0.0.1:9/1/none", region="us-east-1") as source:
        with pytest.raises(SourceError, match="SQS cannot be asked"):
            await source.poll()


async def test_a_missing_permission_is_told_apart() -> None:
    from botocore.exceptions import ClientError  # noqa: PLC0415

    refusing = FakeClient(BODY)
    error = {"Error": {"Code": "AccessDeniedException", "Message": "no"}}
    refusing.failures = [ClientError(error, "ReceiveMessage")]
    async with SqsAlarms(QUEUE, client=refusing) as source:
        with pytest.raises(ForbiddenError, match="AccessDenied"):
            await source.poll()
