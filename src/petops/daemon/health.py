"""Is it alive, can it do its work, and what has it done: for probes and for Prometheus."""

from __future__ import annotations

from collections import Counter as Counted
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    Metric,
    SummaryMetricFamily,
)

from petops.domain import events as ev
from petops.domain.alarm import Priority
from petops.domain.incident import Board, Incident
from petops.domain.phases import OVER, Phase
from petops.domain.stages import stages

Readings = Callable[[], Mapping[str, tuple[str, float]]]
"""Gauges of what runs beside the engine: by name, what it is and what it shows now."""


_ACTS: Final[Mapping[str, type]] = {
    "applied": ev.RemedyApplied,
    "failed": ev.ActFailed,
    "taken-back": ev.TakenBack,
}
_REFUSALS: Final[Mapping[str, type]] = {
    "approval": ev.ApprovalRefused,
    "request": ev.RequestRefused,
}


class Metrics:
    """petops' own metrics, in a registry of their own."""

    def __init__(self, beside: Readings | None = None) -> None:
        self._beside = beside or dict
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
        shown.register(_Shown(board, self._beside()))
        return generate_latest(self._registry) + generate_latest(shown)


class _Shown:
    """What one board shows, as metrics."""

    def __init__(self, board: Board, beside: Mapping[str, tuple[str, float]]) -> None:
        self._board = board
        self._beside = beside

    def collect(self) -> Iterator[Metric]:
        every = tuple(self._board.incidents.values())
        phases = Counted(one.phase for one in every)
        incidents = GaugeMetricFamily("petops_incidents", "Incidents by phase.", labels=["phase"])
        for phase in Phase:
            incidents.add_metric([str(phase)], phases[phase])
        yield incidents
        urgent = Counted(one.assessment.priority for one in every if one.phase not in OVER)
        still = GaugeMetricFamily(
            "petops_open_incidents",
            "Incidents that are not over, by priority.",
            labels=["priority"],
        )
        for priority in Priority:
            still.add_metric([str(priority)], urgent[priority])
        yield still
        yield GaugeMetricFamily(
            "petops_journal_seq", "The last entry's number in the journal.", self._board.seq
        )
        yield CounterMetricFamily(
            "petops_alarms_turned_away", "Reports that led to nothing.", self._board.turned_away
        )
        yield CounterMetricFamily(
            "petops_alarms_joined",
            "Reports that opened no incident of their own.",
            sum(one.joined for one in every),
        )
        yield _stages(every)
        yield from _counted(every)
        for name, (about, value) in self._beside.items():
            yield GaugeMetricFamily(f"petops_{name}", about, value)


def _stages(incidents: tuple[Incident, ...]) -> Metric:
    """Return where the time of incidents went."""
    seconds: dict[str, list[float]] = {}
    for one in incidents:
        found = stages(one)
        for name in found.__dataclass_fields__:
            value = getattr(found, name)
            if value is not None:
                seconds.setdefault(name.removesuffix("_seconds"), []).append(value)
    made = SummaryMetricFamily(
        "petops_stage_seconds", "Seconds of each stage of incidents.", labels=["stage"]
    )
    for stage, values in seconds.items():
        made.add_metric([stage], len(values), sum(values))
    return made


def _counted(incidents: tuple[Incident, ...]) -> Iterator[Metric]:
    """Count steps, acts and refusals over the whole journal."""
    steps: Counted[tuple[str, str]] = Counted()
    others: Counted[type] = Counted()
    for one in incidents:
        for entry in one.history:
            match entry.event:
                case ev.StepAnswered(answer=answer):
                    steps[answer.step, "answered"] += 1
                case ev.StepUnanswered(unknown=unknown):
                    steps[unknown.step, "unanswered"] += 1
                case event:
                    others[type(event)] += 1
    made = CounterMetricFamily(
        "petops_steps", "Questions asked, by step and outcome.", labels=["step", "outcome"]
    )
    for (step, outcome), count in steps.items():
        made.add_metric([step, outcome], count)
    yield made
    done = CounterMetricFamily(
        "petops_acts", "Changes, by what became of them.", labels=["outcome"]
    )
    for outcome, kind in _ACTS.items():
        done.add_metric([outcome], others[kind])
    yield done
    refused = CounterMetricFamily("petops_refusals", "What was refused, by kind.", labels=["kind"])
    for what, kind in _REFUSALS.items():
        refused.add_metric([what], others[kind])
    yield refused
