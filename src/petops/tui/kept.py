"""What the dashboard remembers from one start to the next: theme, filter, order."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

_LONGEST = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """A person's choices. What a file does not say, or says wrongly, stays as it is here."""

    theme: str = "petops-dark"
    words: str = ""
    order: str = "urgency"
    every: bool = False
    bell: bool = True


class Kept:
    """The choices, and the file that keeps them; None keeps nothing."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self.choices = _read(file)

    def change(self, **changed: Any) -> None:
        """Change choices and write them down; a folder that cannot be written loses them only."""
        self.choices = replace(self.choices, **changed)
        if self._file is None:
            return
        with suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            fresh = self._file.with_suffix(".new")
            fresh.write_text(json.dumps(asdict(self.choices), indent=2), encoding="utf-8")
            fresh.replace(self._file)


def _read(file: Path | None) -> Choices:
    try:
        told = json.loads(file.read_text(encoding="utf-8")) if file else {}
    except (OSError, ValueError):
        return Choices()
    usual = asdict(Choices())
    if not isinstance(told, dict):
        return Choices()
    good = {
        name: value
        for name, value in told.items()
        if name in usual
        and type(value) is type(usual[name])
        and (not isinstance(value, str) or len(value) <= _LONGEST)
    }
    return Choices(**good)
