"""Faults on the lab's simulated cluster, diagnosed through the production adapters, in memory."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from petops.domain.alarm import Category
from petops.domain.diagnosis import Diagnosis
from petops.domain.evidence import PodScope, Readings, Signal, Window
from petops.domain.subject import Kind, Subject
from petops.errors import SourceError
from petops.lab.ports_in_memory import WorldCalls, WorldMetrics
from tests.lab.hand_clock import DEPLOYMENTS, MERGE, Lab
from tests.recorded import CLUSTER
from tests.recorded_cases import diagnosed_subject

Json = Any
WEB = "payforadoption-go"


class MemoryOnly:
    """`Metrics` of the lab's memory and requests, and no others."""

    def __init__(self, lab: Lab) -> None:
        self._metrics = WorldMetrics(lab.world)

    async def read(self, signal: Signal, scope: PodScope, window: Window) -> Readings:
        if not str(signal).startswith(("memory", "started", "requests-total")):
            raise SourceError(f"{signal} is not measured here")
        return await self._metrics.read(signal, scope, window)


def rolled_out(lab: Lab, change: Mapping[str, Json], name: str = WEB) -> None:
    """Change the first container of a Deployment."""
    found = lab.get(f"{DEPLOYMENTS}/{name}")
    containers = copy.deepcopy(found["spec"]["template"]["spec"]["containers"])
    containers[0] |= change
    template = {"spec": {"containers": containers}}
    lab.patch(f"{DEPLOYMENTS}/{name}", {"spec": {"template": template}}, MERGE)


def with_environment(lab: Lab, name: str = WEB, **values: str) -> list[Json]:
    found = lab.get(f"{DEPLOYMENTS}/{name}")
    kept = found["spec"]["template"]["spec"]["containers"][0].get("env") or []
    return [*kept, *({"name": key, "value": value} for key, value in values.items())]


async def diagnosed(
    lab: Lab,
    name: str = WEB,
    kind: Kind = Kind.DEPLOYMENT,
    category: Category = Category.AVAILABILITY,
) -> Diagnosis:
    namespace = "" if kind is Kind.NODE else "default"
    found = await diagnosed_subject(
        Subject(cluster=CLUSTER, kind=kind, namespace=namespace, name=name),
        lab.clock.now(),
        api=WorldCalls(lab.world),
        metrics=MemoryOnly(lab),
        category=category,
    )
    return found.diagnosis
