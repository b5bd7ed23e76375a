"""200 followers of the event stream: how long after its append each one has an entry.

Followers are sockets of this very process, which makes it harder, not easier. Prints one JSON
object; ends with status 1 where the 99th percentile is 250 ms or more.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))

from storm import stage

from petops.app import SystemClock
from petops.daemon.server import Tokens, hashed, serve_http, server
from petops.domain.alarm_mapping import AlarmMapping
from petops.domain.policy import Identity
from petops.domain.requests import ReportAlarm
from petops.engine.engine import Engine
from petops.journal.sqlite import SqliteJournal
from petops.sources.alarm_events import parse_document
from tests.engine.storm import CLUSTER, StormCluster, events, planned

TOKEN = "bench"  # noqa: S105 (of this run alone)
LIMIT_SECONDS = 0.25


async def following(port: int, wanted: int, appended: dict[int, float], took: list[float]) -> None:
    """Read the stream until entry `wanted`; keep how long each entry took to come."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        f"GET /api/v1/entries HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode()
    )
    seq = 0
    try:
        while seq < wanted:
            line = await reader.readline()
            if line.startswith(b"id: "):
                seq, now = int(line[4:]), time.monotonic()
                if seq in appended:
                    took.append(now - appended[seq])
    finally:
        writer.close()


async def run(followers: int, entries: int, rate: float, folder: Path) -> dict[str, Any]:
    """Let so many follow so many entries."""
    clock, plan = SystemClock(), planned(50)
    cluster = StormCluster(clock, plan)
    appended: dict[int, float] = {}
    took: list[float] = []
    async with (
        SqliteJournal.open(folder / "journal.db") as journal,
        Engine(journal, stage(cluster, clock)).running() as engine,
        serve_http(server(engine, Tokens({hashed(TOKEN): "x"}), {}), "127.0.0.1", 0) as url,
    ):
        port = int(url.rpartition(":")[2])
        store = journal.append

        async def kept(incident: str, expected: int, wanted: Any) -> Any:
            stored = await store(incident, expected, wanted)
            for one in stored:
                appended[one.seq] = time.monotonic()
            return stored

        journal.append = kept  # type: ignore[method-assign]
        async with asyncio.TaskGroup() as group:
            for _ in range(followers):
                group.create_task(following(port, entries, appended, took))
            await asyncio.sleep(1)
            for one in events(plan, entries * 2, 1.0, clock.now()):
                if (await engine.board()).seq >= entries:
                    break
                (alarm,) = parse_document(one.body, AlarmMapping(here=CLUSTER))
                request = ReportAlarm(id=alarm.event_id, alarm=alarm)
                group.create_task(engine.submit(request, Identity(user="b", channel="b")))
                await asyncio.sleep(1 / rate)
    ordered = sorted(took)
    return {
        "followers": followers,
        "entries": entries,
        "deliveries": len(took),
        "p50_seconds": round(statistics.median(ordered), 4),
        "p99_seconds": round(ordered[int(len(ordered) * 0.99) - 1], 4),
        "max_seconds": round(ordered[-1], 4),
    }


def main() -> int:
    """Run it, print the figures, and say whether they hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--followers", type=int, default=200)
    parser.add_argument("--entries", type=int, default=300)
    parser.add_argument("--rate", type=float, default=10.0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = asyncio.run(run(given.followers, given.entries, given.rate, Path(folder)))
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")
    return 1 if figures["p99_seconds"] >= LIMIT_SECONDS else 0


if __name__ == "__main__":
    sys.exit(main())
