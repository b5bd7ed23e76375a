"""A small shop with requests: front calls search, search calls pay, pay calls a table outside.

What is wrong since four minutes is said in `Wrong`; counters and traces follow from it alone. Its
names may be any.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Final

from petops.domain.alarm import Assessment, Category, Priority
from petops.domain.diagnosis import Diagnosis
from petops.domain.evidence import Asked, PodScope, Readings, Sample, Series, Signal, Window
from petops.domain.subject import Kind, Subject
from petops.engine.investigation import Ports
from petops.errors import SourceError
from petops.lab.recorded_traces import RecordedXRay
from petops.ports import Traces
from petops.sources.kubernetes import KubernetesCluster
from petops.sources.xray import XRayTraces
from tests.adapters.fake_kubernetes_api import FakeApi
from tests.kubernetes_objects import (
    NAMESPACE,
    NOW,
    deployment,
    meta,
    node,
    pod,
    replica_set,
    world,
)
from tests.recorded import CLUSTER, alarm
from tests.recorded_cases import Diagnosed, diagnosed_alarm

FRONT, SEARCH, PAY, TABLE = "front", "search", "pay", "table"
SERVICES: Final = (FRONT, SEARCH, PAY)
CALLS: Final = {FRONT: SEARCH, SEARCH: PAY, PAY: TABLE}
OWN_SECONDS: Final = {FRONT: 0.03, SEARCH: 0.02, PAY: 0.02, TABLE: 0.01}
SINCE: Final = timedelta(minutes=4)
LOOK_BACK: Final = timedelta(minutes=75)
EVERY: Final = timedelta(seconds=15)
PER_SECOND: Final = 8.0
LIMIT_CORES: Final = 0.2


@dataclass(frozen=True, kw_only=True)
class Wrong:
    """What is wrong since four minutes."""

    seconds: Mapping[str, float] = field(default_factory=dict)
    failing: Mapping[str, float] = field(default_factory=dict)
    throttled: Mapping[str, float] = field(default_factory=dict)
    waiting: Mapping[str, float] = field(default_factory=dict)
    node_cores: float = 1.0
    hidden: frozenset[str] = frozenset()  # services whose pods count no requests


@dataclass(frozen=True, kw_only=True)
class Shop:
    """The shop under other names, with something wrong."""

    wrong: Wrong = field(default_factory=Wrong)
    names: Mapping[str, str] = field(default_factory=dict)
    seed: int = 1

    def name(self, known: str) -> str:
        return self.names.get(known, known)

    def subject(self, known: str) -> Subject:
        return Subject(
            cluster=CLUSTER, kind=Kind.DEPLOYMENT, namespace=NAMESPACE, name=self.name(known)
        )

    def pods(self, known: str) -> tuple[str, str]:
        name = self.name(known)
        return (f"{name}-hash1-p1", f"{name}-hash1-p2")

    def api(self) -> FakeApi:
        limited = {"resources": {"limits": {"cpu": "200m"}, "requests": {"cpu": "50m"}}}
        machine = node()
        machine["status"]["allocatable"]["cpu"] = "2"
        names = [self.name(one) for one in SERVICES]
        return world(
            nodes=[machine],
            deployments=[deployment(one, replicas=2, readyReplicas=2) for one in names],
            replicasets=[replica_set(one, age=90_000, pods=2, ready=2) for one in names],
            pods=[
                pod(one, number, age=90_000, container=limited)
                for one in names
                for number in (1, 2)
            ],
            services=[
                {
                    "metadata": meta(one),
                    "spec": {"selector": {"app": one}, "ports": [{"port": 80}]},
                }
                for one in names
            ],
            endpointslices=[
                {
                    "metadata": meta(one, labels={"kubernetes.io/service-name": one}),
                    "endpoints": [{"conditions": {"ready": True}}] * 2,
                }
                for one in names
            ],
        )

    def written_traces(self) -> list[Any]:
        return list(self._traces())

    def traces(self) -> XRayTraces:
        found = {one["Id"]: one for one in self._traces()}
        return XRayTraces(client=RecordedXRay(found))

    def _traces(self) -> Iterator[Any]:
        chance = random.Random(self.seed)  # noqa: S311 - made up
        for second in range(5, 45 * 60, 4):
            at = (NOW - timedelta(seconds=second)).timestamp()
            is_wrong = second < SINCE.total_seconds()
            made = _Trace(self, chance, is_wrong, number=second)
            yield made.document(at)

    async def diagnosed(
        self,
        about: str = FRONT,
        category: Category = Category.LATENCY,
        *,
        api: FakeApi | None = None,
        metrics: Counters | None = None,
        traces: Traces | None = None,
        started: timedelta = SINCE,
    ) -> Diagnosis:
        return (
            await self.answered(
                about, category, api=api, metrics=metrics, traces=traces, started=started
            )
        ).diagnosis

    async def answered(
        self,
        about: str = FRONT,
        category: Category = Category.LATENCY,
        *,
        api: FakeApi | None = None,
        metrics: Counters | None = None,
        traces: Traces | None = None,
        started: timedelta = SINCE,
        ports: Ports | None = None,
    ) -> Diagnosed:
        found = alarm(self.subject(about), NOW)
        said = Assessment(category=category, priority=Priority.P2, because="a test")
        calls, numbers = api or self.api(), metrics or Counters(self)
        ports = ports or Ports(
            metrics=numbers,
            cluster=KubernetesCluster(calls, CLUSTER),
            traces=traces or self.traces(),
        )
        return await diagnosed_alarm(
            replace(found, started_at=NOW - started),
            said,
            NOW,
            api=calls,
            metrics=numbers,
            ports=ports,
        )


class _Trace:
    """One request through the shop."""

    def __init__(self, shop: Shop, chance: random.Random, is_wrong: bool, number: int) -> None:
        self._shop, self._chance = shop, chance
        self._wrong = shop.wrong if is_wrong else Wrong()
        self._number = number

    def document(self, at: float) -> Any:
        own_id = f"1-{int(at):08x}-{self._number:024x}"
        segments: list[Any] = []
        self._served(FRONT, at, "", segments)
        written = [{"Id": one["id"], "Document": json.dumps(one)} for one in segments]
        return {"Id": own_id, "Segments": written}

    def _own(self, known: str) -> float:
        own = OWN_SECONDS[known] * self._chance.lognormvariate(0, 0.2)
        return own + self._wrong.seconds.get(known, 0.0)

    def _served(self, known: str, at: float, parent: str, into: list[Any]) -> tuple[float, bool]:
        """Write one service's segment; return its end, and whether it failed."""
        own_id = f"{self._number:012x}{len(into):04x}"
        made: dict[str, Any] = {"id": own_id, "name": self._shop.name(known), "start_time": at}
        into.append(made)
        failed = self._chance.random() < self._wrong.failing.get(known, 0.0)
        end = at + self._own(known)
        callee = CALLS[known]
        call: dict[str, Any] = {
            "id": f"{own_id[:-1]}c{len(into)}",
            "name": self._shop.name(callee),
            "namespace": "aws" if callee == TABLE else "remote",
            "start_time": end - 0.001,
        }
        if callee == TABLE:
            below = end + self._own(TABLE)
            bad = self._chance.random() < self._wrong.failing.get(TABLE, 0.0)
        else:
            below, bad = self._served(callee, end, call["id"], into)
        call |= {"end_time": below, **({"fault": True} if bad else {})}
        made |= {
            "end_time": below,
            "origin": "AWS::EKS::Container",
            "subsegments": [call],
            "aws": {"eks": {"pod": self._chance.choice(self._shop.pods(known))}},
            **({"parent_id": parent} if parent else {}),
            **({"fault": True} if failed or bad else {}),
        }
        return below, failed or bad


