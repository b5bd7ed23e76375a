"""The AWS side of the lab: moto in a process of its own, with the queue that alarms come by."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

from petops.errors import PetopsError, SourceError
from petops.lab.alarm_events import CONTRIBUTOR_TYPE, DETAIL_TYPE, Event, entry
from petops.lab.children import LOOPBACK, free_port
from petops.lab.supervision import Kept, Program, kept_running

T = TypeVar("T")

ACCOUNT: Final = "111122223333"  # AWS' own example: never a real one
REGION: Final = "us-east-1"
ALARM_QUEUE: Final = "devops-agent-alarms"
DEAD_LETTERS: Final = "devops-agent-alarms-dlq"
ALARM_RULE: Final = "devops-agent-alarms"
MOST_RECEIVES: Final = 5
ALARM_PATTERN: Final[Mapping[str, list[str]]] = {
    "source": ["aws.cloudwatch"],
    "detail-type": [DETAIL_TYPE, CONTRIBUTOR_TYPE],
}
# What EventBridge delivers where nothing is said. moto's own default leaves the account out.
_EVENT_KEYS: Final = ("id", "detail-type", "source", "account", "time", "region")
_TEMPLATE: Final = (
    '{"version": "0", "id": "<id>", "detail-type": "<detail-type>", "source": "<source>", '
    '"account": "<account>", "time": <time>, "region": "<region>", "resources": <resources>, '
    '"detail": <detail>}'
)
_SERVICES: Final = ("SQS", "EVENTBRIDGE", "STS", "SNS", "SECRETS_MANAGER", "EKS")
_KEY: Final = "lab"  # moto looks at no signature; the name makes clear that this is no credential


@dataclass(frozen=True, slots=True, kw_only=True)
class Aws:
    """A running AWS of the lab's own. `call` is how to use it without stalling the event loop."""

    endpoint_url: str
    queue_url: str
    dead_letter_url: str
    process: Kept
    served: Mapping[str, str]
    """Where services are that are not moto's."""
    _clients: Mapping[str, Any] = field(repr=False)
    _threads: ThreadPoolExecutor = field(repr=False)

    def environment(self) -> dict[str, str]:
        """Return what points any AWS client here, whatever its user has set up for the real one."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            **{f"AWS_ENDPOINT_URL_{service}": self.endpoint_url for service in _SERVICES},
            **{f"AWS_ENDPOINT_URL_{service}": url for service, url in self.served.items()},
            "AWS_ACCESS_KEY_ID": _KEY,
            "AWS_SECRET_ACCESS_KEY": _KEY,
            "AWS_SESSION_TOKEN": _KEY,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    async def put_event(self, event: Event) -> None:
        """Put an event on EventBridge; raise SourceError if it was not taken.

        A moto that has no rule yet would take it, and lose it.
        """
        if not self.process.is_ready:
            raise SourceError("the lab's AWS is being started again")
        answer = await self.call("events", "put_events", Entries=[entry(event)])
        if answer["FailedEntryCount"]:
            raise SourceError(f"EventBridge did not take the event: {answer['Entries']}")

    async def call(self, service: str, method: str, **arguments: object) -> Mapping[str, Any]:
        """Call a method of a boto3 client (`sqs`, `events`) in the lab's own threads."""
        function: Callable[..., Mapping[str, Any]] = getattr(self._clients[service], method)
        return await _in_thread(self._threads, lambda: _called(function, arguments))


