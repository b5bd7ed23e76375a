"""Kills the leading replica, again and again, and measures how long until another one leads.

Two daemons on the lab's API share a Lease and a journal in PostgreSQL. Alarms are posted all the
time, each until it is taken; in the end every one stands in the journal, once. Prints one JSON
object.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx2

sys.path.insert(0, str(Path(__file__).parents[1]))

from petops.app import SystemClock
from petops.journal.postgres import PostgresJournal
from petops.lab.running import Lab
from tests import postgres

TOKEN = "bench"  # noqa: S105 (a token of this run alone)
LIMIT_SECONDS = 15.0


class Replica:
    """One daemon as a process of its own."""

    def __init__(self, name: str, environment: dict[str, str], folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.name = name
        self.url = f"http://127.0.0.1:{self.port}"
        self._folder = folder
        self._environment = environment | {
            "PETOPS_REPLICA": name,
            "PETOPS_ADVERTISE": self.url,
            "PETOPS_DAEMON_PORT": str(self.port),
            "PETOPS_JOURNAL": str(folder / f"{name}.db"),
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; what it says goes to a file."""
        with (self._folder / f"{self.name}.log").open("ab") as said:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "petops", "daemon"],
                env=self._environment,
                stdout=said,
                stderr=said,
            )

    def kill(self) -> None:
        """End it as a node that is gone would."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()

    def stop(self) -> None:
        """End it in order."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(20)


def event(number: int) -> dict[str, Any]:
    """Return an alarm's change of state."""
    return {
        "id": f"takeover-{number}",
        "source": "aws.cloudwatch",
        "detail-type": "CloudWatch Alarm State Change",
        "time": "2026-11-23T06:00:00Z",
        "detail": {
            "alarmName": f"alarm-{number % 7}",
            "state": {"value": "ALARM", "timestamp": f"2026-11-23T06:00:{number % 60:02}Z"},
            "configuration": {},
        },
    }


async def leads(client: httpx2.AsyncClient, replica: Replica) -> bool:
    """Say whether a replica says of itself that it leads."""
    try:
        answer = await client.get(f"{replica.url}/metrics", timeout=1.0)
    except httpx2.HTTPError:
        return False
    return "petops_leading 1.0" in answer.text


async def leader(
    client: httpx2.AsyncClient, replicas: list[Replica], patience: float = 40.0
) -> Replica:
    """Wait until one leads, and return it."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        for one in replicas:
            if await leads(client, one):
                return one
        await asyncio.sleep(0.05)
    raise TimeoutError("nobody leads")


async def posting(
    client: httpx2.AsyncClient, replicas: list[Replica], taken: list[int], ended: asyncio.Event
) -> None:
    """Post one alarm after the other, to either replica, each until it is taken."""
    number = 0
    while not ended.is_set():
        body = json.dumps(event(number))
        turn = 0
        while True:
            url = replicas[(number + turn) % len(replicas)].url
            turn += 1
            try:
                answer = await client.post(
                    f"{url}/api/v1/alarms/eventbridge",
                    content=body,
                    headers={"Content-Type": "application/json"},
                    timeout=3.0,
                )
                if answer.status_code == 202:
                    break
            except httpx2.HTTPError:
                pass
            await asyncio.sleep(0.1)
        taken.append(number)
        number += 1
        await asyncio.sleep(0.05)


async def run(kills: int, folder: Path) -> dict[str, Any]:
    """Kill the leader so many times; return the figures."""
    taken: list[int] = []
    gaps: list[float] = []
    ready: list[float] = []
    async with Lab.started(folder / "lab", clock=SystemClock()) as lab:
        with postgres.running() as url:
            kept = {key: os.environ[key] for key in ("PATH", "LANG") if key in os.environ}
            environment = (
                kept
                | dict(lab.environment())
                | {
                    "HOME": str(folder),
                    "PETOPS_JOURNAL_URL": url,
                    "PETOPS_LEASE": "default/devops-agent",
                    "PETOPS_TOKEN": TOKEN,
                    "PETOPS_SQS_QUEUE_URL": "",
                }
            )
            replicas = [Replica(name, environment, folder) for name in ("one", "two")]
            head = {"Authorization": f"Bearer {TOKEN}"}
            ended = asyncio.Event()
            try:
                async with httpx2.AsyncClient(headers=head, trust_env=False) as client:
                    for one in replicas:
                        began = time.monotonic()
                        one.start()
                        await serves(client, one)
                        ready.append(time.monotonic() - began)
                    await leader(client, replicas)
                    post = asyncio.create_task(posting(client, replicas, taken, ended))
                    for _ in range(kills):
                        await asyncio.sleep(2)
                        first = await leader(client, replicas)
                        first.kill()
                        began = time.monotonic()
                        await leader(client, [one for one in replicas if one is not first])
                        gaps.append(time.monotonic() - began)
                        first.start()
                        await serves(client, first)
                    await asyncio.sleep(1)
                    ended.set()
                    await post
                    found = await judged(url, taken)
            finally:
                for one in replicas:
                    one.stop()
    return {
        "kills": kills,
        "takeover_seconds_median": round(statistics.median(gaps), 2),
        "takeover_seconds_max": round(max(gaps), 2),
        "ready_seconds_max": round(max(ready), 2),
        "alarms_taken": len(taken),
        **found,
    }


async def serves(client: httpx2.AsyncClient, replica: Replica) -> None:
    """Wait until a replica answers for itself."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            if (await client.get(f"{replica.url}/readyz", timeout=1.0)).is_success:
                return
        except httpx2.HTTPError:
            pass
        await asyncio.sleep(0.02)
    raise TimeoutError(f"{replica.name} does not serve")


async def judged(url: str, taken: list[int]) -> dict[str, Any]:
    """Count what of the alarms taken is missing in the journal, or stands twice."""
    wanted = {f"takeover-{number}" for number in taken}
    seen: list[str] = []
    async with PostgresJournal.open_read_only(url) as journal:
        after = 0
        while page := await journal.read(after):
            after = page[-1].seq
            for entry in page:
                alarm = getattr(entry.event, "alarm", None)
                if alarm is not None:
                    seen.append(alarm.event_id)
        chain = await journal.verified()
    return {
        "lost": len(wanted - set(seen)),
        "twice": len(seen) - len(set(seen)),
        "entries": after,
        "chain_faults": len(chain.faults),
    }


def main() -> int:
    """Run it, print the figures, and say whether they hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=5)
    given = parser.parse_args()
    if postgres.programs() is None:
        sys.stdout.write(json.dumps({"skipped": "there is no PostgreSQL here"}) + "\n")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        figures = asyncio.run(run(given.kills, Path(folder)))
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")
    late = figures["takeover_seconds_max"] > LIMIT_SECONDS
    return 1 if late or figures["lost"] or figures["twice"] or figures["chain_faults"] else 0


if __name__ == "__main__":
    sys.exit(main())
