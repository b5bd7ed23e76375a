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
    base = f"/nodes/{node}/metrics"
    return (
        Exporter(
            job="cadvisor",
            path=f"{base}/cadvisor",
            labels=kubelet,
            samples=lambda snapshot: cadvisor_samples(*snapshot.of_node(node)),
        ),
        Exporter(
            job="resource",
            path=f"{base}/resource",
            labels=kubelet,
            samples=lambda snapshot: resource_samples(*snapshot.of_node(node)),
        ),
        Exporter(
            job="kubelet",
            path=base,
            labels=kubelet,
            samples=lambda snapshot: kubelet_samples(snapshot.of_node(node)[1]),
        ),
        Exporter(
            job="node-exporter",
            path=f"{base}/node-exporter",
            labels=(("instance", f"{node}:9100"), ("node", node)),
            samples=lambda snapshot: node_samples(snapshot.of_node(node)[1]),
        ),
    )


def scrape_app(
    world: Telemetry, scraped: Iterable[Exporter], *, every_seconds: float = 1.0
) -> Starlette:
    """Return the application that serves all exporters, each looked at `every_seconds`."""
    snapshots = Snapshots(world, every_seconds * _SHARED_RATIO, time.monotonic)

    def route(exporter: Exporter) -> Route:
        async def answer(_: Request) -> Response:
            snapshot = snapshots.now()
            if every_seconds > 1:  # it may be long: who watches meanwhile must not wait for it
                text = await asyncio.to_thread(exporter.rendered, snapshot)
            else:
                text = exporter.rendered(snapshot)
            return Response(text, headers={"content-type": CONTENT_TYPE})

        return Route(exporter.path, answer)

    return Starlette(routes=[route(each) for each in scraped])


async def history(
    world: Telemetry, scraped: Sequence[Exporter], until: datetime, lasts: timedelta = HISTORY
) -> Timeline:
    """Return what lies before `until` as if it had been scraped every 15 seconds."""
    timeline = Timeline()
    steps = int(lasts / STEP)
    for step in range(steps):
        at = until - (steps - step) * STEP
        _add(timeline, Snapshot.past(world, at), scraped, at, all_jobs=step % _OBJECTS_EVERY == 0)
        await asyncio.sleep(0)
    return timeline


async def bridged(
    world: Telemetry, scraped: Sequence[Exporter], prometheus: Prometheus, clock: Clock
) -> None:
    """Push what is, every second, until Prometheus itself has scraped every exporter.

    It finds its targets only some seconds after its start, whatever it is told.
    """
    while True:
        timeline = Timeline()
        _add(timeline, Snapshot.now(world), scraped, clock.now(), all_jobs=True)
        with suppress(SourceError):  # it is being started again, or has just scraped the same
            await push(timeline, prometheus.url)
            if len(await prometheus.query("scrape_duration_seconds")) >= len(scraped):
                return
        await clock.sleep(1)


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
            labels = exporter.series_labels
            timeline.add((Sample("up", (), 1),), labels, at_ms)
            timeline.add(exporter.samples(snapshot), labels, at_ms)
