"""How a request is answered: each pod's own time, and what it waits for. Pure.

A pod's own time is log-normal around a median that its program and its CPU quota give. What a
service takes is its own time and that of its calls; sums of such times are again taken as
log-normal, with mean and variance kept exactly (Fenton 1960), so that counters and traces agree.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Final

from petops.lab.call_paths import Dependency, Operation, Route
from petops.lab.runs import Run, pressure, throttled_ratio
from petops.lab.usage import DURATION_BUCKETS

SPREAD: Final = 0.55
NETWORK_SECONDS: Final = 0.0008
REFUSED_SECONDS: Final = 0.002
"""How soon a caller knows that nobody stands behind a Service."""

_MEAN_OF_MEDIAN: Final = math.exp(SPREAD**2 / 2)
_SQUARE_OF_MEDIAN: Final = math.exp(2 * SPREAD**2)
_HALF_PERIOD_SECONDS: Final = 0.05
_QUEUE_AT_MOST: Final = 20.0
_COLD, _COLD_SECONDS = 2.0, 12.0


@dataclass(frozen=True, slots=True)
class Answering:
    """One pod that answers, with the median of its own seconds and its own share of failures."""

    run: Run
    own_seconds: float
    error_ratio: float


@dataclass(frozen=True, slots=True)
class Took:
    """Mean and variance of seconds, and the share that fails."""

    mean: float
    variance: float
    fault_ratio: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What a pod answers of each request that is sent to the front.

    `requests` is how many it gets of each; `cumulative` the share within each bucket's bound.
    """

    requests: float
    error_ratio: float
    mean_seconds: float
    square_seconds: float
    cumulative: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """Who answered how, from a moment on until the next situation, and who called whom.

    `sent_per_second` is what the generators send to the front, less its swing.
    """

    since: datetime
    sent_per_second: float
    behind: Mapping[str, tuple[Answering, ...]]
    answers: Mapping[str, Answer] = field(repr=False)
    """By container id."""
    routes: tuple[Route, ...] = field(repr=False)


def own_seconds(run: Run, requests_per_second: float, now: datetime) -> float:
    """Return the median of a run's own time for a request, by its age and its CPU quota.

    Work stretches once more CPU is wanted than the limit gives, and a request that meets an
    exhausted quota waits for the next period, behind those that came before it. Where its node has
    only a part of the CPU that it wants, everything takes longer by that.
    """
    age = run.age(now)
    median = run.behaviour.latency_seconds(age)
    warm_up = 1 + _COLD * math.exp(-max(age - run.behaviour.listens_after, 0.0) / _COLD_SECONDS)
    wanted = pressure(run, age, requests_per_second)
    throttled = throttled_ratio(wanted)
    queue = min(throttled / (1 - throttled), _QUEUE_AT_MOST)
    alone = median * warm_up * max(wanted, 1.0) + throttled * _HALF_PERIOD_SECONDS * (1 + queue)
    return alone / run.granted_ratio


def situation(
    since: datetime,
    sent_per_second: float,
    behind: Mapping[str, tuple[Answering, ...]],
    routes: tuple[Route, ...],
    alone: Mapping[str, float],
) -> Situation:
    """Work out what every pod answers. `alone` are services that no route leads through."""
    parts: dict[str, list[tuple[float, Took]]] = {}
    for operation, share in _operations(routes, behind, alone).items():
        pods = behind.get(operation.service, ())
        waits = _waits(operation, behind)
        for pod in pods:
            part = (share / len(pods), _with_own(pod, waits))
            parts.setdefault(pod.run.container_id, []).append(part)
    answers = {key: _answer(found) for key, found in parts.items()}
    return Situation(
        since=since,
        sent_per_second=sent_per_second,
        behind=behind,
        answers=answers,
        routes=routes,
    )


