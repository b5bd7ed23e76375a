"""What the engine was given to work with: the world's ports, the catalogues, and the rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from petops.domain.alarm import Alarm, Assessment
from petops.domain.evidence import Window
from petops.domain.incident import Incident
from petops.domain.policy import Rules
from petops.domain.runbook import Runbook
from petops.domain.subject import Subject
from petops.playbooks import MODES
from petops.playbooks.base import Case, FailureMode
from petops.ports import Actuator, Clock, Cluster, Metrics, Site
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
    rules: Rules = field(default_factory=Rules)
    modes: Mapping[str, FailureMode] = field(default_factory=lambda: MODES)
    remedies: Mapping[str, Remedy] = field(default_factory=lambda: REMEDIES)
    runbooks: tuple[Runbook, ...] = ()
    own_sources: Mapping[str, object] = field(default_factory=dict)


def case_of(incident: Incident, window: Window, subject: Subject | None = None) -> Case:
    """Return what is investigated, about the alarm's object or about `subject`."""
    return Case(
        alarm=incident.alarm,
        assessment=incident.assessment,
        subject=subject or incident.alarm.subject,
        window=window,
    )
