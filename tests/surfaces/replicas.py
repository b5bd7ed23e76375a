"""Two daemons as processes of their own, with one Lease and one journal, and alarms all the time.

For the tests of taking over, and for the benchmark that measures it.
"""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from petops.journal.chain import Verified
from petops.journal.postgres import PostgresJournal
from petops.lab.aws import Aws
from petops.lab.children import free_port
from petops.remote import connected

TOKEN = "of-this-run-alone"  # noqa: S105
LEASE = "default/devops-agent"
PATIENCE_SECONDS = 60.0
_END_SECONDS = 25.0


class Replica:
    """One daemon as a process of its own; what it says goes to a file."""

    def __init__(
        self,
        name: str,
        environment: Mapping[str, str],
        folder: Path,
        words: Sequence[str] = ("daemon",),
        *,
        port: int = 0,
    ) -> None:
        self.name = name
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / f"{name}.log"
        self._words = words
        self.environment = {
            "PETOPS_REPLICA": name,
            "PETOPS_ADVERTISE": self.url,
            "PETOPS_DAEMON_PORT": str(self.port),
            "PETOPS_JOURNAL": str(folder / f"{name}.db"),
            **environment,
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as said:
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                [sys.executable, "-m", "petops", *self._words],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
            )

    @property
    def said(self) -> str:
        return self.log.read_text(encoding="utf-8") if self.log.exists() else ""

    async def end(self, number: signal.Signals) -> int:
        """Send a signal, wait until the process is gone, and return its status."""
        if self._process is None:
            return 0
        if self._process.poll() is None:
            self._process.send_signal(number)
        return await self.ended()

    async def ended(self) -> int:
        """Wait until the process is gone, and return its status."""
        if self._process is None:
            return 0
        try:
            return await asyncio.to_thread(self._process.wait, _END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise


def alarm_event(number: int) -> str:
    """Return an alarm's change of state, as EventBridge sends it; each is another one."""
    at = f"2026-11-23T06:{number // 60 % 60:02}:{number % 60:02}Z"
    return json.dumps(
        {
            "id": f"takeover-{number}",
            "source": "aws.cloudwatch",
            "detail-type": "CloudWatch Alarm State Change",
            "time": at,
            "detail": {
                "alarmName": f"alarm-{number % 7}",
                "state": {"value": "ALARM", "timestamp": at},
                "configuration": {},
            },
        }
    )


@dataclass(slots=True)
class Pair:
    """Two replicas, and who asks them."""

    client: httpx2.AsyncClient
    replicas: tuple[Replica, Replica]
    sent: list[int] = field(default_factory=list)

    def other(self, one: Replica) -> Replica:
        return next(each for each in self.replicas if each is not one)

    async def ready(self, *which: Replica) -> None:
        """Wait until they answer for themselves."""
        for one in which or self.replicas:
            await self._until(one, "/readyz", "")

    async def leads(self, one: Replica) -> bool:
        """Say whether a replica says of itself that it leads."""
        try:
            answer = await self.client.get(f"{one.url}/metrics", timeout=1.0)
        except httpx2.HTTPError:
            return False
        return "petops_leading 1.0" in answer.text

    async def leader(self, among: Sequence[Replica] = ()) -> Replica:
        """Wait until one leads, and return it."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            for one in among or self.replicas:
                if await self.leads(one):
                    return one
            await asyncio.sleep(0.05)
        raise TimeoutError("nobody leads: " + " ".join(one.said for one in self.replicas))

    async def post(self, number: int) -> None:
        """Post an alarm to one replica after the other, until one has taken it."""
        turn = number
        while True:
            url = self.replicas[turn % 2].url
            turn += 1
            try:
                answer = await self.client.post(
                    f"{url}/api/v1/alarms/eventbridge",
                    content=alarm_event(number),
                    headers={"Content-Type": "application/json"},
                    timeout=3.0,
                )
                if answer.status_code == 202:
                    return
            except httpx2.HTTPError:
                pass
            await asyncio.sleep(0.1)

    @asynccontextmanager
    async def alarms(self, queue: Aws | None = None) -> AsyncIterator[None]:
        """Send alarms for as long as the block lasts: by HTTP, and where there is one by a queue.

        At its end each one that was begun is taken.
        """
        ended = asyncio.Event()

        async def sending() -> None:
            number = len(self.sent)
            while not ended.is_set():
                if queue is not None and number % 2:
                    body = alarm_event(number)
                    await queue.call(
                        "sqs", "send_message", QueueUrl=queue.queue_url, MessageBody=body
                    )
                else:
                    await self.post(number)
                self.sent.append(number)
                number += 1
                await asyncio.sleep(0.03)

        task = asyncio.create_task(sending())
        try:
            yield
        except BaseException:
            task.cancel()
            raise
        finally:
            ended.set()
            await asyncio.wait({task}, timeout=PATIENCE_SECONDS)
        task.result()

    async def _until(self, one: Replica, path: str, holds: str) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            try:
                answer = await self.client.get(f"{one.url}{path}", timeout=1.0)
                if answer.is_success and holds in answer.text:
                    return
            except httpx2.HTTPError:
                pass
            await asyncio.sleep(0.02)
        raise TimeoutError(f"{one.name} does not serve: {one.said[-2000:]}")


@asynccontextmanager
async def pair_of(first: Replica, second: Replica, token: str = TOKEN) -> AsyncIterator[Pair]:
    """Start both, and end them after the block."""
    head = {"Authorization": f"Bearer {token}"}
    async with httpx2.AsyncClient(headers=head, trust_env=False) as client:
        pair = Pair(client, (first, second))
        try:
            for one in pair.replicas:
                one.start()
            yield pair
        finally:
            for one in pair.replicas:
                await one.end(signal.SIGTERM)


@asynccontextmanager
async def followed(url: str, token: str = TOKEN) -> AsyncIterator[list[int]]:
    """Follow an engine for as long as the block lasts; the list gets each entry's number."""
    seen: list[int] = []

    async def follow() -> None:
        async with connected(url, token) as remote, aclosing(remote.entries(0)) as entries:
            async for one in entries:
                seen.append(one.seq)  # noqa: PERF401 - it is read meanwhile

    task = asyncio.create_task(follow())
    try:
        yield seen
    finally:
        task.cancel()
        await asyncio.wait({task})


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What stands in the journal of the alarms that were sent."""

    lost: tuple[str, ...]
    twice: tuple[str, ...]
    entries: int
    chain: Verified


async def judged(url: str, sent: Sequence[int], patience: float = 0.0) -> Found:
    """Look which alarms are missing in the journal, and which stand twice.

    `patience` is how long to wait for those that are still in a queue, in seconds.
    """
    wanted = {f"takeover-{number}" for number in sent}
    deadline = time.monotonic() + patience
    async with PostgresJournal.open_read_only(url) as journal:
        while True:
            seen: list[str] = []
            last = 0
            while page := await journal.read(last):
                last = page[-1].seq
                alarms = [getattr(entry.event, "alarm", None) for entry in page]
                seen += [one.event_id for one in alarms if one is not None]
            lost = wanted - set(seen)
            if not lost or time.monotonic() >= deadline:
                break
            await asyncio.sleep(0.5)
        chain = await journal.verified()
    twice = {one for one in seen if seen.count(one) > 1}
    return Found(lost=tuple(sorted(lost)), twice=tuple(sorted(twice)), entries=last, chain=chain)


async def lease(api: str, name: str = LEASE) -> Any:
    """Return what the API server says of the Lease."""
    namespace, _, own = name.partition("/")
    path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{own}"
    async with httpx2.AsyncClient(base_url=api, trust_env=False) as client:
        return (await client.get(path)).json()["spec"]
