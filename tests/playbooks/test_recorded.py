"""The diagnosis on a real cluster's answers.

The leak is named, and nothing else is called a leak.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from petops.domain.alarm import Assessment, Category, Priority
from petops.domain.diagnosis import Diagnosis, Weighs
from petops.domain.evidence import Answer, Unknown, Window
from petops.domain.facts import ContainerMemory
from petops.engine.asking import investigated
from petops.engine.investigation import Ports
from petops.playbooks import MODES
from petops.playbooks.base import Case
from petops.sources.kubernetes import KubernetesCluster
from tests.adapters.fake_kubernetes_api import FakeApi
from tests.recorded import CLUSTER, RecordedMetrics, alarm, deployment
from tests.virtual import VirtualClock

pytestmark = pytest.mark.looptime
NOW = datetime(2026, 11, 23, 5, 6, tzinfo=UTC)


async def diagnosed(
    case: str,
    namespace: str,
    name: str,
    *,
    metrics: RecordedMetrics | None = None,
    api: FakeApi | None = None,
    category: Category = Category.MEMORY,
) -> tuple[Diagnosis, list[Answer | Unknown]]:
    subject = deployment(namespace, name)
    about = Case(
        alarm=alarm(subject, NOW),
        assessment=Assessment(category=category, priority=Priority.P2, because="a test"),
        subject=subject,
        window=Window.before(NOW, timedelta(hours=3)),
    )
    results: list[Answer | Unknown] = []

    async def report(result: Answer | Unknown) -> None:
        results.append(result)

    diagnosis = await investigated(
        about,
        MODES.values(),
        Ports(
            metrics=metrics or RecordedMetrics(case),
            cluster=KubernetesCluster(api or FakeApi(case), CLUSTER),
        ),
        clock=VirtualClock(),
        report=report,
    )
    return diagnosis, results


async def test_the_leak_is_named_with_its_rate_and_the_revision_to_go_back_to() -> None:
    diagnosis, _ = await diagnosed("oomkill", "oomkill", "orders-api")
    cause = diagnosis.cause
    assert cause is not None
    assert cause.mode == "memory-leak"
    assert cause.subject == deployment("oomkill", "orders-api")
    assert cause.confidence >= 0.85
    assert cause.forecast is not None
    # The program keeps 3 MiB more every second.
    assert cause.forecast.growth_mib_per_minute == pytest.approx(180, rel=0.05)
    assert cause.began_with_revision == 2
    assert cause.good_revision == 1
    assert cause.remedies[0] == "undo-rollout"


@pytest.mark.parametrize(
    ("case", "namespace", "name"),
    [
        ("crashloop", "crashloop", "payments"),
        ("throttle", "throttle", "report-worker"),
        ("memory-pressure", "pressure", "batch-importer"),
        ("memory-pressure", "pressure", "api"),
        ("memory-pressure", "pressure", "besteffort-cache"),
        ("evicted-unmeasured", "crashloop", "payments"),
    ],
)
async def test_what_is_no_leak_is_not_called_one(case: str, namespace: str, name: str) -> None:
    diagnosis, results = await diagnosed(case, namespace, name)
    findings = [*([diagnosis.cause] if diagnosis.cause else []), *diagnosis.rivals]
    assert diagnosis.cause is None or diagnosis.cause.mode != "memory-leak"
    leak = [one for one in findings if one.mode == "memory-leak"]
    assert all(one.verdict != "supported" for one in leak)
    assert diagnosis.because
    assert any(isinstance(one, Answer) and one.step == "affected-pods" for one in results)


async def test_without_metrics_kills_alone_are_not_called_a_leak() -> None:
    metrics = RecordedMetrics("oomkill")
    metrics.down = True
    diagnosis, _ = await diagnosed("oomkill", "oomkill", "orders-api", metrics=metrics)
    assert diagnosis.cause is None
    assert "its growth was not measured" in diagnosis.because
    rows = [row for finding in diagnosis.rivals for row in finding.rows]
    assert any(row.weighs is Weighs.NOT_MEASURED and row.step == "container-memory" for row in rows)
    assert {gap.step for gap in diagnosis.gaps} >= {"container-memory", "request-load"}


async def test_renaming_everything_changes_no_verdict() -> None:
    names = {"orders-api": "zeta", "oomkill": "prod-7", '"app"': '"main"', "shop": "x9"}

    def other(text: str) -> str:
        for old, new in names.items():
            text = text.replace(old, new)
        return text

    api = FakeApi("oomkill")
    api.objects = json.loads(other(json.dumps(api.objects)))
    metrics = RecordedMetrics("oomkill")
    metrics._samples = [
        one._replace(
            labels=tuple((key, json.loads(other(json.dumps(value)))) for key, value in one.labels)
        )
        for one in metrics._samples
    ]
    diagnosis, _ = await diagnosed("oomkill", "prod-7", "zeta", metrics=metrics, api=api)
    before, _ = await diagnosed("oomkill", "oomkill", "orders-api")
    assert diagnosis.cause is not None
    assert before.cause is not None
    assert diagnosis.cause.confidence == before.cause.confidence
    assert diagnosis.cause.forecast == before.cause.forecast


async def test_every_row_says_what_was_asked_and_what_would_refute_it() -> None:
    diagnosis, results = await diagnosed("oomkill", "oomkill", "orders-api")
    assert diagnosis.cause is not None
    for row in diagnosis.cause.rows:
        assert row.refuted_if
        assert row.seen
    memory_row = next(row for row in diagnosis.cause.rows if row.step == "container-memory")
    assert memory_row.asked
    lives = next(
        one.fact
        for one in results
        if isinstance(one, Answer) and isinstance(one.fact, ContainerMemory)
    )
    assert len(lives.lifetimes) > 10


async def test_recorded_throttling_is_named_though_no_latency_was_measured() -> None:
    subject = deployment("throttle", "report-worker")
    diagnosis, _ = await diagnosed("throttle", "throttle", "report-worker", category=Category.CPU)
    assert diagnosis.cause is not None
    assert diagnosis.cause.mode == "cpu-throttling"
    assert diagnosis.cause.subject == subject
    assert 0.5 <= diagnosis.cause.confidence < 0.75
    assert any(
        row.step == "request-latency" and row.weighs is Weighs.NOT_MEASURED
        for row in diagnosis.cause.rows
    )


@pytest.mark.parametrize(
    ("case", "namespace", "name"),
    [
        ("oomkill", "oomkill", "orders-api"),
        ("crashloop", "crashloop", "payments"),
        ("memory-pressure", "pressure", "api"),
    ],
)
async def test_what_is_not_throttled_is_not_called_so(case: str, namespace: str, name: str) -> None:
    diagnosis, _ = await diagnosed(case, namespace, name, category=Category.CPU)
    assert diagnosis.cause is None or diagnosis.cause.mode != "cpu-throttling"
