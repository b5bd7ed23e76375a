#!/usr/bin/env python3
"""How many questions in words are answered rightly, on several worlds: prints JSON.

The questions of `dev` are given; the others are our own. Each of those sets was written whole, with
its references, before the program saw any of it; `first_sight` is what it scored then, before the
grammar was taught what it lacked. That is the honest figure for questions not seen before.

By default each world's questions go through one process (`--batch`); with `--single` each starts
`petops ask` anew, as the shared scorer does by default.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).resolve().parent
ROOT: Final = HERE.parent
QUESTIONS: Final = HERE / "nl_queries"
PETOPS: Final = Path(sys.executable).with_name("petops")
WORLDS: Final = {
    "dev": ("world", "dev.jsonl"),
    "own": ("other_world", "own.jsonl"),
    "third": ("third_world", "third.jsonl"),
    "fourth": ("fourth_world", "fourth.jsonl"),
    "fifth": ("third_world", "fifth.jsonl"),
    "sixth": ("fourth_world", "sixth.jsonl"),
    "seventh": ("third_world", "seventh.jsonl"),
    "eighth": ("eighth_world", "eighth.jsonl"),
    "ninth": ("ninth_world", "ninth.jsonl"),
    "tenth": ("tenth_world", "tenth.jsonl"),
    "eleventh": ("eleventh_world", "eleventh.jsonl"),
    "twelfth": ("twelfth_world", "twelfth.jsonl"),
    "thirteenth": ("thirteenth_world", "thirteenth.jsonl"),
    "fourteenth": ("fourteenth_world", "fourteenth.jsonl"),
    "fifteenth": ("fifteenth_world", "fifteenth.jsonl"),
    "sixteenth": ("sixteenth_world", "sixteenth.jsonl"),
    "seventeenth": ("third_world", "seventeenth.jsonl"),
}
FIRST_SIGHT: Final = {
    "own": 0.94,
    "third": 0.87,
    "fourth": 0.87,
    "fifth": 0.85,
    "sixth": 0.92,
    "seventh": 0.88,
    "eighth": 0.99,
    "ninth": 0.96,
    "tenth": 0.92,
    "eleventh": 0.89,
    "twelfth": 0.93,
    "thirteenth": 0.98,
    "fourteenth": 0.93,
    "fifteenth": 0.97,
    "sixteenth": 0.97,
    "seventeenth": 0.87,
}
BATCH: Final = f"{PETOPS} ask --json --batch --time {{time}} --prometheus-url {{url}}"
SINGLE: Final = f"{PETOPS} ask --json --time {{time}} --prometheus-url {{url}} -- {{question}}"


def scored(world: str, questions: str, *, single: bool) -> dict[str, Any]:
    """Run the scorer on one world; return accuracy, in all and by tag, and the seconds it took."""
    option = ("--command", SINGLE) if single else ("--batch-command", BATCH)
    command = [sys.executable, str(QUESTIONS / "score.py"), str(QUESTIONS / questions), *option]
    began = time.perf_counter()
    done = subprocess.run(  # noqa: S603 - our own program
        command, capture_output=True, text=True, check=False, env=_environment(world)
    )
    rows = re.findall(r"^(\S+)\s+([\d.]+) \((\d+)/(\d+)\)$", done.stdout, re.MULTILINE)
    tags = {name.rstrip(":"): [int(good), int(every)] for name, _, good, every in rows}
    good, every = tags.pop("accuracy", (0, 0))
    return {
        "accuracy": round(good / every, 4) if every else None,
        "right": good,
        "questions": every,
        "tags": tags,
        "seconds": round(time.perf_counter() - began, 2),
        **({} if every else {"error": done.stderr[-500:]}),
    }


def _environment(world: str) -> dict[str, str]:
    """Return the environment in which prometheus and promtool are found."""
    program = PETOPS.with_name("prometheus")
    folders = [str(program.parent), str(program.resolve().parent), os.environ.get("PATH", "")]
    return {**os.environ, "NL_WORLD": world, "PATH": os.pathsep.join(folders)}


def main() -> int:
    """Print the figures of each set, or of those that are named; fail below 0.95 on any."""
    single = "--single" in sys.argv[1:]
    wanted = [name for name in sys.argv[1:] if name in WORLDS] or list(WORLDS)
    found = {name: scored(*WORLDS[name], single=single) for name in wanted}
    for name, figures in found.items():
        if name in FIRST_SIGHT:
            figures["first_sight"] = FIRST_SIGHT[name]
    sys.stdout.write(json.dumps(found, indent=2) + "\n")
    return 0 if all((one["accuracy"] or 0) >= 0.95 for one in found.values()) else 1  # noqa: PLR2004


if __name__ == "__main__":
    sys.exit(main())