@asynccontextmanager
async def running_aws(
    folder: Path,
    on_restart: Callable[[str], None] = lambda _: None,
    served: Mapping[str, str] | None = None,
) -> AsyncIterator[Aws]:
    """Run moto for as long as the block lasts, with queue, dead-letter queue and rule in place.

    If it dies it is started again and set up anew; what was in the queue is lost then. `served`
    says where services are met that are not moto's.
    """
    _require_moto()
    log = _made(folder) / "moto.log"
    port = free_port()
    url = f"http://{LOOPBACK}:{port}"
    threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="lab-aws")
    try:
        importing = threads.submit(_clients, url)  # as slow as moto's start, and meanwhile

        def ready() -> bool:
            return _set_up(importing.result())

        program = Program(
            name="moto",
            command=[sys.executable, "-m", "moto.server", "-H", LOOPBACK, "-p", str(port)],
            log=log,
            made_ready=lambda: _in_thread(threads, ready),
            environment={"MOTO_ACCOUNT_ID": ACCOUNT},
            port=port,
        )
        async with kept_running(program, on_restart) as process:
            yield Aws(
                endpoint_url=url,
                queue_url=f"{url}/{ACCOUNT}/{ALARM_QUEUE}",
                dead_letter_url=f"{url}/{ACCOUNT}/{DEAD_LETTERS}",
                process=process,
                served=served or {},
                _clients=importing.result(),
                _threads=threads,
            )
    finally:
        threads.shutdown(wait=False, cancel_futures=True)


async def _in_thread(threads: ThreadPoolExecutor, function: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(threads, function)


def _called(
    function: Callable[..., Mapping[str, Any]], arguments: Mapping[str, object]
) -> Mapping[str, Any]:
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - it is there by now

    try:
        return function(**arguments)
    except (BotoCoreError, ClientError) as exc:
        raise SourceError(f"the lab's AWS did not answer: {exc}") from exc


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _require_moto() -> None:
    if any(importlib.util.find_spec(name) is None for name in ("moto", "flask", "flask_cors")):
        raise PetopsError("the lab needs moto, which is not installed", hint="make setup")


def _clients(url: str) -> Mapping[str, Any]:
    """Return boto3 clients that heed none of the user's own profiles and settings."""
    import boto3  # noqa: PLC0415 - half a second, and only in this thread
    import botocore.config  # noqa: PLC0415
    import botocore.session  # noqa: PLC0415

    unset = (None, None, None, None)
    nowhere = (None, None, os.devnull, None)
    core = botocore.session.Session(
        session_vars={"profile": unset, "config_file": nowhere, "credentials_file": nowhere}
    )
    session = boto3.session.Session(botocore_session=core)
    config = botocore.config.Config(
        connect_timeout=2, read_timeout=10, retries={"total_max_attempts": 1}, proxies={}
    )

    def client(service: str) -> Any:
        return session.client(
            service,
            region_name=REGION,
            endpoint_url=url,
            aws_access_key_id=_KEY,
            aws_secret_access_key=_KEY,
            config=config,
        )

    return {service: client(service) for service in ("sqs", "events")}


def _set_up(clients: Mapping[str, Any]) -> bool:
    """Create the queues and the rule as in a real account; say whether moto was there for it."""
    from botocore.exceptions import EndpointConnectionError  # noqa: PLC0415

    sqs, events = clients["sqs"], clients["events"]
    try:
        sqs.create_queue(QueueName=DEAD_LETTERS)
    except EndpointConnectionError:
        return False
    redrive = {"deadLetterTargetArn": _arn("sqs", DEAD_LETTERS), "maxReceiveCount": MOST_RECEIVES}
    letting_in = {"RedrivePolicy": json.dumps(redrive), "Policy": json.dumps(_queue_policy())}
    sqs.create_queue(QueueName=ALARM_QUEUE, Attributes=letting_in)
    events.put_rule(Name=ALARM_RULE, EventPattern=json.dumps(ALARM_PATTERN), State="ENABLED")
    paths = {key: f"$.{key}" for key in (*_EVENT_KEYS, "resources", "detail")}
    target = {
        "Id": "queue",
        "Arn": _arn("sqs", ALARM_QUEUE),
        "InputTransformer": {"InputPathsMap": paths, "InputTemplate": _TEMPLATE},
    }
    events.put_targets(Rule=ALARM_RULE, Targets=[target])
    return True


def _queue_policy() -> Mapping[str, Any]:
    """Let the rule send, as a real queue has to be told; moto does not ask."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": _arn("sqs", ALARM_QUEUE),
        "Condition": {"ArnEquals": {"aws:SourceArn": _arn("events", f"rule/{ALARM_RULE}")}},
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def _arn(service: str, name: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{name}"
