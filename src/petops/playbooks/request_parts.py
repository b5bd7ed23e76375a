"""What each service takes of a request through the alarmed one, by whole traces. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from petops.domain.tracing import ServiceMap, SlowTraces, TimeAt

# One failure in twenty, and three times as many as before.
FAILS_RATIO: Final = 0.05
MORE_FAULTS: Final = 3.0
FEWEST_REQUESTS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One service's part of a request through the alarmed one, then and now. Seconds a request."""

    service: str
    now: float
    before: float
    faults: float
    before_faults: float

    @property
    def added(self) -> float:
        return self.now - self.before


def fails(one: Part) -> bool:
    """Say whether requests fail there that did not before."""
    return one.faults >= FAILS_RATIO and one.faults >= MORE_FAULTS * one.before_faults


def parts(traces: SlowTraces, seen: ServiceMap) -> list[Part]:
    """Return each service's part of a request through the alarmed one: itself, and below it."""
    below = _below(traces.service, seen)
    now, then = _each(traces.lately, traces.service), _each(traces.before, traces.service)
    return [
        Part(
            service=one,
            now=now.get(one, (0.0, 0.0))[0],
            before=then.get(one, (0.0, 0.0))[0],
            faults=now.get(one, (0.0, 0.0))[1],
            before_faults=then.get(one, (0.0, 0.0))[1],
        )
        for one in dict.fromkeys((*now, *then))
        if one in below
    ]


def only_caller(seen: ServiceMap | None, service: str, callee: str) -> str:
    """Return the one service behind `service` that calls `callee`; empty where several do."""
    below = _below(service, seen) if seen is not None else set[str]()
    found = {one.caller for one in seen.edges if one.callee == callee} & below if seen else set()
    return found.pop() if len(found) == 1 else ""


def _each(times: Iterable[TimeAt], service: str) -> dict[str, tuple[float, float]]:
    """Return own seconds for each request at `service`, and the share that failed there."""
    every = list(times)
    requests = sum(one.requests for one in every if one.service == service)
    if requests < FEWEST_REQUESTS:
        return {}
    own: dict[str, float] = {}
    many: dict[str, int] = {}
    faults: dict[str, int] = {}
    for one in every:
        own[one.service] = own.get(one.service, 0.0) + one.own_seconds * one.requests
        many[one.service] = many.get(one.service, 0) + one.requests
        faults[one.service] = faults.get(one.service, 0) + one.own_faults
    return {name: (own[name] / requests, faults[name] / max(many[name], 1)) for name in own}


def _below(service: str, seen: ServiceMap) -> set[str]:
    calls: dict[str, list[str]] = {}
    for one in seen.edges:
        calls.setdefault(one.caller, []).append(one.callee)
    found, waiting = {service}, [service]
    while waiting:
        for callee in calls.get(waiting.pop(), ()):
            if callee not in found:
                found.add(callee)
                waiting.append(callee)
    return found
