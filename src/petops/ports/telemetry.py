"""What the engine asks of metrics, traces and logs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from petops.domain.cloud import BalancerUse, CloudUse
from petops.domain.evidence import PodScope, Readings, Signal, Window
from petops.domain.subject import Subject
from petops.domain.traces import LogLine, ServiceGraph, Trace, TraceSummary, Wanted
from petops.ports.answers import Told


class Metrics(Protocol):
    """Numbers over time."""

    async def read(self, signal: Signal, scope: PodScope, window: Window) -> Readings:
        """Return one series a container, with the samples' own times; raise SourceError."""


class Traces(Protocol):
    """Requests as they went through the services. Each call raises SourceError."""

    async def find(self, wanted: Wanted, window: Window) -> Told[tuple[TraceSummary, ...]]:
        """Return requests in brief."""

    async def whole(self, ids: Sequence[str]) -> Told[tuple[Trace, ...]]:
        """Return requests with all their segments; those that are gone are left out."""

    async def graph(self, window: Window) -> Told[ServiceGraph]:
        """Return who called whom, how often and how long."""


class Logs(Protocol):
    """What containers wrote."""

    async def lines(
        self, scope: PodScope, window: Window, *, containing: str = "", limit: int = 200
    ) -> Told[tuple[LogLine, ...]]:
        """Return lines of some pods, newest first; raise SourceError."""


class Cloud(Protocol):
    """What the cloud measured by itself, for where no metrics of ours are. Raises SourceError."""

    async def workload(self, subject: Subject, window: Window) -> Told[CloudUse]:
        """Return how a workload's pods stand against their limits, lately and before."""

    async def balancer(self, name: str, window: Window) -> Told[BalancerUse]:
        """Return what a load balancer saw, lately and before."""
