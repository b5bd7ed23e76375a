"""The examples of docs/own-knowledge.md, written to a folder as a reader would."""

from __future__ import annotations

import re
from pathlib import Path

DOCUMENT = Path(__file__).parents[2] / "docs" / "own-knowledge.md"
_BLOCK = re.compile(r"^```\w+ title=(\S+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def example(name: str) -> str:
    found = dict(_BLOCK.findall(DOCUMENT.read_text(encoding="utf-8")))
    return str(found[name])


def written_to(folder: Path) -> Path:
    for name in ("history-leaks.md", "certificates.py"):
        (folder / name).write_text(example(name), encoding="utf-8")
    return folder
