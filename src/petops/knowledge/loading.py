"""Finds an organisation's own knowledge: in installed packages, and in a folder."""

from __future__ import annotations

import importlib.util
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import entry_points
from importlib.resources import files
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from petops.domain.runbook import Runbook
from petops.errors import UsageError
from petops.knowledge.base import Knowledge, OwnSource
from petops.knowledge.guarding import guarded
from petops.knowledge.pages import parsed
from petops.playbooks import MODES
from petops.playbooks.base import FailureMode
from petops.remedies import REMEDIES
from petops.remedies.base import Remedy

MODES_GROUP: Final = "petops.failure_modes"
REMEDIES_GROUP: Final = "petops.remedies"
SOURCES_GROUP: Final = "petops.sources"
RUNBOOKS_GROUP: Final = "petops.runbooks"
MOST_FILES: Final = 500
_NOT_A_RUNBOOK: Final = "README.md"


@dataclass(slots=True)
class _Found:
    """What has been collected so far."""

    modes: dict[str, FailureMode] = field(default_factory=dict)
    remedies: dict[str, Remedy] = field(default_factory=dict)
    sources: dict[str, OwnSource] = field(default_factory=dict)
    runbooks: dict[str, Runbook] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    troubles: list[str] = field(default_factory=list)

    def take(self, thing: object, origin: str) -> None:
        """Keep one thing that was found; its name must be free."""
        match thing:
            case FailureMode(name=name):
                self._keep(self.modes, name, thing, origin, is_ours=name in MODES)
            case Remedy(name=name):
                self._keep(self.remedies, name, thing, origin, is_ours=name in REMEDIES)
            case OwnSource(name=name):
                self._keep(self.sources, name, thing, origin)
            case Runbook(name=name):
                self._keep(self.runbooks, name, thing, origin)
            case _:
                kind = type(thing).__name__
                self.troubles.append(f"{origin}: a {kind} is no failure mode, remedy or source")

    def _keep(
        self,
        shelf: dict[str, Any],
        name: str,
        thing: object,
        origin: str,
        *,
        is_ours: bool = False,
    ) -> None:
        if is_ours or name in shelf:
            whose = "petops has" if is_ours else f"{self.origins.get(name, 'another')} has"
            self.troubles.append(f"{origin}: {whose} a {name} already")
            return
        shelf[name] = thing
        self.origins[name] = origin


def loaded(folder: str = "", *, packages: bool = True) -> Knowledge:
    """Return what installed packages and the folder bring. Never raises: trouble is a sentence."""
    found = _Found()
    if packages:
        _from_packages(found)
    if folder:
        _from_folder(Path(folder).expanduser(), found)
    remedies = {**REMEDIES, **found.remedies}
    return Knowledge(
        modes={name: guarded(mode, remedies.__contains__) for name, mode in found.modes.items()},
        remedies=found.remedies,
        sources=found.sources,
        runbooks=tuple(found.runbooks.values()),
        origins=found.origins,
        troubles=tuple(found.troubles),
    )


def _from_packages(found: _Found) -> None:
    for group in (MODES_GROUP, REMEDIES_GROUP, SOURCES_GROUP):
        for entry in sorted(entry_points(group=group), key=lambda one: one.name):
            package = entry.dist.name if entry.dist else entry.module
            thing = _tried(entry.load, f"package {package}, {entry.name}", found)
            if thing is not None:
                found.take(thing, f"package {package}")
    for entry in sorted(entry_points(group=RUNBOOKS_GROUP), key=lambda one: one.name):
        package = entry.dist.name if entry.dist else entry.module
        pages = _tried(partial(_packaged, entry.value), f"package {package}", found)
        for name, text in pages or ():
            _take_page(text, name, f"package {package}, {name}.md", found)


def _packaged(module: str) -> list[tuple[str, str]]:
    """Return the name and text of each Markdown file that a package carries."""
    return [
        (one.name.removesuffix(".md"), one.read_text(encoding="utf-8"))
        for one in sorted(files(module).iterdir(), key=lambda it: it.name)
        if one.name.endswith(".md") and one.name != _NOT_A_RUNBOOK
    ]


def _from_folder(folder: Path, found: _Found) -> None:
    if not folder.is_dir():
        found.troubles.append(f"there is no folder {folder} (settings: knowledge.folder)")
        return
    every = sorted((*folder.glob("*.py"), *folder.glob("**/*.md")))
    if len(every) > MOST_FILES:
        found.troubles.append(f"{folder} has {len(every)} files; the first {MOST_FILES} are read")
    for file in every[:MOST_FILES]:
        if file.name == _NOT_A_RUNBOOK:
            continue
        if file.suffix == ".md":
            text = _tried(partial(file.read_text, encoding="utf-8"), str(file), found)
            if text is not None:
                _take_page(text, file.stem, str(file), found)
        elif _others_may_write(file) or _others_may_write(folder):
            found.troubles.append(f"{file} is not run: everybody may write to it or its folder")
        else:
            module = _tried(partial(_run, file), str(file), found)
            for thing in _declared(module) if module else ():
                found.take(thing, str(file))


def _others_may_write(path: Path) -> bool:
    return bool(path.stat().st_mode & stat.S_IWOTH)


def _run(file: Path) -> ModuleType:
    """Run a file of the folder as a module of its own."""
    spec = importlib.util.spec_from_file_location(f"petops_own_{file.stem}", file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file.name} is no Python module")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _declared(module: ModuleType) -> list[object]:
    """Return what a module declares: MODE, REMEDY, SOURCE, or lists of them."""
    things: list[object] = []
    for name in ("MODE", "REMEDY", "SOURCE", "MODES", "REMEDIES", "SOURCES"):
        given = getattr(module, name, None)
        things += given if isinstance(given, list | tuple) else [] if given is None else [given]
    return things


def _take_page(text: str, name: str, origin: str, found: _Found) -> None:
    try:
        found.take(parsed(text, name=name, origin=origin), origin)
    except UsageError as exc:
        found.troubles.append(f"{exc.message}; {exc.hint}" if exc.hint else exc.message)


def _tried(make: Callable[[], Any], origin: str, found: _Found) -> Any:
    """Return what `make` returns; what it raises becomes trouble: it is the code of others."""
    try:
        return make()
    except Exception as exc:
        found.troubles.append(f"{origin} cannot be loaded: {type(exc).__name__}: {exc}"[:300])
        return None
