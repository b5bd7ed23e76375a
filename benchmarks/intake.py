"""An event in the queue to its entry in the journal, at 50 a second; 50 investigations at once.

The first seconds are a storm of their own: 50 workloads begin to alarm at once, and an alarm may
wait for its cause by design. They are told apart from the steady stream that follows.

The queue is in this process (see storm.py). Prints one JSON object; ends with status 1 where the
99th percentile is a second or more, or fewer than 50 investigations ran at the same time.
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

from storm import Queue, journaled, stage

from petops.app import SystemClock
from petops.domain.alarm_mapping import AlarmMapping
from petops.engine.engine import Engine
from petops.journal.sqlite import SqliteJournal
from tests.engine.storm import CLUSTER, StormCluster, events, planned

LIMIT_SECONDS = 1.0
WARM_SECONDS = 10.0


async def steady(rate: float, seconds: float, folder: Path) -> dict[str, Any]:
    """Put events into the queue at a steady rate; return how long each took to be journaled."""
    clock, plan, queue = SystemClock(), planned(50), Queue()
    cluster = StormCluster(clock, plan)
    sent = events(plan, int(rate * seconds), seconds, clock.now())
    took: list[float] = []
    async with (
        SqliteJournal.open(folder / "steady.db") as journal,
        Engine(journal, stage(cluster, clock)).running() as engine,
        journaled(engine, queue, AlarmMapping(here=CLUSTER), took),
    ):
        began = time.monotonic()
        for number, one in enumerate(sent):
            left = began + number / rate - time.monotonic()
            if left > 0:
                await asyncio.sleep(left)
            queue.put(f"{one.key}/{number}", one.body)
        while queue.left and time.monotonic() < began + seconds + 30:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    first = sorted(took[: int(rate * WARM_SECONDS)])
    ordered = sorted(took[int(rate * WARM_SECONDS) :])
    return {
        "events": len(sent),
        "journaled": len(took),
        "storm_p99_seconds": round(first[int(len(first) * 0.99) - 1], 3),
        "p50_seconds": round(statistics.median(ordered), 3),
        "p99_seconds": round(ordered[int(len(ordered) * 0.99) - 1], 3),
        "max_seconds": round(ordered[-1], 3),
    }


async def at_once(count: int, folder: Path) -> dict[str, Any]:
    """Open so many incidents that nothing ties together; count those asked about at once."""
    clock, plan = SystemClock(), planned(5 * count)
    cluster = StormCluster(clock, plan)
    cluster.answer_seconds = 3.0
    queue = Queue()
    sent = [one for one in events(plan, 40 * count, 1.0, clock.now()) if "-errors-0-" in one.key]
    took: list[float] = []
    given = stage(cluster, clock, grouped=False)
    began = time.monotonic()
    async with (
        SqliteJournal.open(folder / "once.db") as journal,
        Engine(journal, given).running() as engine,
        journaled(engine, queue, AlarmMapping(here=CLUSTER), took),
    ):
        for one in sent[:count]:
            queue.put(one.key, one.body)
        while time.monotonic() < began + 60:
            board = await engine.board()
            done = [one for one in board.incidents.values() if one.diagnosis is not None]
            if len(done) >= count:
                break
            await asyncio.sleep(0.05)
    return {
        "investigations": len(done),
        "most_at_once": cluster.most_at_once,
        "seconds": round(time.monotonic() - began, 2),
    }


def main() -> int:
    """Run both, print the figures, and say whether they hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=50.0)
    parser.add_argument("--seconds", type=float, default=40.0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = asyncio.run(steady(given.rate, given.seconds, Path(folder)))
        figures["at_once"] = asyncio.run(at_once(50, Path(folder)))
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")
    few = figures["at_once"]["investigations"] < 50 or figures["at_once"]["most_at_once"] < 50
    lost = figures["journaled"] < figures["events"]
    return 1 if few or lost or figures["p99_seconds"] >= LIMIT_SECONDS else 0


if __name__ == "__main__":
    sys.exit(main())
