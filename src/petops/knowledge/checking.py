"""Whether runbooks speak of things that there are."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Final

from petops.domain.runbook import Runbook
from petops.playbooks.base import FailureMode
from petops.remedies.base import Remedy

_LISTED: Final = {
    "failure mode": "`petops modes` lists them",
    "step": "`petops modes NAME` lists a failure mode's",
    "remedy": "`petops modes --remedies` lists them",
}


def problems(
    runbook: Runbook, modes: Mapping[str, FailureMode], remedies: Mapping[str, Remedy]
) -> tuple[str, ...]:
    """Return what a runbook names and the catalogues do not have."""
    steps = {step.name for mode in modes.values() for step in mode.steps}
    return (
        *_unknown(runbook.modes, modes, "failure mode"),
        *_unknown(runbook.steps, steps, "step"),
        *_unknown(runbook.remedies, remedies, "remedy"),
    )


def _unknown(named: Iterable[str], known: Iterable[str], what: str) -> list[str]:
    every = list(known)
    found = []
    for name in named:
        if name not in every:
            near = difflib.get_close_matches(name, every, n=1)
            meant = f"did you mean {near[0]}?" if near else _LISTED[what]
            found.append(f"there is no {what} {name[:80]!r}; {meant}")
    return found
