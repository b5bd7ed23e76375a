"""Requests: which pod behind a Service answers how many, how fast, with how many errors.

How fast and how well follows from `answering`: a pod's own time, and what its calls take. The
situations that requests were counted by are kept for a while, so that traces can be made of them.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from petops.lab.answering import Answer, Answering, Situation, own_seconds, situation
from petops.lab.call_paths import impaired, requests_for_each, with_copies
from petops.lab.endpoints import Endpoints
from petops.lab.pod_facts import is_active
from petops.lab.runs import Run
from petops.lab.stage import Stage
from petops.lab.store import Change, Json, key_of
from petops.lab.usage import ServiceTraffic

KEPT: Final = timedelta(hours=3)
SITUATIONS_KEPT: Final = timedelta(hours=1)
SOURCE_VARIABLE: Final = "REQUESTS_PER_SECOND"
_FRESH_SECONDS: Final = 5.0
_PODS_A_SECOND: Final = 50.0
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
        self._behind: list[tuple[str, list[tuple[str, str]]]] | None = None
        stage.store.subscribe(self._changed)
        self._kept: deque[tuple[datetime, tuple[ServiceTraffic, ...]]] = deque()
        self._routes = with_copies(shares)
        self._on_routes = frozenset(requests_for_each(self._routes))
        self._situations: deque[Situation] = deque()
        self._ready: tuple[str, ...] = ()
        self._looked = stage.now

    @property
    def settled(self) -> datetime:
        """The moment up to which requests have arrived."""
        return self._settled

    @property
    def situations(self) -> Sequence[Situation]:
        """How requests were answered in the last hour, oldest first."""
        return self._situations

    def rate(self, at: datetime) -> float:
        """Return how many requests a second the front got at a moment."""
        found = bisect_right(self._situations, at, key=lambda one: one.since)
        sent = self._situations[max(found - 1, 0)].sent_per_second if self._situations else 0.0
        seconds, phase = at.timestamp(), 6.3 * self._stage.chance.unit("traffic")
        slow = _SLOW_SWING * math.sin(seconds / _SLOW_SECONDS + phase)
        fast = _FAST_SWING * math.sin(seconds / _FAST_SECONDS + 2 * phase)
        return sent * (1 + slow + fast)

    def impair(self, dependency: str, *, slower: float, fault_ratio: float) -> None:
        """Let something outside of the cluster be `slower` times as slow, and fail so often."""
        self.settle()
        self._routes = impaired(self._routes, dependency, slower=slower, fault_ratio=fault_ratio)
        self._ready = ()  # another situation begins

    def settle(self, *, unless_within: timedelta = timedelta()) -> None:
        """Let arrive what has come since the last call, unless that was just now."""
        now, before = self._stage.now, self._settled
        if now - before <= unless_within:
            return
        self._settled = now
        runs = list(self._runs())
        sent = self._sent(runs, before, now)
        answers = self._situation(runs, before).answers
        for run in runs:
            if answer := answers.get(run.container_id):
                requests = sent * answer.requests
                self._new[run.container_id] = self._new.get(run.container_id, 0.0) + requests
                _count(run, requests, answer)

    def taken(self, run: Run) -> float:
        """Return, once, how many requests a run answered since this was asked last."""
        return self._new.pop(run.container_id, 0.0)

    def mean_rates(self) -> Mapping[str, float]:
        """Return the requests a second that each run gets when all is well, by container id."""
        runs = list(self._runs())
        generated, rates = self._generated(runs), dict[str, float]()
        for service, behind in self._services(runs):
            rate = generated * self._shares.get(service, 0.0)
            each = rate / max(sum(one.ready for one in behind), 1)
            for run in behind:
                rates.setdefault(run.container_id, each)
        return rates

    def credit(self, requests: Mapping[str, float]) -> None:
        """Count requests, by container id, as answered long ago: as they would be answered now."""
        runs = list(self._runs())
        answers = self._situation(runs, self._settled).answers
        for run in runs:
            answer, count = answers.get(run.container_id), requests.get(run.container_id)
            if answer and count:
                _count(run, count, answer)

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

    def keep(self, kept: timedelta = KEPT) -> None:
        """Remember what it is now, and forget what is older than `kept`."""
        self._kept.append((self._stage.now, tuple(self.now())))
        while self._kept[0][0] < self._stage.now - kept:
            self._kept.popleft()

    def _services(self, runs: Sequence[Run]) -> Iterator[tuple[str, list[Run]]]:
        """Yield each service with the programs behind it, those of pods that are going left out."""
        if self._behind is None:
            services = sorted(self._stage.store.objects("services"), key=key_of)
            self._behind = [(one["metadata"]["name"], self._places_of(one)) for one in services]
        by_place = {(run.pod_uid, run.container): run for run in runs}
        for service, places in self._behind:
            behind = [by_place[place] for place in places if place in by_place]
            if behind:
                yield service, behind

    def _places_of(self, service: Json) -> list[tuple[str, str]]:
        """Return, by pod, the container that answers: the first that declares the port, or any."""
        ports = [one.get("targetPort", one["port"]) for one in service["spec"].get("ports") or ()]
        pods = filter(is_active, self._endpoints.pods_behind(service))
        return [(pod["metadata"]["uid"], _answering_container(pod, ports)) for pod in pods]

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

    def _situation(self, runs: Sequence[Run], since: datetime) -> Situation:
        """Return how requests are answered from `since` on; it is worked out anew when it moves."""
        now = self._stage.now
        services = list(self._services(runs))
        ready = tuple(run.container_id for _, behind in services for run in behind if run.ready)
        fresh = max(_FRESH_SECONDS, len(ready) / _PODS_A_SECOND)
        moved = (now - self._looked).total_seconds() >= fresh
        if self._situations and ready == self._ready and not moved:
            return self._situations[-1]
        self._ready, self._looked = ready, now
        rate = self._generated(runs)
        behind = {
            service: self._answering([run for run in found if run.ready], rate * share)
            for service, found in services
            if (share := self._shares.get(service, 0.0))
        }
        alone = {name: self._shares[name] for name in behind if name not in self._on_routes}
        self._situations.append(situation(since, rate, behind, self._routes, alone))
        while len(self._situations) > 1 and self._situations[1].since < now - SITUATIONS_KEPT:
            self._situations.popleft()
        return self._situations[-1]

    def _answering(self, ready: Sequence[Run], rate: float) -> tuple[Answering, ...]:
        now = self._stage.now
        return tuple(
            Answering(
                run=run,
                own_seconds=own_seconds(run, rate / len(ready), now),
                error_ratio=run.behaviour.error_ratio(run.age(now)),
            )
            for run in ready
        )

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


def _answering_container(pod: Json, ports: Sequence[object]) -> str:
    containers = pod["spec"]["containers"]
    names = [one for one in ports if isinstance(one, str | int)]
    declared = (
        one
        for one in containers
        for port in one.get("ports") or ()
        if any(wanted in {port.get("name"), port.get("containerPort")} for wanted in names)
    )
    return str(next(declared, containers[0])["name"])


def _count(run: Run, requests: float, answer: Answer) -> None:
    run.requests += requests
    run.errors += requests * answer.error_ratio
    run.duration_seconds += requests * answer.mean_seconds
    run.network.received += requests * _RECEIVED_BYTES
    run.network.sent += requests * _SENT_BYTES
    for position, ratio in enumerate(answer.cumulative):
        run.durations[position] += requests * ratio
