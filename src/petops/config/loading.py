"""Reading the settings from a file and from variables."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from petops.config.folders import config_folder
from petops.config.sections import Settings
from petops.errors import UsageError

_SECTIONS = (
    *("cluster", "journal", "prometheus", "alarms", "aws", "engine", "repair"),
    *("knowledge", "daemon"),
    *("slack", "grafana", "notify"),
)
_RULES = (
    *("mapping", "assessment", "approval", "person", "freeze", "hours", "source"),
    *("token", "access"),
    *("slack_route", "grafana_link", "mask"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One setting for people: its name, its value (masked if secret), where it comes from."""

    name: str
    value: str
    origin: str
    about: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """The settings, and where each came from."""

    settings: Settings
    origins: Mapping[str, str]
    file: Path | None


def load(path: Path | None, environment: Mapping[str, str]) -> Loaded:
    """Read the settings; raise UsageError with one sentence for what makes no sense."""
    named = path or (Path(given) if (given := environment.get("PETOPS_CONFIG")) else None)
    file = named or config_folder() / "petops.toml"
    document = _document(file, required=named is not None)
    origins: dict[str, str] = {}
    chosen: dict[str, Any] = {name: _rules(document, name, file) for name in _RULES}
    kinds = {one.name: one.default_factory for one in fields(Settings) if one.name in _SECTIONS}
    _reject_unknown(document, {*_SECTIONS, *_RULES}, "section", file)
    for name, kind in kinds.items():
        table = document.get(name, {})
        if not isinstance(table, dict):
            raise UsageError(f"{file}: [{name}] must be a table")
        chosen[name], sources = _section(kind, name, table, environment, file=file)
        origins |= sources
    settings = Settings(**chosen)
    return Loaded(settings=settings, origins=origins, file=file if document else None)


def shown(loaded: Loaded) -> tuple[Shown, ...]:
    """Return every setting with its origin, secrets masked."""
    rows = []
    for section in _SECTIONS:
        values = getattr(loaded.settings, section)
        for one in fields(values):
            name, value = f"{section}.{one.name}", getattr(values, one.name)
            text = ", ".join(value) if isinstance(value, tuple) else str(value)
            if one.metadata["secret"] and text:
                text = "********"
            rows.append(
                Shown(
                    name=name,
                    value=text,
                    origin=loaded.origins.get(name, "default"),
                    about=one.metadata["about"],
                )
            )
    return tuple(rows)


def _document(file: Path, *, required: bool) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if not required:
            return {}
        raise UsageError(
            f"there is no settings file {file}", hint="see --config, PETOPS_CONFIG"
        ) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        raise UsageError(f"the settings file {file} cannot be read: {exc}") from exc


def _section(
    kind: Any,
    section: str,
    table: Mapping[str, Any],
    environment: Mapping[str, str],
    *,
    file: Path,
) -> tuple[Any, dict[str, str]]:
    known = {one.name: one for one in fields(kind)}
    _reject_unknown(table, set(known), f"setting in [{section}]", file)
    chosen: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for name, one in known.items():
        if name in table:
            chosen[name] = _value(table[name], one.default, f"{file}: {section}.{name}")
            origins[f"{section}.{name}"] = f"file {file}"
        for variable in one.metadata["variables"]:
            if environment.get(variable):
                chosen[name] = _value(environment[variable], one.default, variable)
                origins[f"{section}.{name}"] = f"variable {variable}"
    return kind(**chosen), origins


def _value(given: Any, default: Any, where: str) -> Any:
    """Return `given` as the type of the default."""
    try:
        if isinstance(default, tuple):
            parts = given.split(",") if isinstance(given, str) else given
            return tuple(str(part).strip() for part in parts if str(part).strip())
        if isinstance(default, bool):
            return _switch(given, where)
        if not isinstance(default, int | float):
            if isinstance(given, str):
                return given
            raise UsageError(f"{where} must be text, not {type(given).__name__}")
        return type(default)(given)
    except (TypeError, ValueError):
        raise UsageError(f"{where} must be a number, not {str(given)[:40]!r}") from None


def _switch(given: Any, where: str) -> bool:
    words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    found = words.get(str(given).casefold())
    if found is None:
        raise UsageError(f"{where} must be true or false, not {str(given)[:40]!r}")
    return found


def _rules(document: Mapping[str, Any], name: str, file: Path) -> tuple[Mapping[str, Any], ...]:
    found = document.get(name, [])
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise UsageError(f"{file}: [[{name}]] must be a list of tables")
    return tuple(found)


def _reject_unknown(given: Mapping[str, Any], known: set[str], what: str, file: Path) -> None:
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(sorted(known))}"
            raise UsageError(f"{file}: {name} is no {what}", hint=hint)
