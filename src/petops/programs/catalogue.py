"""What petops knows: failure modes, remedies and runbooks, its own and the organisation's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from petops import knowledge
from petops.config.environment import settings_from
from petops.domain.runbook import Runbook
from petops.errors import UsageError
from petops.knowledge import Knowledge
from petops.playbooks import MODES
from petops.remedies import REMEDIES

OURS = "petops"


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """One failure mode as the catalogue lists it."""

    name: str
    title: str
    origin: str
    runbooks: tuple[str, ...]


def own_knowledge(config: Path | None, folder: Path | None = None) -> Knowledge:
    """Return what packages and the folder bring: the given one, else the one in the settings."""
    chosen = settings_from(config).settings.knowledge
    if folder is not None and not folder.is_dir():
        raise UsageError(f"there is no folder {folder}")
    return knowledge.loaded(str(folder or chosen.folder), packages=chosen.packages)


def failure_modes(own: Knowledge) -> tuple[Known, ...]:
    """Return every failure mode, petops' own first."""
    return tuple(
        Known(
            name=mode.name,
            title=mode.title,
            origin=own.origins.get(mode.name, OURS),
            runbooks=tuple(one.name for one in own.runbooks if mode.name in one.modes),
        )
        for mode in (*MODES.values(), *own.modes.values())
    )


def problems_of(runbook: Runbook, own: Knowledge) -> tuple[str, ...]:
    """Return what a runbook names and no catalogue has."""
    return knowledge.problems(runbook, {**MODES, **own.modes}, {**REMEDIES, **own.remedies})


def named(name: str, own: Knowledge) -> Runbook:
    """Return a runbook by its name."""
    for one in own.runbooks:
        if one.name == name:
            return one
    known = ", ".join(sorted(one.name for one in own.runbooks)) or "none"
    raise UsageError(f"there is no runbook {name[:80]!r}", hint=f"known: {known}")
