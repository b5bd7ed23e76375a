"""Investigations in a cluster of 200 nodes and 5,000 pods, each call 50 ms away.

Prints one JSON object: for each drill the seconds from the alarm to the offers, how many calls were
made, and how many of them at least have to wait for each other (the longest chain of calls of which
each began after the one before had ended). The bound is 1.5 times that chain, plus one second.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from petops.domain.evidence import PodScope, Readings, Signal, Window
from petops.lab.ports_in_memory import WorldCalls, WorldMetrics
from petops.programs.drilling import Rehearsal
from petops.programs.drilling_traces import WorldXRay
from petops.programs.evaluating_lab import chosen

AWAY_SECONDS: Final = 0.05
COPIES: Final = 454
DRILLS: Final = (
    "memory-leak",
    "cpu-throttling",
    "bad-rollout-crashes",
    "node-not-ready",
    "healthy",
)


class Chain:
    """Calls with their times, and how many had to wait for each other."""

    def __init__(self) -> None:
        self.calls: list[tuple[float, float]] = []

    async def away(self, call: Callable[[], Awaitable[Any]]) -> Any:
        """Make a call over a line that takes its time."""
        began = time.perf_counter()
        await asyncio.sleep(AWAY_SECONDS)
        try:
            return await call()
        finally:
            self.calls.append((began, time.perf_counter()))

    @property
    def longest(self) -> int:
        """The most calls of which each began after the one before had ended."""
        count, ended = 0, 0.0
        for began, end in sorted(self.calls, key=lambda one: one[1]):
            if began >= ended:
                count, ended = count + 1, end
        return count


class FarCalls(WorldCalls):
    """`KubernetesCalls` at a distance."""

    chain = Chain()

    async def request(self, method: str, path: str, **more: Any) -> Any:
        """Return the answer."""
        return await self.chain.away(lambda: super(FarCalls, self).request(method, path, **more))


class FarMetrics(WorldMetrics):
    """`Metrics` at a distance."""

    chain = Chain()

    async def read(self, signal: Signal, scope: PodScope, window: Window) -> Readings:
        """Return the samples."""
        return await self.chain.away(lambda: super(FarMetrics, self).read(signal, scope, window))


class FarXRay(WorldXRay):
    """X-Ray's client at a distance; it is called from threads."""

    chain = Chain()

    def _answered(self, answer: Any, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        began = time.perf_counter()
        time.sleep(AWAY_SECONDS)
        try:
            return super()._answered(answer, parameters)
        finally:
            self.chain.calls.append((began, time.perf_counter()))


async def measured(name: str, copies: int) -> dict[str, Any]:
    """Build the cluster, begin the drill, and investigate it at a distance."""
    (drill,) = chosen([name])
    rehearsal = Rehearsal(drill, 0, size=copies, calls=FarCalls, metrics=FarMetrics, xray=FarXRay)
    chain = FarCalls.chain = FarMetrics.chain = FarXRay.chain = Chain()
    began = time.perf_counter()
    found = await rehearsal.drilled(drill.categories[0])
    seconds = time.perf_counter() - began
    store = rehearsal.world.store
    bound = 1.5 * chain.longest * AWAY_SECONDS + 1.0
    return {
        "drill": name,
        "nodes": len(list(store.objects("nodes"))),
        "pods": len(list(store.objects("pods"))),
        "seconds": round(seconds, 3),
        "calls": len(chain.calls),
        "longest_chain": chain.longest,
        "bound_seconds": round(bound, 3),
        "within": seconds <= bound,
        "right": found.is_right,
    }


def main() -> int:
    """Measure each drill."""
    parser = argparse.ArgumentParser(description="Investigate in a large cluster, far away.")
    parser.add_argument("--copies", type=int, default=COPIES)
    parser.add_argument("--drill", action="append", default=[])
    options = parser.parse_args()
    rows = [asyncio.run(measured(name, options.copies)) for name in options.drill or DRILLS]
    sys.stdout.write(json.dumps({"away_seconds": AWAY_SECONDS, "drills": rows}, indent=2) + "\n")
    return 0 if all(one["right"] for one in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
