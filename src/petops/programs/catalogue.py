"""What petops knows: failure modes, remedies and runbooks, its own and the organisation's."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from petops import knowledge
from petops.config import Settings
from petops.config.environment import settings_from
from petops.domain.runbook import Runbook
from petops.errors import UsageError
from petops.knowledge import Knowledge
from petops.knowledge.opening import strange_tables
from petops.playbooks import MODES
from petops.playbooks.base import FailureMode
from petops.remedies import REMEDIES

OURS = "petops"


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """One failure mode as the catalogue lists it."""

    name: str
    title: str
    origin: str
    runbooks: tuple[str, ...]
    steps: tuple[tuple[str, str], ...]
    """Name and question of each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownRemedy:
    """One remedy as the catalogue lists it."""

    name: str
    risk: str
    origin: str


def own_knowledge(config: Path | None, folder: Path | None = None) -> Knowledge:
    """Return what packages and the folder bring: the given one, else the one in the settings."""
    settings = settings_from(config).settings
    chosen = settings.knowledge
    if folder is not None and not folder.is_dir():
        raise UsageError(f"there is no folder {folder}")
    own = knowledge.loaded(str(folder or chosen.folder), packages=chosen.packages)
    strange = strange_tables((str(one.get("name", "")) for one in settings.source), own.sources)
    return replace(own, troubles=(*own.troubles, *strange))


def every_mode(own: Knowledge) -> tuple[FailureMode, ...]:
    """Return every failure mode, petops' own first."""
    return (*MODES.values(), *own.modes.values())


def known_modes(settings: Settings) -> tuple[FailureMode, ...]:
    """Return every failure mode that there is with these settings."""
    chosen = settings.knowledge
    return every_mode(knowledge.loaded(chosen.folder, packages=chosen.packages))


def failure_modes(own: Knowledge) -> tuple[Known, ...]:
    """Return every failure mode, petops' own first."""
    return tuple(
        Known(
            name=mode.name,
            title=mode.title,
            origin=own.origins[mode.name] if mode.name in own.modes else OURS,
            runbooks=tuple(one.name for one in own.runbooks if mode.name in one.modes),
            steps=tuple((one.name, one.question) for one in mode.steps),
        )
        for mode in every_mode(own)
    )


def mode_named(name: str, found: Sequence[Known]) -> Known:
    """Return a failure mode by its name."""
    for one in found:
        if one.name == name:
            return one
    near = difflib.get_close_matches(name, [one.name for one in found], n=1)
    hint = f"did you mean {near[0]}?" if near else "`petops modes` lists them"
    raise UsageError(f"there is no failure mode {name[:80]!r}", hint=hint)


def known_remedies(own: Knowledge) -> tuple[KnownRemedy, ...]:
    """Return every remedy, petops' own first."""
    return tuple(
        KnownRemedy(
            name=one.name,
            risk=str(one.risk),
            origin=own.origins[one.name] if one.name in own.remedies else OURS,
        )
        for one in (*REMEDIES.values(), *own.remedies.values())
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
