"""Requests: which pod behind a Service answers how many, how fast, with how many errors."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final

from petops.lab.endpoints import Endpoints
from petops.lab.pod_facts import is_active
from petops.lab.runs import Run
from petops.lab.stage import Stage
from petops.lab.store import Change, Json, key_of
from petops.lab.usage import DURATION_BUCKETS, ServiceTraffic

KEPT: Final = timedelta(hours=3)
SOURCE_VARIABLE: Final = "REQUESTS_PER_SECOND"
_SPREAD: Final = 0.55
_SLOW_SWING, _SLOW_SECONDS = 0.15, 1800.0
_FAST_SWING, _FAST_SECONDS = 0.06, 47.0
_RECEIVED_BYTES, _SENT_BYTES = 900, 4200


class Traffic:
    """Lets requests arrive at Services, as long as something makes them.

    `shares` says how many requests a service gets for each that the generator sends.
    """

    def __init__(
        self,
        stage: Stage,
        endpoints: Endpoints,
        runs: Callable[[], Iterator[Run]],
        shares: Mapping[str, float],
    ) -> None:
        self._stage, self._endpoints, self._runs, self._shares = stage, endpoints, runs, shares
        self._settled = stage.now
        self._new: dict[str, float] = {}
        self._behind: list[tuple[str, list[str]]] | None = None
        stage.store.subscribe(self._changed)
        self._kept: deque[tuple[datetime, tuple[ServiceTraffic, ...]]] = deque()

    def settle(self, *, unless_within: timedelta = timedelta()) -> None:
        """Let arrive what has come since the last call, unless that was just now."""
        now, before = self._stage.now, self._settled
        if now - before <= unless_within:
            return
        self._settled = now
        runs = list(self._runs())
        sent = self._sent(runs, before, now)
        for service, behind in self._services(runs):
            ready = [run for run in behind if run.ready]
            for run in ready:
                self._answer(run, sent * self._shares.get(service, 0.0) / len(ready))

    def taken(self, run: Run) -> float:
        """Return, once, how many requests a run answered since this was asked last."""
        return self._new.pop(run.container_id, 0.0)

    def mean_rate(self, run: Run) -> float:
        """Return the requests a second that a run gets when all is well."""
        runs = list(self._runs())
        for service, behind in self._services(runs):
            if run in behind:
                rate = self._generated(runs) * self._shares.get(service, 0.0)
                return rate / max(sum(one.ready for one in behind), 1)
        return 0.0

    def credit(self, run: Run, requests: float, error_ratio: float, age: float) -> None:
        """Count requests for a run as answered long ago."""
        self._count(run, requests, error_ratio, run.behaviour.latency_seconds(age))

    def now(self) -> Sequence[ServiceTraffic]:
        """Return what each pod of each service has answered."""
        self.settle()
        runs = list(self._runs())
        return [
            self._shown(service, run) for service, behind in self._services(runs) for run in behind
        ]

    def past(self, at: datetime) -> Sequence[ServiceTraffic]:
        """Return what it was at a moment, or a little before."""
        position = bisect_right(self._kept, at, key=lambda row: row[0])
        return self._kept[max(position - 1, 0)][1] if self._kept else ()

    def rows(self) -> Iterator[ServiceTraffic]:
        """Yield everything that is kept, oldest first."""
        for _, row in self._kept:
            yield from row

    def keep(self) -> None:
        """Remember what it is now."""
        self._kept.append((self._stage.now, tuple(self.now())))
        while self._kept[0][0] < self._stage.now - KEPT:
            self._kept.popleft()

    def _services(self, runs: Sequence[Run]) -> Iterator[tuple[str, list[Run]]]:
        """Yield each service with the programs behind it, those of pods that are going left out."""
        if self._behind is None:
            services = sorted(self._stage.store.objects("services"), key=key_of)
            self._behind = [(one["metadata"]["name"], self._pods_of(one)) for one in services]
        by_pod = {run.pod_uid: run for run in runs}
        for service, uids in self._behind:
            behind = [by_pod[uid] for uid in uids if uid in by_pod]
            if behind:
                yield service, behind

    def _pods_of(self, service: Json) -> list[str]:
        pods = filter(is_active, self._endpoints.pods_behind(service))
        return [pod["metadata"]["uid"] for pod in pods]

    def _changed(self, change: Change) -> None:
        if change.resource in {"pods", "services"}:
            self._behind = None

    def _generated(self, runs: Sequence[Run]) -> float:
        return sum(run.program.number(SOURCE_VARIABLE, 0.0) for run in runs)

    def _sent(self, runs: Sequence[Run], since: datetime, until: datetime) -> float:
        """Return how many requests were sent between two moments; they swing a little."""
        low, high = since.timestamp(), until.timestamp()
        phase = 6.3 * self._stage.chance.unit("traffic")

        def integral(at: float) -> float:
            slow = _SLOW_SWING * _SLOW_SECONDS * -math.cos(at / _SLOW_SECONDS + phase)
            fast = _FAST_SWING * _FAST_SECONDS * -math.cos(at / _FAST_SECONDS + 2 * phase)
            return at + slow + fast

        return self._generated(runs) * (integral(high) - integral(low))

    def _answer(self, run: Run, requests: float) -> None:
        age = run.age(self._stage.now)
        self._new[run.container_id] = self._new.get(run.container_id, 0.0) + requests
        self._count(
            run, requests, run.behaviour.error_ratio(age), run.behaviour.latency_seconds(age)
        )

    def _count(self, run: Run, requests: float, error_ratio: float, median: float) -> None:
        run.requests += requests
        run.errors += requests * error_ratio
        run.duration_seconds += requests * median * math.exp(_SPREAD**2 / 2)
        run.network.received += requests * _RECEIVED_BYTES
        run.network.sent += requests * _SENT_BYTES
        for position, ratio in enumerate(_distribution(round(median, 4))):
            run.durations[position] += requests * ratio

    def _shown(self, service: str, run: Run) -> ServiceTraffic:
        total = int(run.requests)
        return ServiceTraffic(
            namespace=run.namespace,
            service=service,
            pod=run.pod,
            container=run.container,
            node=run.node,
            at=self._stage.now,
            requests_total=total,
            errors_total=min(int(run.errors), total),
            duration_counts=tuple(min(int(count), total) for count in run.durations),
            duration_seconds_sum=run.duration_seconds,
        )


@lru_cache(maxsize=1024)
def _distribution(median: float) -> tuple[float, ...]:
    """Return the share of durations up to each bucket's bound, log-normal around a median."""
    width = _SPREAD * math.sqrt(2)
    logs = (math.log(bound / max(median, 1e-4)) for bound in DURATION_BUCKETS)
    return tuple(0.5 * (1 + math.erf(one / width)) for one in logs)
