"""The addresses that Prometheus scrapes in the lab, and the hour that lies before its first scrape.

Scraped and pushed samples come from the same functions and get the same labels, so that no series
has a seam where history ends.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from petops.errors import SourceError
from petops.lab.application_metrics import application_samples, application_text
from petops.lab.cadvisor import cadvisor_samples, resource_samples
from petops.lab.exposition import CONTENT_TYPE, Labels, Sample, milliseconds, render
from petops.lab.kube_state_metrics import kube_state_samples
from petops.lab.kube_state_text import KubeStateText
from petops.lab.node_exporter import kubelet_samples, node_samples
from petops.lab.prometheus import Prometheus, ScrapeTarget
from petops.lab.remote_write import Timeline, push
from petops.lab.telemetry import Snapshot, Snapshots, Telemetry
from petops.ports import Clock

HISTORY: Final = timedelta(hours=1)
STEP: Final = timedelta(seconds=15)
# Objects hardly move, and Prometheus looks five minutes back: every minute is enough for them.
_OBJECTS_EVERY: Final = 4
# How old a snapshot may be, of the time between two scrapes, so that all targets share it.
_SHARED_RATIO: Final = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Exporter:
    """One scrape target: where it is, what a scrape adds, and what it shows of a snapshot."""

    job: str
    path: str
    labels: Labels
    samples: Callable[[Snapshot], Iterable[Sample]]
    text: Callable[[Snapshot], str] | None = None
    """A faster way to write them, where there is one."""
    answers: Callable[[Snapshot], bool] = lambda snapshot: True
    """Whether anything listens there at all."""

    def rendered(self, snapshot: Snapshot) -> str:
        """Return what a scrape gets."""
        return self.text(snapshot) if self.text else render(self.samples(snapshot))

    def target(self, address: str) -> ScrapeTarget:
        """Return it as Prometheus is told of it."""
        return ScrapeTarget(job=self.job, address=address, path=self.path, labels=self.labels)

    @property
    def series_labels(self) -> Labels:
        return (*self.labels, ("job", self.job))


def exporters(nodes: Iterable[str]) -> tuple[Exporter, ...]:
    """Return what is scraped in a cluster of these nodes."""
    written = KubeStateText()
    return (
        *(each for node in nodes for each in _on_node(node)),
        Exporter(
            job="kube-state-metrics",
            path="/metrics/kube-state-metrics",
            labels=(("instance", "kube-state-metrics:8080"),),
            samples=lambda snapshot: kube_state_samples(snapshot.store.objects),
            text=lambda snapshot: written.render(snapshot.store.objects),
        ),
        Exporter(
            job="application",
            path="/metrics/application",
            labels=(("instance", "application:8080"),),
            samples=lambda snapshot: application_samples(snapshot.traffic),
            text=lambda snapshot: application_text(snapshot.traffic),
        ),
    )


def _on_node(node: str) -> tuple[Exporter, ...]:
    kubelet: Labels = (("instance", node), ("node", node))

    def kubelet_answers(snapshot: Snapshot) -> bool:
        return snapshot.has_node(node) and node not in snapshot.silent

    base = f"/nodes/{node}/metrics"
    return (
        Exporter(
            job="cadvisor",
            path=f"{base}/cadvisor",
            labels=kubelet,
            samples=lambda snapshot: cadvisor_samples(*snapshot.of_node(node)),
            answers=kubelet_answers,
        ),
        Exporter(
            job="resource",
            path=f"{base}/resource",
            labels=kubelet,
            samples=lambda snapshot: resource_samples(*snapshot.of_node(node)),
            answers=kubelet_answers,
        ),
        Exporter(
            job="kubelet",
            path=base,
            labels=kubelet,
            samples=lambda snapshot: kubelet_samples(snapshot.of_node(node)[1]),
            answers=kubelet_answers,
        ),
        Exporter(
            job="node-exporter",
            path=f"{base}/node-exporter",
            labels=(("instance", f"{node}:9100"), ("node", node)),
            samples=lambda snapshot: node_samples(snapshot.of_node(node)[1]),
            answers=lambda snapshot: snapshot.has_node(node),
        ),
    )


class Scrapes:
    """Answers Prometheus' scrapes, and pushes in their stead until each target had its first."""

    def __init__(
        self, world: Telemetry, scraped: Sequence[Exporter], *, every_seconds: float = 1.0
    ) -> None:
        self._world, self._scraped, self._every = world, scraped, every_seconds
        self._snapshots = Snapshots(world, every_seconds * _SHARED_RATIO, time.monotonic)
        self._unmet = {each.path: each for each in scraped}
        self.app = Starlette(routes=[self._route(each) for each in scraped])

    def _route(self, exporter: Exporter) -> Route:
        async def answer(_: Request) -> Response:
            self._unmet.pop(exporter.path, None)
            snapshot = self._snapshots.now()
            if not exporter.answers(snapshot):
                return Response("nothing listens here now", status_code=503)
            if self._every > 1:  # it may be long: who watches meanwhile must not wait for it
                text = await asyncio.to_thread(exporter.rendered, snapshot)
            else:
                text = exporter.rendered(snapshot)
            return Response(text, headers={"content-type": CONTENT_TYPE})

        return Route(exporter.path, answer)

    async def prepare(self) -> None:
        """Write what the first scrape of the objects would have to write: later ones reuse it."""
        snapshot = self._snapshots.now()
        for exporter in self._scraped:
            if exporter.text:
                await asyncio.to_thread(exporter.rendered, snapshot)

    async def bridge(self, prometheus: Prometheus, clock: Clock) -> None:
        """Push what is, as often as it is to be scraped, until Prometheus has asked for all of it.

        It does so only some seconds after its start, whatever it is told. What was seen is pushed
        a while later, and only of targets that were not scraped meanwhile: a scrape is stamped
        with the time at which it began, so that one that is as good as simultaneous with a push
        would stand before it with a later value, and a counter seem to be reset.
        """
        while self._unmet:
            seen, at = Snapshot.now(self._world), clock.now()
            await clock.sleep(max(self._every, 1.0))
            timeline = Timeline()
            _add(timeline, seen, tuple(self._unmet.values()), at, all_jobs=True)
            with suppress(SourceError):  # it is being started again
                await push(timeline, prometheus.url)


async def history(
    world: Telemetry, scraped: Sequence[Exporter], until: datetime, lasts: timedelta = HISTORY
) -> Timeline:
    """Return what lies before `until`, the present, as if it had been scraped every 15 seconds."""
    timeline = Timeline()
    steps = int(lasts / STEP)
    for step in range(steps):
        at = until - (steps - step) * STEP
        _add(timeline, Snapshot.past(world, at), scraped, at, all_jobs=step % _OBJECTS_EVERY == 0)
        await asyncio.sleep(0)
    _add(timeline, Snapshot.now(world), scraped, until, all_jobs=True)
    return timeline


def _add(
    timeline: Timeline,
    snapshot: Snapshot,
    scraped: Sequence[Exporter],
    at: datetime,
    *,
    all_jobs: bool,
) -> None:
    at_ms = milliseconds(snapshot.at(at))
    for exporter in scraped:
        if all_jobs or exporter.job != "kube-state-metrics":
            labels, answers = exporter.series_labels, exporter.answers(snapshot)
            timeline.add((Sample("up", (), answers),), labels, at_ms)
            if answers:
                timeline.add(exporter.samples(snapshot), labels, at_ms)
