"""Become another program that dies with the process that started this one.

Run as a script, with that process' id and the program's command line: it imports nothing of petops,
costs some milliseconds and no memory. Linux kills the program when its parent is gone, however that
went; where there is no such call, the next `petops lab up` ends what is left.
"""

from __future__ import annotations

import os
import sys

PR_SET_PDEATHSIG = 1
SIGKILL = 9


def main(parent: int, command: list[str]) -> None:
    """Tie this process to `parent`, then become `command`."""
    if sys.platform == "linux":
        import ctypes  # noqa: PLC0415 - only Linux has the call

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, SIGKILL)
    if os.getppid() != parent:  # it was gone before it could be tied
        sys.exit(1)
    os.execvp(command[0], command)  # noqa: S606 - the lab gives the command line, no shell is meant


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
