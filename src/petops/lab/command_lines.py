"""What a command line says of a program's end: `sh -c 'sleep 5; exit 3'`, `true`, `sleep 10`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

_SHELLS: Final = frozenset({"ash", "bash", "dash", "sh"})
_PLAIN: Final = frozenset({"echo", "exit", "false", "printf", "sleep", "true"})
_SLEEP: Final = re.compile(r"\bsleep\s+(\d{1,6}(?:\.\d+)?)")
_EXIT: Final = re.compile(r"\bexit\s+(\d{1,3})\b")
_AT_ONCE_SECONDS: Final = 0.4
_WORKS_SECONDS: Final = 3.0


def ending(command: Sequence[str], *, runs_once: bool) -> dict[str, Any]:
    """Return when a program ends, and how; nothing for one that goes on.

    `runs_once` is a pod that is not to be restarted for ever: its program comes to an end.
    """
    first = command[0].rpartition("/")[2] if command else ""
    text = " ".join(command)
    reads = first in _SHELLS or first in _PLAIN
    slept = sum(float(one) for one in _SLEEP.findall(text)) if reads else 0.0
    code = _EXIT.search(text) if reads else None
    if code is not None or first in _PLAIN or (reads and first in _SHELLS and runs_once):
        failed = first == "false" or text.rstrip("' ").endswith("; false")
        status = int(code[1]) % 256 if code else int(failed)
        return {"exits_after": _AT_ONCE_SECONDS + slept, "exit_code": status}
    return {"exits_after": _WORKS_SECONDS, "exit_code": 0} if runs_once else {}
