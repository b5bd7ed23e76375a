"""Runs every benchmark beside this file, one after another, and keeps their figures as JSON."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
RESULTS = HERE / "results"
NO_BENCHMARKS = {"run.py"}
# Data that is not ours to ship is used where it stands beside the project.
PETSHOP = HERE.parents[1] / "shared" / "petshop"
ARGUMENTS = {"petshop": ["--data", str(PETSHOP), "--json"] if PETSHOP.is_dir() else ["--json"]}
LONGEST_SECONDS = 1800


def main() -> int:
    """Run them all, or those that are named; return 1 if any failed or missed its bounds."""
    wanted = set(sys.argv[1:])
    RESULTS.mkdir(exist_ok=True)
    failed = []
    for program in sorted(HERE.glob("*.py")):
        if program.name in NO_BENCHMARKS or (wanted and program.stem not in wanted):
            continue
        sys.stderr.write(f"{program.stem} ...\n")
        began = time.monotonic()
        done = subprocess.run(  # noqa: S603 - our own programs
            [sys.executable, str(program), *ARGUMENTS.get(program.stem, [])],
            stdout=subprocess.PIPE,
            text=True,
            timeout=LONGEST_SECONDS,
            check=False,
        )
        try:
            figures = json.loads(done.stdout)
        except ValueError:
            failed.append(program.stem)
            sys.stderr.write(f"{program.stem} failed with status {done.returncode}\n")
            continue
        if done.returncode:
            failed.append(program.stem)
            sys.stderr.write(f"{program.stem}: a figure is not within its bound\n")
        document = {
            "benchmark": program.stem,
            "within_bounds": not done.returncode,
            "machine": {"python": platform.python_version(), "system": platform.system()},
            "seconds": round(time.monotonic() - began, 1),
            "figures": figures,
        }
        text = json.dumps(document, indent=2)
        (RESULTS / f"{program.stem}.json").write_text(text + "\n", encoding="utf-8")
        sys.stdout.write(text + "\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
