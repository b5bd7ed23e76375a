"""Where petops writes what went wrong in itself: a file, since a screen is no place for it."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Final

MOST_BYTES: Final = 1_000_000
NAME: Final = "petops.log"
_LOGGER: Final = logging.getLogger("petops")
_LINE: Final = "%(asctime)s %(name)s %(levelname)s %(message)s"


class OwnLog(logging.Handler):
    """Appends errors to `petops.log` in the state folder, or in `folder`; stderr where it cannot.

    The file is made when there is something to write, holds 1 MB, and the one before is kept.
    """

    def __init__(self, folder: Path | None = None) -> None:
        super().__init__(logging.ERROR)
        self.setFormatter(logging.Formatter(_LINE))
        self._folder = folder

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        text = self.format(record) + "\n"
        try:
            self._append(self._folder or _state_folder(), text)
        except OSError:
            sys.stderr.write(text)

    def _append(self, folder: Path, text: str) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = folder / NAME
        if file.exists() and file.stat().st_size > MOST_BYTES:
            file.replace(file.with_suffix(".1.log"))
        with file.open("a", encoding="utf-8", errors="backslashreplace") as end:
            end.write(text)


def _state_folder() -> Path:
    from petops.config.folders import state_folder  # noqa: PLC0415 (only where something is wrong)

    return state_folder()


def kept() -> None:
    """Let the process write its own mistakes there."""
    if not any(isinstance(one, OwnLog) for one in _LOGGER.handlers):
        _LOGGER.addHandler(OwnLog())
