"""Case folders, diagnosed without processes: from the alarm to the verdict."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from petops.domain.alarm import Alarm, Assessment, Category, Priority
from petops.domain.alarm_mapping import AlarmMapping
from petops.domain.assessment import AssessmentRules, assess
from petops.domain.diagnosis import Diagnosis
from petops.domain.evidence import Answer, Unknown, Window
from petops.domain.subject import Subject
from petops.engine.asking import investigated
from petops.engine.investigation import Ports
from petops.lab.recorded import recorded_at
from petops.playbooks import MODES
from petops.playbooks.base import MOST_UNPROVEN, Case
from petops.ports import KubernetesCalls, Metrics
from petops.sources.alarm_events import parse_document
from petops.sources.kubernetes import KubernetesCluster
from petops.sources.metrics_missing import MetricsMissing
from tests.adapters.fake_kubernetes_api import FakeApi
from tests.recorded import CLUSTER, RECORDINGS, RecordedMetrics, alarm
from tests.virtual import VirtualClock

CASES = sorted(one.parent.name for one in RECORDINGS.glob("*/expected.json"))
PROVEN = frozenset(
    str(json.loads((RECORDINGS / one / "expected.json").read_text())["mode"]) for one in CASES
)
SILENT = MetricsMissing("no Prometheus is set", hint="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosed:
    """A diagnosis with the answers behind it."""

    diagnosis: Diagnosis
    results: tuple[Answer | Unknown, ...]


def expected(case: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((RECORDINGS / case / "expected.json").read_text())
    return found


def alarm_of(folder: Path, text: str | None = None) -> Alarm:
    document = (folder / "alarm.json").read_text() if text is None else text
    return parse_document(document, AlarmMapping(here=CLUSTER))[0]


async def diagnosed_case(
    case: str,
    *,
    api: KubernetesCalls | None = None,
    metrics: Metrics | None = None,
    found: Alarm | None = None,
) -> Diagnosed:
    """Return the diagnosis of a case folder, at the time when it was recorded."""
    folder = RECORDINGS / case
    found = found or alarm_of(folder)
    return await diagnosed_alarm(
        found,
        assess(found, AssessmentRules()),
        recorded_at(folder),
        api=api or FakeApi(case),
        metrics=metrics or RecordedMetrics(case),
    )


async def diagnosed_subject(
    subject: Subject,
    now: datetime,
    *,
    api: KubernetesCalls,
    metrics: Metrics | None = None,
    category: Category = Category.OTHER,
) -> Diagnosed:
    """Return the diagnosis of an alarm about this object, of which nothing else is known."""
    said = Assessment(category=category, priority=Priority.P2, because="a test")
    return await diagnosed_alarm(alarm(subject, now), said, now, api=api, metrics=metrics or SILENT)


async def diagnosed_alarm(
    found: Alarm,
    said: Assessment,
    now: datetime,
    *,
    api: KubernetesCalls,
    metrics: Metrics,
    ports: Ports | None = None,
) -> Diagnosed:
    case = Case(
        alarm=found,
        assessment=said,
        subject=found.subject,
        window=Window.before(now, timedelta(hours=3)),
    )
    results: list[Answer | Unknown] = []

    async def report(result: Answer | Unknown) -> None:
        results.append(result)

    diagnosis = await investigated(
        case,
        MODES.values(),
        ports or Ports(metrics=metrics, cluster=KubernetesCluster(api, CLUSTER)),
        clock=VirtualClock(),
        report=report,
    )
    _is_modest(diagnosis)
    return Diagnosed(diagnosis=diagnosis, results=tuple(results))


def _is_modest(diagnosis: Diagnosis) -> None:
    """What no recording confirms is never surer than 0.6: checked in each of these tests."""
    cause = [diagnosis.cause] if diagnosis.cause else []
    for one in (*cause, *diagnosis.also_broken, *diagnosis.rivals):
        if one.mode not in PROVEN:
            assert one.confidence <= MOST_UNPROVEN, one
