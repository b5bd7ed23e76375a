"""Finds an organisation's own knowledge: in installed packages, and in a folder."""

from __future__ import annotations

import importlib.util
import os
import stat
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import EntryPoint, EntryPoints, PackageNotFoundError, entry_points
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from petops.domain.runbook import Runbook
from petops.errors import UsageError
from petops.knowledge.base import Knowledge, OwnSource
from petops.knowledge.guarding import FAILURES, guarded, guarded_remedy
from petops.knowledge.pages import parsed
from petops.knowledge.sense import flaw
from petops.playbooks import MODES
from petops.playbooks.base import FailureMode, Step
from petops.remedies import REMEDIES
from petops.remedies.base import Remedy

MODES_GROUP: Final = "petops.failure_modes"
REMEDIES_GROUP: Final = "petops.remedies"
SOURCES_GROUP: Final = "petops.sources"
RUNBOOKS_GROUP: Final = "petops.runbooks"
MOST_FILES: Final = 500
MOST_BYTES: Final = 256 * 1024
"""What of a page is read at most: over MOST_CHARACTERS of any text, and its front matter."""
_NOT_A_RUNBOOK: Final = "README.md"
_DECLARED: Final = ("MODE", "REMEDY", "SOURCE", "MODES", "REMEDIES", "SOURCES")


@dataclass(slots=True)
class _Found:
    """What has been collected so far."""

    modes: dict[str, FailureMode] = field(default_factory=dict)
    remedies: dict[str, Remedy] = field(default_factory=dict)
    sources: dict[str, OwnSource] = field(default_factory=dict)
    runbooks: dict[str, Runbook] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    steps: dict[str, Step[Any]] = field(default_factory=dict)
    troubles: list[str] = field(default_factory=list)

    def take(self, thing: object, origin: str) -> None:
        """Keep one thing that was found; it must make sense, and its name must be free."""
        if not isinstance(thing, Runbook) and (wrong := flaw(thing)):
            self.troubles.append(f"{origin}: {wrong}")
            return
        match thing:
            case FailureMode(name=name):
                if clash := self._clash(thing):
                    self.troubles.append(f"{origin}: {clash}")
                    return
                self._keep(self.modes, name, thing, origin, is_ours=name in MODES)
            case Remedy(name=name):
                self._keep(self.remedies, name, thing, origin, is_ours=name in REMEDIES)
            case OwnSource(name=name):
                self._keep(self.sources, name, thing, origin)
            case Runbook(name=name):
                self._keep(self.runbooks, name, thing, origin)

    def _clash(self, mode: FailureMode) -> str:
        """Say which of its steps has the name of another; each name is asked once."""
        for one in (*mode.steps, *mode.watch_steps):
            if self.steps.setdefault(one.name, one) is not one:
                return f"there is another step {one.name}; give yours another name"
        return ""

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
            whose = "petops" if is_ours else self._whose(shelf[name])
            self.troubles.append(f"{origin}: {whose} has a {name} already; give yours another name")
            return
        shelf[name] = thing
        if not isinstance(thing, Runbook):  # a page may be called like a failure mode
            self.origins[name] = origin

    def _whose(self, thing: Any) -> str:
        return thing.origin if isinstance(thing, Runbook) else self.origins[thing.name]


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
        remedies={name: guarded_remedy(one) for name, one in found.remedies.items()},
        sources=found.sources,
        runbooks=tuple(found.runbooks.values()),
        origins=found.origins,
        troubles=tuple(found.troubles),
    )


def _from_packages(found: _Found) -> None:
    installed = _tried(entry_points, "what is installed", found) or EntryPoints()
    for group in (MODES_GROUP, REMEDIES_GROUP, SOURCES_GROUP):
        for package, entry in _entries(installed.select(group=group)):
            thing = _tried(entry.load, f"package {package}, {entry.name}", found)
            if thing is not None:
                found.take(thing, f"package {package}")
    for package, entry in _entries(installed.select(group=RUNBOOKS_GROUP)):
        pages = _tried(partial(_packaged, entry.value), f"package {package}, {entry.name}", found)
        for page in pages or ():
            origin = f"package {package}, {page.name}"
            text = _tried(partial(_read, page), origin, found)
            if text is not None:
                _take_page(text, page.name.removesuffix(".md"), origin, found)


def _entries(every: EntryPoints) -> list[tuple[str, EntryPoint]]:
    """Return what installed packages name, with the package's name, in order."""
    named = [(one.dist.name if one.dist else one.module, one) for one in every]
    return sorted(named, key=lambda it: (it[1].name, str(it[0])))


