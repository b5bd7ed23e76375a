"""10,000 random interleavings: approvals, expiries, object changes, crashes, restarts, two engines.

Prints one JSON object. Ends with status 1 where a rule was broken, and names the seeds. Each seed
can be played again: `python benchmarks/interleavings.py --seed 4711`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import looptime

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.engine.interleaving import Interleaving, Outcome

COUNT = 10_000
SHARE = 100


def played(seed: int) -> Outcome:
    """Play one seed in virtual time."""
    with asyncio.Runner(loop_factory=looptime.new_event_loop) as runner:
        return runner.run(Interleaving(seed).run())


def share(first: int) -> tuple[Counter[str], list[str]]:
    """Play a share of the seeds; return what they came to, and what broke."""
    total: Counter[str] = Counter()
    broken = []
    for seed in range(first, first + SHARE):
        try:
            found = played(seed)
        except BaseException as exc:
            broken.append(f"seed {seed}: {_innermost(exc)}")
            continue
        total += Counter(
            interleavings=1,
            acts=found.acts,
            evictions=found.evictions,
            crashes=found.deaths,
            takeovers=found.takeovers,
            refusals=found.refusals,
        )
        total.update({f"ended {phase}": times for phase, times in found.phases.items()})
    return total, broken


def _innermost(exc: BaseException) -> str:
    while isinstance(exc, BaseExceptionGroup):
        exc = exc.exceptions[0]
    return f"{type(exc).__name__}: {exc}"


def main() -> int:
    """Play them all, on every processor."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    if given.seed is not None:
        sys.stdout.write(f"{played(given.seed)}\n")
        return 0
    began = time.monotonic()
    total: Counter[str] = Counter()
    broken: list[str] = []
    with ProcessPoolExecutor(given.processes) as pool:
        for counted, failed in pool.map(share, range(0, given.count, SHARE)):
            total += counted
            broken += failed
    figures = {**dict(sorted(total.items())), "broken": broken[:20], "broken_count": len(broken)}
    figures["seconds"] = round(time.monotonic() - began, 1)
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
