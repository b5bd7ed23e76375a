"""Verdicts on objects as an API server lists them, where nothing else is known."""

from __future__ import annotations

from petops.domain.alarm import Category
from petops.domain.diagnosis import Diagnosis, Finding
from petops.domain.subject import Kind, Subject
from petops.ports import Metrics
from tests.adapters.fake_kubernetes_api import FakeApi
from tests.kubernetes_objects import NAMESPACE, NOW
from tests.recorded import CLUSTER
from tests.recorded_cases import diagnosed_subject


def subject(kind: Kind = Kind.DEPLOYMENT, name: str = "web") -> Subject:
    namespace = "" if kind is Kind.NODE else NAMESPACE
    return Subject(cluster=CLUSTER, kind=kind, namespace=namespace, name=name)


async def diagnosed(
    api: FakeApi,
    about: Subject | None = None,
    *,
    category: Category = Category.AVAILABILITY,
    metrics: Metrics | None = None,
) -> Diagnosis:
    found = await diagnosed_subject(
        about or subject(), NOW, api=api, category=category, metrics=metrics
    )
    return found.diagnosis


async def cause(
    api: FakeApi,
    mode: str,
    about: Subject | None = None,
    *,
    category: Category = Category.AVAILABILITY,
    metrics: Metrics | None = None,
) -> Finding:
    """The cause that is named, which must be of this failure mode."""
    found = await diagnosed(api, about, category=category, metrics=metrics)
    assert found.cause is not None, found.because
    assert found.cause.mode == mode, found.because
    return found.cause
