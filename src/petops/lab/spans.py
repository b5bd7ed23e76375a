"""One request as it went through the services: spans, made from a situation and chance alone.

The same second of the same world gives the same requests, whenever they are asked for.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Final, Protocol

from petops.lab.answering import NETWORK_SECONDS, REFUSED_SECONDS, SPREAD, Answering, Situation
from petops.lab.call_paths import ROUTES, Call, Dependency, Operation, Route
from petops.lab.chance import Chance

_SAMPLED_EACH_SECOND: Final = 1.0
_SAMPLED_RATIO: Final = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """What one pod did for one request. Times are seconds since 1970."""

    id: str
    parent: str | None
    operation: Operation
    by: Answering
    start: float
    end: float
    failed_itself: bool
    calls: tuple[Outgoing, ...]

    @property
    def failed(self) -> bool:
        return self.failed_itself or any(one.failed and one.essential for one in self.calls)

    @property
    def seconds(self) -> float:
        return self.end - self.start

    def walk(self) -> Iterator[Span]:
        """Yield this span and those below it, callers first."""
        yield self
        for one in self.calls:
            if one.answered is not None:
                yield from one.answered.walk()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """One call as its caller saw it. `answered` is None where nobody of the cluster answered."""

    id: str
    to: Operation | Dependency
    start: float
    end: float
    essential: bool
    failed_there: bool
    answered: Span | None

    @property
    def failed(self) -> bool:
        return self.answered.failed if self.answered is not None else self.failed_there

    @property
    def refused(self) -> bool:
        return isinstance(self.to, Operation) and self.answered is None

    @property
    def seconds(self) -> float:
        return self.end - self.start


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """One request at the front, with all that came of it."""

    id: str
    root: Span

    @property
    def end(self) -> float:
        return self.root.end


class RequestLog(Protocol):
    """The part of the lab's traffic that traces are made of."""

    @property
    def settled(self) -> datetime: ...

    @property
    def situations(self) -> Sequence[Situation]: ...

    def rate(self, at: datetime) -> float: ...


class Traces:
    """The sampled requests of the last hour: one a second, and one in twenty of the others."""

    def __init__(self, requests: RequestLog, chance: Chance) -> None:
        self._requests, self._chance = requests, chance

    def between(self, start: float, end: float) -> Iterator[Trace]:
        """Yield the traces that began in [start, end) and have come to their end, oldest first."""
        situations = self._requests.situations
        if not situations:
            return
        first = max(math.floor(start), math.ceil(situations[0].since.timestamp()))
        now = self._requests.settled.timestamp()
        for second in range(first, math.ceil(min(end, now))):
            for trace in self.of_second(second):
                if start <= trace.root.start < end:
                    yield trace

    def of_second(self, second: int) -> list[Trace]:
        """Return the traces that began in one second and have ended."""
        now = self._requests.settled.timestamp()
        situations = self._requests.situations
        if second + 1 > now or not situations or second < situations[0].since.timestamp():
            return []
        at = datetime.fromtimestamp(second, self._requests.settled.tzinfo)
        rate = self._requests.rate(at)
        sure = min(_SAMPLED_EACH_SECOND, rate)
        wanted = sure + _SAMPLED_RATIO * max(rate - sure, 0.0)
        count = math.floor(wanted + self._chance.unit("sampled", second))
        starts = sorted(self._chance.unit("start", second, each) for each in range(count))
        made = (self._made(second, number, start) for number, start in enumerate(starts))
        return [trace for trace in made if trace is not None and trace.end <= now]

    def find(self, trace_id: str) -> Trace | None:
        """Return a trace by its id, which says in which second it began."""
        parts = trace_id.split("-")
        try:
            second = int(parts[1], 16)
        except (IndexError, ValueError):
            return None
        return next((one for one in self.of_second(second) if one.id == trace_id), None)

    def _made(self, second: int, number: int, start: float) -> Trace | None:
        digest = self._chance.digest("trace", second, number)
        random = Random(int.from_bytes(digest[:8], "big"))  # noqa: S311 - a simulation
        situation = self._situation(second + start)
        route = _chosen(random, situation.routes[: len(ROUTES)])
        if not situation.behind.get(route.service):
            return None
        root = _Request(situation, random).answered(route, second + start, None)
        return Trace(id=f"1-{second:08x}-{digest[8:20].hex()}", root=root)

    def _situation(self, at: float) -> Situation:
        situations = self._requests.situations
        position = bisect_right(situations, at, key=lambda one: one.since.timestamp())
        return situations[max(position - 1, 0)]


def _chosen(random: Random, routes: Sequence[Route]) -> Operation:
    left = random.random() * sum(route.share_ratio for route in routes)
    for route in routes:
        left -= route.share_ratio
        if left < 0:
            return route.front
    return routes[-1].front


class _Request:
    """Draws one request's way, in a fixed order."""

    def __init__(self, situation: Situation, random: Random) -> None:
        self._situation, self._random = situation, random

    def answered(self, operation: Operation, start: float, parent: str | None) -> Span:
        """Return what a pod of the service does, from the moment on that the request is there."""
        random, own_id = self._random, self._id()
        pods = self._situation.behind[operation.service]
        pod = pods[int(random.random() * len(pods))]
        own = random.lognormvariate(math.log(pod.own_seconds), SPREAD)
        pieces = [0.5 + random.random() for _ in range(len(operation.calls) + 1)]
        scale, at, calls = own / sum(pieces), start, []
        for piece, call in zip(pieces, operation.calls, strict=False):
            made = self._called(call, at + piece * scale)
            calls.append(made)
            at = made.end
        return Span(
            id=own_id,
            parent=parent,
            operation=operation,
            by=pod,
            start=start,
            end=at + pieces[-1] * scale,
            failed_itself=random.random() < pod.error_ratio,
            calls=tuple(calls),
        )

    def _called(self, call: Call, start: float) -> Outgoing:
        to, random, own_id = call.to, self._random, self._id()
        answered, failed = None, False
        if isinstance(to, Dependency):
            end = start + random.lognormvariate(math.log(to.median_seconds), SPREAD)
            failed = random.random() < to.fault_ratio
        elif self._situation.behind.get(to.service):
            answered = self.answered(to, start + NETWORK_SECONDS / 2, own_id)
            end = answered.end + NETWORK_SECONDS / 2
        else:
            end, failed = start + REFUSED_SECONDS, True
        return Outgoing(
            id=own_id,
            to=to,
            start=start,
            end=end,
            essential=call.essential,
            failed_there=failed,
            answered=answered,
        )

    def _id(self) -> str:
        return f"{self._random.getrandbits(64):016x}"