def _operations(
    routes: Iterable[Route],
    behind: Mapping[str, tuple[Answering, ...]],
    alone: Mapping[str, float],
) -> dict[Operation, float]:
    """Return how often each operation is reached; nobody behind a Service calls any further."""
    found: dict[Operation, float] = {}

    def reach(operation: Operation, share: float) -> None:
        if behind.get(operation.service):
            found[operation] = found.get(operation, 0.0) + share
            for call in operation.calls:
                if isinstance(call.to, Operation):
                    reach(call.to, share)

    for route in routes:
        reach(route.front, route.share_ratio)
    for service, share in alone.items():
        reach(Operation(service=service, method="GET", path="/"), share)
    return found


def _waits(operation: Operation, behind: Mapping[str, tuple[Answering, ...]]) -> Took:
    """Return what an operation waits for its calls, and how often one that it needs fails."""
    mean = variance = 0.0
    good = 1.0
    for call in operation.calls:
        took = _called(call.to, behind)
        mean, variance = mean + took.mean, variance + took.variance
        good *= 1 - took.fault_ratio if call.essential else 1.0
    return Took(mean, variance, 1 - good)


def _called(to: Operation | Dependency, behind: Mapping[str, tuple[Answering, ...]]) -> Took:
    """Return what a caller sees of a call, whichever pod answers it."""
    if isinstance(to, Dependency):
        took = _log_normal(to.median_seconds)
        return Took(took.mean, took.variance, to.fault_ratio)
    pods = behind.get(to.service, ())
    if not pods:
        return Took(REFUSED_SECONDS, 0.0, 1.0)
    waits = _waits(to, behind)
    each = [(1 / len(pods), _with_own(pod, waits)) for pod in pods]
    mean, square, faults = _mixed(each)
    return Took(mean + NETWORK_SECONDS, square - mean**2, faults)


def _with_own(pod: Answering, waits: Took) -> Took:
    own = _log_normal(pod.own_seconds)
    good = (1 - pod.error_ratio) * (1 - waits.fault_ratio)
    return Took(own.mean + waits.mean, own.variance + waits.variance, 1 - good)


def _log_normal(median: float) -> Took:
    mean = median * _MEAN_OF_MEDIAN
    return Took(mean, median**2 * _SQUARE_OF_MEDIAN - mean**2, 0.0)


def _mixed(parts: Sequence[tuple[float, Took]]) -> tuple[float, float, float]:
    """Return mean, mean square and fault ratio of a mixture; its shares need not add up to one."""
    total = sum(share for share, _ in parts)
    mean = sum(share * took.mean for share, took in parts) / total
    square = sum(share * (took.variance + took.mean**2) for share, took in parts) / total
    return mean, square, sum(share * took.fault_ratio for share, took in parts) / total


def _answer(parts: Sequence[tuple[float, Took]]) -> Answer:
    total = sum(share for share, _ in parts)
    mean, square, faults = _mixed(parts)
    cumulative = [0.0] * len(DURATION_BUCKETS)
    for share, took in parts:
        width = took.variance / took.mean**2 if took.mean else 0.0
        for position, ratio in enumerate(distribution(round(took.mean, 4), round(width, 3))):
            cumulative[position] += ratio * share / total
    return Answer(total, faults, mean, square, tuple(cumulative))


@lru_cache(maxsize=4096)
def distribution(mean: float, width: float) -> tuple[float, ...]:
    """Return the share up to each bucket's bound.

    Log-normal, with a mean and a variance of `width` times the mean's square.
    """
    return tuple(share_within(bound, mean, width) for bound in DURATION_BUCKETS)


def share_within(bound: float, mean: float, width: float) -> float:
    """Return the share of a log-normal that is at most `bound`."""
    squared = math.log1p(max(width, 1e-6))
    middle = math.log(max(mean, 1e-6)) - squared / 2
    return 0.5 * (1 + math.erf((math.log(max(bound, 1e-9)) - middle) / math.sqrt(2 * squared)))
