"""Memory as clusters record it that nobody here has seen: other ends, stale series, no ids."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from petops.domain.alarm import Category
from petops.domain.evidence import Asked, PodScope, Readings, Sample, Series, Signal, Window
from petops.playbooks import failing_probe, memory_leak
from tests.kubernetes_cases import diagnosed
from tests.kubernetes_objects import NOW, ago, ended, event, pod
from tests.playbooks.test_others_cases import told, web

pytestmark = pytest.mark.looptime
Json = Any
MIB = 1024 * 1024
POD = "web-hash1-p1"


class Lives:
    """`Metrics` of one container name: its memory, one life after the other, by seconds ago."""

    def __init__(
        self,
        mib: Callable[[float], float],
        starts: tuple[float, ...],
        *,
        until: float = 0.0,
        ids: bool = True,
    ) -> None:
        self._mib, self._starts, self._until, self._ids = mib, starts, until, ids

    async def read(self, signal: Signal, scope: PodScope, window: Window) -> Readings:
        del scope, window
        found: dict[str, list[Sample]] = {}
        if signal is Signal.MEMORY_RSS_BYTES:
            for ago_ in range(round(self._starts[0]) // 15 * 15, round(self._until) - 1, -15):
                began = min(one for one in self._starts if one >= ago_)
                at = NOW - timedelta(seconds=ago_)
                sample = Sample(at=at, value=self._mib(began - ago_) * MIB)
                found.setdefault(f"c{began}" if self._ids else "", []).append(sample)
        series = (self._series(one, tuple(samples)) for one, samples in found.items())
        return Readings(asked=Asked(source="test", query=str(signal)), series=tuple(series))

    @staticmethod
    def _series(name: str, samples: tuple[Sample, ...]) -> Series:
        labels = {"pod": POD, "container": "app"} | ({"id": name, "name": name} if name else {})
        return Series(labels=tuple(sorted(labels.items())), samples=samples)


def restarted(reason: str, *, started: float, lived: float, restarts: int = 4) -> Json:
    limit = {"resources": {"limits": {"memory": "512Mi"}}}
    return pod(
        "web",
        age=9000,
        state={"running": {"startedAt": ago(started)}},
        last=ended(reason, 137, lived=lived, ago_seconds=started),
        restarts=restarts,
        container=limit,
    )


def kill_events(last: float) -> list[Json]:
    words = "Liveness probe failed: context deadline exceeded"
    killed = "Container app failed liveness probe, will be restarted"
    return [
        event("Unhealthy", "Pod", POD, words, count=12, first=4000, last=last),
        event("Killing", "Pod", POD, killed, count=4, first=4000, last=last),
    ]


STARTS = (3900.0, 3000.0, 2100.0, 1200.0, 300.0)


async def test_a_leak_that_a_probe_ends_near_the_limit_is_a_leak() -> None:
    """Short of memory it is too slow for its liveness probe, before the kernel kills it."""
    killed = restarted("Error", started=300, lived=900)
    api = web(killed, events=kill_events(300))
    grows = Lives(lambda age: 60 + age * 0.48, STARTS)
    found = await diagnosed(api, category=Category.MEMORY, metrics=grows)
    assert found.cause is not None
    assert found.cause.mode == memory_leak.NAME, found.because
    # The same kills far from the limit are the probe's.
    little = Lives(lambda age: 60 + age * 0.1, STARTS)
    found = await diagnosed(api, category=Category.MEMORY, metrics=little)
    assert found.cause is not None
    assert found.cause.mode == failing_probe.NAME, found.because


async def test_growth_that_was_last_measured_long_ago_is_no_leak_of_now() -> None:
    runs = pod("web", age=9000, container={"resources": {"limits": {"memory": "512Mi"}}})
    grown = Lives(lambda age: 60 + age * 0.1, (4000.0,), until=1200)
    found = await diagnosed(web(runs), category=Category.MEMORY, metrics=grown)
    assert found.cause is None
    assert "was not measured since 11:40:00Z" in told(found, memory_leak.NAME).because
    grown = Lives(lambda age: 60 + age * 0.1, (4000.0,), until=60)
    found = await diagnosed(web(runs), category=Category.MEMORY, metrics=grown)
    assert found.cause is not None, found.because


async def test_lives_whose_series_has_no_id_are_told_apart_by_their_starts() -> None:
    killed = restarted("OOMKilled", started=300, lived=900)
    saw = Lives(lambda age: 60 + age * 0.48, STARTS[-2:], ids=False)
    found = await diagnosed(web(killed), category=Category.MEMORY, metrics=saw)
    assert found.cause is not None
    assert found.cause.mode == memory_leak.NAME, found.because
    assert "in 2 of 2 lifetimes" in found.cause.rows[0].seen
