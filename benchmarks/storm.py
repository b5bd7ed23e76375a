"""10,000 alarm events of 500 workloads with five causes in a minute, through a queue of our own.

The queue is in this process, since moto's serves about 100 receives a second; everything after it
is what the daemon runs: polls, parser, intake, engine, SQLite. Prints one JSON object; ends with
status 1 where an event is lost, causes are mixed or missing, or incidents are not 5 to 15.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import statistics
import sys
import tempfile
import time
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from petops.app import SystemClock
from petops.domain.alarm import Alarm
from petops.domain.alarm_mapping import AlarmMapping
from petops.domain.assessment import AssessmentRules, assess
from petops.domain.policy import Identity
from petops.domain.requests import ReportAlarm
from petops.engine.engine import Engine
from petops.engine.grouping import Grouping
from petops.engine.surroundings import Surroundings
from petops.journal.sqlite import SqliteJournal
from petops.sources.sqs_alarms import SqsAlarms
from tests.engine.storm import CLUSTER, Sent, StormCluster, events, judged, planned

INTAKE = Identity(user="intake", channel="queue")
VISIBILITY_SECONDS = 30.0


class Queue:
    """As much of boto3's SQS client as the poller uses, at 15 ms a call and a bounded batch."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[str, str]] = deque()
        self._hidden: dict[str, tuple[float, str]] = {}
        self.sent_at: dict[str, float] = {}
        self.deleted = 0

    def put(self, key: str, body: str) -> None:
        self.sent_at[key] = time.monotonic()
        self._waiting.append((key, body))

    def receive_message(self, **arguments: Any) -> Any:
        deadline = time.monotonic() + arguments["WaitTimeSeconds"]
        time.sleep(0.015)
        while not self._waiting and time.monotonic() < deadline:
            time.sleep(0.005)
        found = []
        while self._waiting and len(found) < arguments["MaxNumberOfMessages"]:
            try:
                key, body = self._waiting.popleft()
            except IndexError:
                break
            self._hidden[key] = (time.monotonic(), body)
            found.append({"Body": body, "ReceiptHandle": key, "MessageId": key})
        self._again()
        return {"Messages": found}

    def _again(self) -> None:
        for key, (since, body) in list(self._hidden.items()):
            if time.monotonic() - since > VISIBILITY_SECONDS:
                self._hidden.pop(key, None)
                self._waiting.append((key, body))

    def delete_message(self, **arguments: Any) -> Any:
        time.sleep(0.005)
        if self._hidden.pop(arguments["ReceiptHandle"], None):
            self.deleted += 1
        return {}

    @property
    def left(self) -> int:
        return len(self._waiting) + len(self._hidden)


async def sending(queue: Queue, sent: Sequence[Sent]) -> None:
    """Put the events into the queue, each at its time."""
    began = time.monotonic()
    for number, one in enumerate(sent):
        left = began + one.at_seconds - time.monotonic()
        if left > 0:
            await asyncio.sleep(left)
        queue.put(f"{one.key}/{number}", one.body)


def stage(cluster: StormCluster, clock: SystemClock, *, grouped: bool = True) -> Surroundings:
    """Return what an engine is given."""
    return Surroundings(
        clock=clock,
        cluster=cluster,
        metrics=cluster,
        actuator=cluster,
        site=cluster,
        topology=cluster,
        grouping=Grouping(enabled=grouped),
        assess=lambda alarm: assess(alarm, AssessmentRules()),
        new_id=lambda: "none",
    )


@asynccontextmanager
async def journaled(
    engine: Engine, queue: Queue, mapping: AlarmMapping, took: list[float]
) -> AsyncIterator[list[str]]:
    """Poll the queue for as long as the block lasts; `took` gets each event's time to its entry."""
    said: list[str] = []

    async def submit(alarm: Alarm) -> None:
        request = ReportAlarm(id=f"{alarm.source}:{alarm.event_id}", alarm=alarm)
        await engine.submit(request, INTAKE)

    async with SqsAlarms("http://in.process/queue", client=queue) as source:
        handle = source.done

        async def done(delivery: Any) -> None:
            took.append(time.monotonic() - queue.sent_at[delivery.receipt])
            await handle(delivery)

        source.done = done  # type: ignore[method-assign]
        polling = asyncio.create_task(source.run(submit, mapping, said.append))
        try:
            yield said
        finally:
            polling.cancel()
            await asyncio.wait({polling})


async def run(total: int, workloads: int, seconds: float, folder: Path) -> dict[str, Any]:
    """Let one storm pass over an engine, and judge what it made of it."""
    clock, plan, queue = SystemClock(), planned(workloads), Queue()
    cluster = StormCluster(clock, plan)
    sent = events(plan, total, seconds, clock.now())
    base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    took: list[float] = []
    began_cpu = time.process_time()
    async with (
        SqliteJournal.open(folder / "journal.db") as journal,
        Engine(journal, stage(cluster, clock)).running() as engine,
        journaled(engine, queue, AlarmMapping(here=CLUSTER), took) as said,
    ):
        await sending(queue, sent)
        deadline = time.monotonic() + 60
        while queue.left and time.monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        await asyncio.sleep(15)  # the last incidents are investigated, and merge
        board = await engine.board()
    entries = board.seq
    verdict = judged(board, plan, sent)
    ordered = sorted(took)
    return {
        "events": len(sent),
        "workloads": workloads,
        "seconds": seconds,
        "lost": verdict.lost + queue.left,
        "journaled_p50_seconds": round(statistics.median(ordered), 3),
        "journaled_p99_seconds": round(ordered[int(len(ordered) * 0.99) - 1], 3),
        "journaled_max_seconds": round(ordered[-1], 3),
        "incidents": verdict.left,
        "incidents_merged": verdict.merged,
        "mixed": list(verdict.mixed),
        "missing": list(verdict.missing),
        "most_alarms_in_one": verdict.largest,
        "diagnoses": sorted(
            {
                one.diagnosis.cause.mode
                for one in board.incidents.values()
                if one.diagnosis and one.diagnosis.cause
            }
        ),
        "entries": entries,
        "cpu_seconds": round(time.process_time() - began_cpu, 1),
        "rss_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "rss_before_mib": round(base),
        "said": said[:5],
    }


def main() -> int:
    """Run it, print the figures, and say whether they hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=10_000)
    parser.add_argument("--workloads", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=60.0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = asyncio.run(run(given.events, given.workloads, given.seconds, Path(folder)))
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")
    wrong = figures["lost"] or figures["mixed"] or figures["missing"]
    return 1 if wrong or not 5 <= figures["incidents"] <= 15 else 0


if __name__ == "__main__":
    sys.exit(main())