def _packaged(module: str) -> list[Traversable]:
    """Return each Markdown file that a package carries."""
    pages = [
        one
        for one in sorted(files(module).iterdir(), key=lambda it: it.name)
        if one.name.endswith(".md") and one.name != _NOT_A_RUNBOOK and one.is_file()
    ]
    if not pages:
        raise LookupError(f"{module} carries no Markdown file; is it among the package's data?")
    return pages[:MOST_FILES]


def _from_folder(folder: Path, found: _Found) -> None:
    if not folder.is_dir():
        found.troubles.append(f"there is no folder {folder} (settings: knowledge.folder)")
        return
    every = sorted(
        one for one in (*folder.glob("*.py"), *folder.glob("**/*.md")) if _is_shown(one, folder)
    )
    if len(every) > MOST_FILES:
        found.troubles.append(f"{folder} has {len(every)} files; the first {MOST_FILES} are read")
    for file in every[:MOST_FILES]:
        if why := _no_file_of(folder, file):
            found.troubles.append(f"{file} is not read: {why}")
        elif file.suffix == ".md":
            text = _tried(partial(_read, file), str(file), found)
            if text is not None:
                _take_page(text, file.stem, str(file), found)
        elif _others_may_write(file) or _others_may_write(folder):
            found.troubles.append(
                f"{file} is not run: everybody may write to it or its folder; chmod o-w"
            )
        else:
            module = _tried(partial(_run, file), str(file), found)
            if module is not None:
                _take_declared(module, str(file), found)


def _is_shown(file: Path, folder: Path) -> bool:
    """Leave out hidden files and folders: a mounted ConfigMap keeps its files in one as well."""
    parts = file.relative_to(folder).parts
    return file.name != _NOT_A_RUNBOOK and not any(one.startswith((".", "__")) for one in parts)


def _no_file_of(folder: Path, file: Path) -> str:
    """Say why this is no file of the folder's own; links within it are."""
    try:
        real = file.resolve(strict=True)
        is_file = real.is_file()
    except (OSError, RuntimeError) as exc:  # RuntimeError: a circle of links
        return f"{type(exc).__name__}: a link that leads nowhere"
    if not is_file:
        return "it is no regular file"
    if not real.is_relative_to(folder.resolve()):
        return "it is a link out of the folder; copy the file"
    return ""


def _read(file: Traversable) -> str:
    with file.open("rb") as opened:
        read = opened.read(MOST_BYTES + 1)
    if len(read) > MOST_BYTES:
        raise ValueError(f"it is over {MOST_BYTES // 1024} KiB; link to the long version")
    return bytes(read).decode("utf-8")


def _others_may_write(path: Path) -> bool:
    """Say whether everybody may write; on what is mounted read-only (a ConfigMap) nobody may."""
    if os.statvfs(path).f_flag & os.ST_RDONLY:
        return False
    return bool(path.stat().st_mode & stat.S_IWOTH)


def _run(file: Path) -> ModuleType:
    """Run a file of the folder as a module of its own."""
    name = f"petops_own_{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file.name} is no Python module")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickles look their module up there
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _take_declared(module: ModuleType, origin: str, found: _Found) -> None:
    """Keep what a module declares: MODE, REMEDY, SOURCE, or lists of them."""
    things: list[object] = []
    for name in _DECLARED:
        given = getattr(module, name, None)
        if given is MODES or given is REMEDIES:  # petops' own, imported by its name
            continue
        things += given if isinstance(given, list | tuple) else [] if given is None else [given]
    if not things:
        found.troubles.append(f"{origin} declares nothing; name it MODE, REMEDY or SOURCE")
    for thing in things:
        found.take(thing, origin)


def _take_page(text: str, name: str, origin: str, found: _Found) -> None:
    try:
        found.take(parsed(text, name=name, origin=origin), origin)
    except UsageError as exc:
        found.troubles.append(f"{exc.message}; {exc.hint}" if exc.hint else exc.message)


def _tried(make: Callable[[], Any], origin: str, found: _Found) -> Any:
    """Return what `make` returns; what it raises becomes trouble: it is the code of others."""
    try:
        return make()
    except FAILURES as exc:
        said = " ".join(f"{type(exc).__name__}: {exc}".split())[:300]
        found.troubles.append(f"{origin} cannot be loaded: {said}; {_lift(exc)}")
        return None


def _lift(exc: BaseException) -> str:
    """Return what to do about it."""
    match exc:
        case ModuleNotFoundError() | PackageNotFoundError():
            return "install what it needs, or uninstall it"
        case UnicodeDecodeError():
            return "save it as UTF-8"
        case OSError():
            return "let petops' user read it"
        case SystemExit():
            return "let it not end the process"
    return "correct it; all else works without it"
