"""What the engine was given to work with: the world's ports, the catalogues, and the rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from petops.domain.alarm import Alarm, Assessment, Category
from petops.domain.evidence import Window
from petops.domain.incident import Incident
from petops.domain.policy import Rules
from petops.domain.runbook import Runbook
from petops.domain.subject import Kind, Subject
from petops.engine.absent import absent_mode, absent_remedy
from petops.engine.allowance import Allowance, MeteredLogs, MeteredMetrics, MeteredTraces, Spent
from petops.engine.grouping import Grouping
from petops.engine.investigation import Ports
from petops.playbooks import MODES
from petops.playbooks.base import Case, FailureMode
from petops.ports import (
    NO_CLOUD,
    NO_LOGS,
    NO_TRACES,
    Actuator,
    Clock,
    Cloud,
    Cluster,
    Logs,
    Metrics,
    Site,
    Traces,
)
from petops.ports.topology import TopologySource
from petops.remedies import REMEDIES
from petops.remedies.base import Remedy


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Everything outside the engine that it may use.

    `new_id` returns an id never returned before.
    """

    clock: Clock
    cluster: Cluster
    metrics: Metrics
    actuator: Actuator
    site: Site
    assess: Callable[[Alarm], Assessment]
    new_id: Callable[[], str]
    traces: Traces = NO_TRACES
    logs: Logs = NO_LOGS
    cloud: Cloud = NO_CLOUD
    allowance: Allowance = field(default_factory=Allowance)
    rules: Rules = field(default_factory=Rules)
    modes: Mapping[str, FailureMode] = field(default_factory=lambda: MODES)
    remedies: Mapping[str, Remedy] = field(default_factory=lambda: REMEDIES)
    runbooks: tuple[Runbook, ...] = ()
    own_sources: Mapping[str, object] = field(default_factory=dict)
    topology: TopologySource | None = None
    grouping: Grouping = field(default_factory=Grouping)
    investigations_at_once: int = 50

    def mode(self, name: str) -> FailureMode:
        """Return the failure mode of this name, or one that says that it is gone."""
        return self.modes.get(name) or absent_mode(name)

    def remedy(self, name: str) -> Remedy:
        """Return the remedy of this name, or one that says that it is gone."""
        return self.remedies.get(name) or absent_remedy(name)

    @property
    def ports(self) -> Ports:
        """All that steps may ask, without a limit."""
        return Ports(
            metrics=self.metrics,
            cluster=self.cluster,
            traces=self.traces,
            logs=self.logs,
            cloud=self.cloud,
            own=self.own_sources,
        )

    def metered(self) -> Ports:
        """Return all that the steps of one investigation may ask, within its allowance."""
        spent = Spent(self.allowance)
        return Ports(
            metrics=MeteredMetrics(self.metrics, spent),
            cluster=self.cluster,
            traces=MeteredTraces(self.traces, spent),
            logs=MeteredLogs(self.logs, spent),
            cloud=self.cloud,
            own=self.own_sources,
        )


def case_of(incident: Incident, window: Window, subject: Subject | None = None) -> Case:
    """Return what is investigated: what is thought to be the cause, else the alarm's object.

    Or `subject`. What fails below the alarm's object has a symptom of its own kind.
    """
    assessment = incident.assessment
    if incident.origin is not None:
        is_node = incident.origin.kind is Kind.NODE
        category = Category.NODE if is_node else Category.AVAILABILITY
        assessment = replace(assessment, category=category)
    return Case(
        alarm=incident.alarm,
        assessment=assessment,
        subject=subject or incident.origin or incident.alarm.subject,
        window=window,
    )
