"""Every failure mode and every negative on the lab, over many worlds, and with each source away.

Prints one JSON object: by drill how many verdicts were right; by source that was away how many
were right, how many less sure (a lower confidence, or no cause), and how many wrong; and how often
a cause that was named with a certain confidence was right, over drills and recorded cases. Ends
with status 1 where a verdict is wrong. `--seeds N` worlds with all sources, `--away N` with one
away.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

from petops.errors import UsageError
from petops.programs.calibration import Told, calibrated
from petops.programs.drilling import AWAY, Drilled
from petops.programs.evaluating import evaluated
from petops.programs.evaluating_lab import DRILLS, chosen, drilled, stated

RECORDINGS = Path(__file__).parents[1] / "tests" / "recordings"


def main() -> int:
    """Run the drills in two processes."""
    parser = argparse.ArgumentParser(description="Score petops on the lab's drills.")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--away", type=int, default=5)
    parser.add_argument("--drill", action="append", default=[])
    options = parser.parse_args()
    try:
        names = [one.name for one in chosen(options.drill)]
    except UsageError as exc:
        parser.error(f"{exc.message} ({exc.hint})")
    work = [(name, options.seeds, options.away) for name in names]
    with ProcessPoolExecutor(max_workers=2) as pool:
        results = [one for found in pool.map(played, work) for one in found]
    whole = [one for one in results if not one.away]
    degraded = [one for one in results if one.away]
    recorded = asyncio.run(on_recordings())
    figures = {
        "drills": by_drill(whole),
        "right": sum(one.is_right for one in whole),
        "of": len(whole),
        "one_source_away": by_source(whole, degraded),
        "investigation_seconds_median": round(median(one.seconds for one in whole), 3),
        "calibration": {
            "drills": calibrated(stated(whole)),
            "one_source_away": calibrated(stated(degraded)),
            "recordings": calibrated(recorded),
            "all": calibrated([*stated(whole), *stated(degraded), *recorded]),
        },
        "wrong": [
            f"{one.drill} {one.category} seed {one.seed} {one.away}: {'; '.join(one.wrong)}"
            for one in results
            if not one.is_right
        ],
    }
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")
    return 1 if figures["wrong"] else 0


def played(work: tuple[str, int, int]) -> list[Drilled]:
    """Play one drill in all its worlds."""
    name, seeds, away = work
    (drill,) = (one for one in DRILLS if one.name == name)

    async def run() -> list[Drilled]:
        found = [one async for one in drilled([drill], range(seeds))]
        found += [one async for one in drilled([drill], range(away), AWAY)]
        return found

    return asyncio.run(run())


async def on_recordings() -> list[Told]:
    """Return how sure petops is on the recorded cases, and whether rightly."""
    return [
        Told(confidence=one.confidence, is_right=one.mode == one.expected.get("mode"))
        for one in await evaluated(RECORDINGS)
        if one.confidence is not None
    ]


def by_drill(results: Iterable[Drilled]) -> dict[str, str]:
    """Return right of all, by drill."""
    right, every = Counter[str](), Counter[str]()
    for one in results:
        every[one.drill] += 1
        right[one.drill] += one.is_right
    return {name: f"{right[name]} of {count}" for name, count in every.items()}


def by_source(whole: Iterable[Drilled], degraded: Iterable[Drilled]) -> dict[str, Any]:
    """Return what became of verdicts while a source was away."""
    sure = {(one.drill, one.seed, one.category): one for one in whole}
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for one in degraded:
        before = sure[one.drill, one.seed, one.category].confidence or 0.0
        if not one.is_right:
            found[one.away]["wrong"] += 1
        elif (one.confidence or 0.0) > before:
            found[one.away]["surer"] += 1
        elif (one.confidence or 0.0) < before:
            found[one.away]["less_sure"] += 1
        else:
            found[one.away]["as_sure"] += 1
    return {name: dict(counts) for name, counts in found.items()}


if __name__ == "__main__":
    sys.exit(main())
