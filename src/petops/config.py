"""Settings: frozen, read once, from a file and from variables.

No other module reads the environment.

Each field's metadata names the variables that set it, the last one that is set winning over the
file.
"""

from __future__ import annotations

import difflib
import os
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from petops.errors import UsageError


def _set(default: Any, *variables: str, about: str, secret: bool = False) -> Any:
    metadata = {"variables": variables, "about": about, "secret": secret}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSettings:
    """Which cluster petops is connected to."""

    name: str = _set(
        "", "PETOPS_CLUSTER_NAME", about="EKS cluster name; empty: what the kubeconfig says"
    )
    account: str = _set("", "PETOPS_CLUSTER_ACCOUNT", about="AWS account of the cluster")
    region: str = _set("", "AWS_REGION", "PETOPS_CLUSTER_REGION", about="AWS region of the cluster")
    kubeconfig: str = _set("", "KUBECONFIG", about="kubeconfig; empty: in the cluster, or ~/.kube")
    context: str = _set("", "PETOPS_CONTEXT", about="kubeconfig context; empty: the current one")


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalSettings:
    """Where incidents are kept."""

    path: str = _set("", "PETOPS_JOURNAL", about="journal file; empty: the user's state folder")


@dataclass(frozen=True, slots=True, kw_only=True)
class PrometheusSettings:
    """Where metrics come from, by way of an MCP server."""

    url: str = _set("", "PROMETHEUS_URL", "PETOPS_PROMETHEUS_URL", about="Prometheus' address")
    token: str = _set("", "PETOPS_PROMETHEUS_TOKEN", about="bearer token", secret=True)
    user: str = _set("", "PETOPS_PROMETHEUS_USER", about="user, for basic authentication")
    password: str = _set(
        "", "PETOPS_PROMETHEUS_PASSWORD", about="password of that user", secret=True
    )
    headers: tuple[str, ...] = _set(
        (), "PETOPS_PROMETHEUS_HEADERS", about="further headers, as X-Scope-OrgID: tenant"
    )
    sigv4_region: str = _set(
        "",
        "PETOPS_PROMETHEUS_SIGV4_REGION",
        about="region to sign requests for; Amazon's own addresses need no setting",
    )
    mcp_command: str = _set(
        "", "PETOPS_MCP_COMMAND", about="MCP server over stdio; empty: petops' own, built in"
    )
    mcp_url: str = _set("", "PETOPS_MCP_URL", about="MCP server over HTTP, in its place")
    mcp_token: str = _set("", "PETOPS_MCP_TOKEN", about="that server's token", secret=True)
    timeout_seconds: float = _set(
        10.0, "PETOPS_PROMETHEUS_TIMEOUT_SECONDS", about="longest wait for one answer"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmSettings:
    """Where alarms come from, and what they are about."""

    sqs_queue_url: str = _set("", "PETOPS_SQS_QUEUE_URL", about="queue of EventBridge events")
    dead_letter_url: str = _set(
        "", "PETOPS_SQS_DEAD_LETTER_URL", about="queue for what cannot be read"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """How the engine investigates and repairs."""

    window_minutes: float = _set(180.0, "PETOPS_WINDOW_MINUTES", about="how far it looks back")
    approval_minutes: float = _set(
        30.0, "PETOPS_APPROVAL_MINUTES", about="how long a proposal stays on offer"
    )
    recovery_minutes: float = _set(
        10.0, "PETOPS_RECOVERY_MINUTES", about="how long a change may take to help"
    )
    protected_namespaces: tuple[str, ...] = _set(
        ("kube-system", "kube-public"),
        "PETOPS_PROTECTED_NAMESPACES",
        about="namespaces where nothing is changed",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairSettings:
    """What petops may change, and what it asks nobody for."""

    mode: str = _set(
        "act", "PETOPS_MODE", about="act, or observe: nothing is changed, and all is recorded"
    )
    auto_namespaces: tuple[str, ...] = _set(
        (), "PETOPS_AUTO_NAMESPACES", about="where green changes are approved by policy"
    )
    take_back_namespaces: tuple[str, ...] = _set(
        (), "PETOPS_TAKE_BACK_NAMESPACES", about="where what did not help is taken back unasked"
    )
    break_glass: bool = _set(
        True, "PETOPS_BREAK_GLASS", about="whether one may approve alone what needs two"
    )
    acts_an_hour: int = _set(6, "PETOPS_ACTS_AN_HOUR", about="most changes an hour, in all")
    acts_an_hour_on_one: int = _set(
        3, "PETOPS_ACTS_AN_HOUR_ON_ONE", about="most changes an hour to one workload or node"
    )
    gitops_allowed: tuple[str, ...] = _set(
        (), "PETOPS_GITOPS_ALLOWED", about="owners whose objects are changed all the same: Helm"
    )
    drain_empty_dir: bool = _set(
        False, "PETOPS_DRAIN_EMPTY_DIR", about="whether a drain may lose what is in an emptyDir"
    )
    drain_minutes: float = _set(15.0, "PETOPS_DRAIN_MINUTES", about="how long a drain may take")


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonSettings:
    """How the headless engine serves."""

    host: str = _set("127.0.0.1", "PETOPS_DAEMON_HOST", about="address to serve on")
    port: int = _set(8080, "PETOPS_DAEMON_PORT", about="port to serve on; 0: any free one")
    token: str = _set(
        "", "PETOPS_TOKEN", about="bearer token of the API; empty: made at start", secret=True
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that can be set, with the rules of an organisation as they stand in the file."""

    cluster: ClusterSettings = field(default_factory=ClusterSettings)
    journal: JournalSettings = field(default_factory=JournalSettings)
    prometheus: PrometheusSettings = field(default_factory=PrometheusSettings)
    alarms: AlarmSettings = field(default_factory=AlarmSettings)
    engine: EngineSettings = field(default_factory=EngineSettings)
    repair: RepairSettings = field(default_factory=RepairSettings)
    daemon: DaemonSettings = field(default_factory=DaemonSettings)
    mapping: tuple[Mapping[str, Any], ...] = ()
    assessment: tuple[Mapping[str, Any], ...] = ()
    approval: tuple[Mapping[str, Any], ...] = ()
    person: tuple[Mapping[str, Any], ...] = ()
    freeze: tuple[Mapping[str, Any], ...] = ()

    @property
    def journal_path(self) -> Path:
        """The journal's file."""
        return Path(self.journal.path) if self.journal.path else state_folder() / "journal.db"

    @property
    def socket_path(self) -> Path:
        """The Unix socket on which whoever holds the journal serves."""
        return self.journal_path.with_suffix(".sock")


_SECTIONS = ("cluster", "journal", "prometheus", "alarms", "engine", "repair", "daemon")
_RULES = ("mapping", "assessment", "approval", "person", "freeze")


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


def state_folder() -> Path:
    """Return the folder where petops keeps what it must not lose."""
    return _platform_folder("XDG_STATE_HOME", ".local/state")


def config_folder() -> Path:
    """Return the folder where a user's petops.toml stands."""
    return _platform_folder("XDG_CONFIG_HOME", ".config")


def _platform_folder(variable: str, below_home: str) -> Path:
    chosen = os.environ.get(variable, "")
    if chosen:
        return Path(chosen) / "petops"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "petops"
    return Path.home() / below_home / "petops"


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
