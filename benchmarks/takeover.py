"""Ends the leading replica, again and again, and measures how long until another one leads.

Two daemons on the lab share a Lease and a journal in PostgreSQL. In turn the leader is killed, as
with a node that is gone, and told to end, as in a rollout. Alarms come all the time, by HTTP and by
the queue; in the end every one stands in the journal, once. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from petops.app import SystemClock
from petops.lab.running import Lab
from tests import postgres
from tests.surfaces.replicas import LEASE, TOKEN, Pair, Replica, judged, pair_of

LIMIT_SECONDS = 15.0
ENDINGS = {"killed": signal.SIGKILL, "told_to_end": signal.SIGTERM}


async def gaps(pair: Pair, turns: int) -> dict[str, list[float]]:
    """End the leader so many times in each way; return how long nobody led, in seconds."""
    found: dict[str, list[float]] = {name: [] for name in ENDINGS}
    for _ in range(turns):
        for name, number in ENDINGS.items():
            await asyncio.sleep(2)
            first = await pair.leader()
            began = time.monotonic()
            ending = asyncio.create_task(first.end(number))
            await pair.leader([pair.other(first)])
            found[name].append(time.monotonic() - began)
            await ending
            first.start()
            await pair.ready(first)
    return found


async def run(turns: int, folder: Path) -> dict[str, Any]:
    """Let replicas take over from each other; return the figures."""
    async with Lab.started(folder / "lab", clock=SystemClock()) as lab:
        with postgres.running() as url:
            # What the one that is killed had in hand comes again before the run is over.
            await lab.aws.call(
                "sqs",
                "set_queue_attributes",
                QueueUrl=lab.aws.queue_url,
                Attributes={"VisibilityTimeout": "5"},
            )
            kept = {key: os.environ[key] for key in ("PATH", "LANG") if key in os.environ}
            environment = {
                **kept,
                **{key: one for key, one in lab.environment().items() if key != "PETOPS_JOURNAL"},
                "HOME": str(folder),
                "PETOPS_JOURNAL_URL": url,
                "PETOPS_LEASE": LEASE,
                "PETOPS_TOKEN": TOKEN,
            }
            replicas = [Replica(name, environment, folder) for name in ("one", "two")]
            began = time.monotonic()
            async with pair_of(*replicas) as pair:
                await pair.ready()
                ready = time.monotonic() - began
                async with pair.alarms(lab.aws):
                    found = await gaps(pair, turns)
                verdict = await judged(url, pair.sent, patience=60)
    figures: dict[str, Any] = {
        f"{name}_seconds": {"median": round(statistics.median(each), 2), "max": round(max(each), 2)}
        for name, each in found.items()
    }
    return {
        "turns": turns,
        **figures,
        "both_ready_seconds": round(ready, 2),
        "alarms_sent": len(pair.sent),
        "lost": len(verdict.lost),
        "twice": len(verdict.twice),
        "entries": verdict.entries,
        "chain_faults": len(verdict.chain.faults),
    }


def main() -> int:
    """Run it, print the figures, and say whether they hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=4)
    given = parser.parse_args()
    if postgres.programs() is None:
        sys.stdout.write(json.dumps({"skipped": "there is no PostgreSQL here"}) + "\n")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        figures = asyncio.run(run(given.turns, Path(folder)))
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")
    late = any(figures[f"{name}_seconds"]["max"] > LIMIT_SECONDS for name in ENDINGS)
    return 1 if late or figures["lost"] or figures["twice"] or figures["chain_faults"] else 0


if __name__ == "__main__":
    sys.exit(main())
