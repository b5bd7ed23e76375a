"""Is it alive, can it do its work, and what has it done: for probes and for Prometheus."""

from __future__ import annotations

from collections import Counter as Counted
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from petops.domain.incident import Board
from petops.domain.phases import Phase


class Metrics:
    """petops' own metrics, in a registry of their own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "petops_requests",
            "Requests that this listener took, by kind and by what became of them.",
            ("kind", "outcome"),
            registry=self._registry,
        )

    def took(self, kind: str, *, refused: bool) -> None:
        """Count one request."""
        self._requests.labels(kind, "refused" if refused else "accepted").inc()

    def text(self, board: Board) -> bytes:
        """Return what was counted, and what the board shows, as Prometheus reads it."""
        shown = CollectorRegistry()
        shown.register(_Shown(board))
        return generate_latest(self._registry) + generate_latest(shown)


class _Shown:
    """What one board shows, as metrics."""

    def __init__(self, board: Board) -> None:
        self._board = board

    def collect(self) -> Iterator[Metric]:
        phases = Counted(one.phase for one in self._board.incidents.values())
        incidents = GaugeMetricFamily("petops_incidents", "Incidents by phase.", labels=["phase"])
        for phase in Phase:
            incidents.add_metric([str(phase)], phases[phase])
        yield incidents
        yield GaugeMetricFamily(
            "petops_journal_seq", "The last entry's number in the journal.", self._board.seq
        )
        yield CounterMetricFamily(
            "petops_alarms_turned_away", "Reports that led to nothing.", self._board.turned_away
        )