class Counters:
    """`Metrics` of the shop. `down` names signals that nobody exports, or `*`."""

    def __init__(
        self, shop: Shop, *, down: frozenset[str] = frozenset(), late_by: float = 0
    ) -> None:
        self._shop, self._down = shop, down
        self._late = timedelta(seconds=late_by)
        self.reads = 0

    async def read(self, signal: Signal, scope: PodScope, window: Window) -> Readings:
        self.reads += 1
        if "*" in self._down or str(signal) in self._down:
            raise SourceError("Prometheus did not answer: connection refused")
        asked = Asked(source="prometheus", query=str(signal), window=window)
        series = tuple(
            Series(labels=labels, samples=samples)
            for known in SERVICES
            for pod_name in self._shop.pods(known)
            if pod_name in scope.pods
            for labels, samples in self._of(signal, known, pod_name, window)
            if samples
        )
        return Readings(asked=asked, series=series)

    def _of(
        self, signal: Signal, known: str, name: str, window: Window
    ) -> Iterator[tuple[tuple[tuple[str, str], ...], tuple[Sample, ...]]]:
        labels = (("container", "app"), ("namespace", NAMESPACE), ("pod", name))
        of_requests = signal in {
            Signal.REQUESTS_TOTAL,
            Signal.REQUEST_SECONDS_TOTAL,
            Signal.REQUEST_DURATIONS_TOTAL,
        }
        if of_requests and known in self._shop.wrong.hidden:
            return
        if signal is Signal.REQUESTS_TOTAL:
            for code in ("200", "500"):
                yield (
                    (*labels, ("code", code)),
                    self._counted(f"{signal}{code}", known, name, window),
                )
            return
        if signal is Signal.MEMORY_WORKING_SET_BYTES or str(signal).startswith("memory-rss"):
            steady = (Sample(at=at, value=5e7) for at in self._times(window))
            yield labels, tuple(steady)
            return
        if signal is Signal.CPU_WAITING_SECONDS_TOTAL and not self._shop.wrong.waiting:
            return
        samples = self._counted(str(signal), known, name, window)
        if samples:
            yield labels, samples

    def _times(self, window: Window) -> Iterator[Any]:
        at = NOW - LOOK_BACK
        while at <= NOW:
            shown = at - self._late
            if window.start <= shown <= window.end:
                yield shown
            at += EVERY

    def _counted(self, what: str, known: str, name: str, window: Window) -> tuple[Sample, ...]:
        """Add up, from the beginning, what a counter rises a second."""
        chance = random.Random(f"{self._shop.seed}/{what}/{name}")  # noqa: S311 - made up
        total, samples, at = 1000.0, [], NOW - LOOK_BACK
        while at <= NOW:
            wrong = self._shop.wrong if at > NOW - SINCE else Wrong()
            rate = self._rate(what, known, wrong)
            if rate is None:
                return ()
            total += rate * EVERY.total_seconds() * chance.gauss(1, 0.02)
            shown = at - self._late
            if window.start <= shown <= window.end:
                samples.append(Sample(at=shown, value=total))
            at += EVERY
        return tuple(samples)

    def _rate(self, what: str, known: str, wrong: Wrong) -> float | None:
        requests = PER_SECOND / 2
        failed = _failing(known, wrong)
        rates: dict[str, float | None] = {
            f"{Signal.REQUESTS_TOTAL}200": requests * (1 - failed),
            f"{Signal.REQUESTS_TOTAL}500": requests * failed,
            str(Signal.REQUEST_DURATIONS_TOTAL): requests,
            str(Signal.REQUEST_SECONDS_TOTAL): requests * _seconds(known, wrong),
            str(Signal.CPU_PERIODS_TOTAL): 10.0,
            str(Signal.CPU_THROTTLED_PERIODS_TOTAL): 10.0 * wrong.throttled.get(known, 0.0),
            str(Signal.CPU_SECONDS_TOTAL): self._cores(known, wrong),
            str(Signal.CPU_WAITING_SECONDS_TOTAL): wrong.waiting.get(known, 0.01),
        }
        return rates.get(what)

    def _cores(self, known: str, wrong: Wrong) -> float:
        if known == SEARCH and wrong.node_cores > 1:
            return wrong.node_cores / 2
        return LIMIT_CORES if wrong.throttled.get(known) else 0.05


def _seconds(known: str, wrong: Wrong) -> float:
    own = OWN_SECONDS[known] + wrong.seconds.get(known, 0.0)
    callee = CALLS.get(known)
    return own + (_seconds(callee, wrong) if callee else 0.0)


def _failing(known: str, wrong: Wrong) -> float:
    own = wrong.failing.get(known, 0.0)
    callee = CALLS.get(known)
    return 1 - (1 - own) * (1 - (_failing(callee, wrong) if callee else 0.0))
