"""Every setting, by section.

Each field's metadata names the variables that set it, the last one that is set winning over the
file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from petops.config.described import described as _set
from petops.config.folders import state_folder
from petops.config.mirrors import GrafanaSettings, NotifySettings, SlackSettings


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
    environment: str = _set(
        "",
        "PETOPS_CLUSTER_ENVIRONMENT",
        about="production, staging or development: what the cluster is for; empty: not known",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalSettings:
    """Where incidents are kept."""

    path: str = _set("", "PETOPS_JOURNAL", about="journal file; empty: the user's state folder")
    url: str = _set(
        "", "PETOPS_JOURNAL_URL", about="PostgreSQL that replicas share, in its place", secret=True
    )
    retention_days: float = _set(
        0.0, "PETOPS_RETENTION_DAYS", about="how long what is over is kept; 0: for good"
    )


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
    max_series: int = _set(
        2_000, "PETOPS_PROMETHEUS_MAX_SERIES", about="most series in one answer of petops mcp"
    )
    max_samples: int = _set(
        200_000, "PETOPS_PROMETHEUS_MAX_SAMPLES", about="most samples in one answer of petops mcp"
    )
    concurrent_queries: int = _set(
        64, "PETOPS_PROMETHEUS_CONCURRENT_QUERIES", about="most queries at once from petops mcp"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmSettings:
    """Where alarms come from, and what they are about."""

    sqs_queue_url: str = _set("", "PETOPS_SQS_QUEUE_URL", about="queue of EventBridge events")
    dead_letter_url: str = _set(
        "", "PETOPS_SQS_DEAD_LETTER_URL", about="queue for what cannot be read"
    )
    forecast_minutes: float = _set(
        10.0, "PETOPS_FORECAST_MINUTES", about="how often the daemon looks ahead; 0: never"
    )
    forecast_hours: float = _set(
        4.0, "PETOPS_FORECAST_HOURS", about="how far: memory limits, volumes that fill"
    )
    grouping: bool = _set(
        True, "PETOPS_GROUPING", about="whether alarms that one cause explains share an incident"
    )
    grouping_minutes: float = _set(
        15.0, "PETOPS_GROUPING_MINUTES", about="how far apart such alarms may be"
    )
    hold_seconds: float = _set(
        4.0, "PETOPS_HOLD_SECONDS", about="longest wait of an alarm in a storm for its cause"
    )
    flaps_after: int = _set(
        3, "PETOPS_FLAPS_AFTER", about="times within an hour after which an alarm is flapping"
    )
    quiet_minutes: float = _set(
        10.0, "PETOPS_QUIET_MINUTES", about="how long what flapped must be quiet to be over"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsSettings:
    """Whether X-Ray, CloudWatch Logs and CloudWatch metrics are asked."""

    telemetry: str = _set(
        "auto",
        "PETOPS_AWS_TELEMETRY",
        about="on, off, or auto: where a region and credentials are set",
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
    investigations_at_once: int = _set(
        50, "PETOPS_INVESTIGATIONS_AT_ONCE", about="most incidents that are investigated at once"
    )
    protected_namespaces: tuple[str, ...] = _set(
        ("kube-system", "kube-public"),
        "PETOPS_PROTECTED_NAMESPACES",
        about="namespaces where nothing is changed",
    )
    most_samples: int = _set(
        2_000_000, "PETOPS_MOST_SAMPLES", about="most samples that one investigation reads"
    )
    most_log_bytes: int = _set(
        4 * 1024 * 1024, "PETOPS_MOST_LOG_BYTES", about="most bytes of logs that it reads"
    )
    most_traces: int = _set(200, "PETOPS_MOST_TRACES", about="most whole traces that it reads")


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
class KnowledgeSettings:
    """Where an organisation's own failure modes, sources and runbooks come from."""

    folder: str = _set(
        "", "PETOPS_KNOWLEDGE_FOLDER", about="folder of *.py and *.md; its Python is run"
    )
    packages: bool = _set(
        True, "PETOPS_KNOWLEDGE_PACKAGES", about="whether installed packages may add to petops"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonSettings:
    """How the headless engine serves."""

    host: str = _set("127.0.0.1", "PETOPS_DAEMON_HOST", about="address to serve on")
    port: int = _set(8080, "PETOPS_DAEMON_PORT", about="port to serve on; 0: any free one")
    token: str = _set(
        "", "PETOPS_TOKEN", about="bearer token of the API; empty: made at start", secret=True
    )
    attach: str = _set(
        "",
        "PETOPS_ATTACH",
        about="engine that commands use: a URL, or kubernetes; empty: here",
    )
    token_review: bool = _set(
        False, "PETOPS_TOKEN_REVIEW", about="whether tokens of Kubernetes are taken, by TokenReview"
    )
    audience: str = _set(
        "", "PETOPS_TOKEN_AUDIENCE", about="audience that such a token must be for; empty: any"
    )
    requests_a_minute: int = _set(
        600, "PETOPS_REQUESTS_A_MINUTE", about="most requests of one user a minute, alarms apart"
    )
    lease: str = _set(
        "", "PETOPS_LEASE", about="Lease of the leading replica, NAMESPACE/NAME; empty: it is alone"
    )
    replica: str = _set("", "PETOPS_REPLICA", about="name of this replica; empty: its host's")
    advertise: str = _set(
        "", "PETOPS_ADVERTISE", about="where the other replicas reach this one, as http://IP:8080"
    )
    streams_each: int = _set(20, "PETOPS_STREAMS_EACH", about="most event streams of one user")
    public_url: str = _set(
        "", "PETOPS_PUBLIC_URL", about="where people reach the daemon, for links to incidents"
    )
    otlp_endpoint: str = _set(
        "",
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        about="OpenTelemetry collector that gets each incident as a trace, by OTLP over HTTP",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that can be set, with the rules of an organisation as they stand in the file."""

    cluster: ClusterSettings = field(default_factory=ClusterSettings)
    journal: JournalSettings = field(default_factory=JournalSettings)
    prometheus: PrometheusSettings = field(default_factory=PrometheusSettings)
    alarms: AlarmSettings = field(default_factory=AlarmSettings)
    aws: AwsSettings = field(default_factory=AwsSettings)
    engine: EngineSettings = field(default_factory=EngineSettings)
    repair: RepairSettings = field(default_factory=RepairSettings)
    knowledge: KnowledgeSettings = field(default_factory=KnowledgeSettings)
    daemon: DaemonSettings = field(default_factory=DaemonSettings)
    slack: SlackSettings = field(default_factory=SlackSettings)
    grafana: GrafanaSettings = field(default_factory=GrafanaSettings)
    notify: NotifySettings = field(default_factory=NotifySettings)
    mapping: tuple[Mapping[str, Any], ...] = ()
    assessment: tuple[Mapping[str, Any], ...] = ()
    approval: tuple[Mapping[str, Any], ...] = ()
    person: tuple[Mapping[str, Any], ...] = ()
    freeze: tuple[Mapping[str, Any], ...] = ()
    source: tuple[Mapping[str, Any], ...] = ()
    hours: tuple[Mapping[str, Any], ...] = ()
    token: tuple[Mapping[str, Any], ...] = ()
    access: tuple[Mapping[str, Any], ...] = ()
    slack_route: tuple[Mapping[str, Any], ...] = ()
    grafana_link: tuple[Mapping[str, Any], ...] = ()
    mask: tuple[Mapping[str, Any], ...] = ()

    @property
    def journal_path(self) -> Path:
        """The journal's file."""
        return Path(self.journal.path) if self.journal.path else state_folder() / "journal.db"

    @property
    def journal_place(self) -> str:
        """Where the journal is, for people to read."""
        return "PostgreSQL" if self.journal.url else str(self.journal_path)

    @property
    def socket_path(self) -> Path:
        """The Unix socket on which whoever holds the journal serves."""
        return self.journal_path.with_suffix(".sock")
