"""What a workload did over time: whose pods, over which time, and which curves come of counters."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from petops.domain.evidence import Sample, Series, Signal
from petops.domain.facts import Stops
from petops.domain.incident import Board, Incident
from petops.domain.subject import Kind
from petops.programs.dashboard_charts import plots, scope_of, window_of
from petops.tui.palette import DARK, PALETTES
from petops.tui.plots import Plot, amount, memory_of, with_memory
from petops.tui.times import Times
from petops.tui.widgets.chart import chart
from tests.tui.scripted import MITIGATED, PROPOSED, STORY

PAINT = PALETTES[DARK]
AT = STORY[PROPOSED - 1].event.at


def incident(entries: int = PROPOSED) -> Incident:
    (found,) = Board().after(*STORY[:entries]).incidents.values()
    return found


def counter(pod: str, *values: float, container: str = "app") -> Series:
    samples = tuple(
        Sample(at=AT + timedelta(seconds=15 * number), value=value)
        for number, value in enumerate(values)
    )
    return Series(labels=(("container", container), ("pod", pod)), samples=samples)


def test_only_the_workloads_own_pods_count_and_those_that_came_later_too() -> None:
    scope, own = scope_of(incident())
    assert scope is not None
    assert scope.deployments == ("petadoptionshistory-py-leak",)
    assert own.fullmatch("petadoptionshistory-py-leak-7bd4f9c8d-x2x4k")
    assert not own.fullmatch("petadoptionshistory-py-leak-two-7bd4f9c8d-x2x4k")
    assert not own.fullmatch("petadoptionshistory-py-7bd4f9c8d-x2x4k")


def test_a_service_stands_for_the_pods_that_were_found_behind_it() -> None:
    known = incident()
    assert known.alarm.subject is not None
    assert known.alarm.subject.kind is Kind.SERVICE
    scope, own = scope_of(replace(known, diagnosis=None))
    assert scope is not None
    assert len(scope.pods) == 3
    assert all(own.fullmatch(pod) for pod in scope.pods)
    assert scope_of(replace(known, diagnosis=None, answers=()))[0] is None


def test_the_window_ends_now_or_soon_after_the_end() -> None:
    known = incident()
    assert window_of(known, AT).end == AT
    later = AT + timedelta(days=1)
    assert window_of(known, later).end == later
    assert window_of(known, AT).start < known.cycle_began_at


def test_counters_become_rates_ratios_and_sums() -> None:
    read = {
        Signal.CPU_SECONDS_TOTAL: [counter("a", 0, 15, 3), counter("a", 0, 30, 60, container="b")],
        Signal.CPU_PERIODS_TOTAL: [counter("a", 0, 100, 200)],
        Signal.CPU_THROTTLED_PERIODS_TOTAL: [counter("a", 0, 50, 50)],
        Signal.REQUEST_SECONDS_TOTAL: [counter("a", 0, 3, 3)],
        Signal.REQUEST_DURATIONS_TOTAL: [counter("a", 0, 30, 30)],
    }
    found = {one.title: one for one in plots(incident(), read)}
    assert list(found) == ["cpu", "throttled"]  # one reading of latency is no curve
    assert [one.value for one in found["cpu"].curves[0].points] == [3.0, 2.2]
    assert [one.value for one in found["throttled"].curves[0].points] == [50.0, 0.0]


def read_memory(*values: float, container: str = "app") -> tuple[Plot, ...]:
    scaled = counter("a", *(value * 1024 * 1024 for value in values), container=container)
    return plots(incident(), {Signal.MEMORY_RSS_BYTES: [scaled]})


def test_memory_that_goes_on_after_the_diagnosis_is_drawn_with_its_limit() -> None:
    known = memory_of(incident())
    assert known is not None
    assert known.ahead is not None
    blamed = "petadoptionshistory-py"
    (memory,) = with_memory(read_memory(80, 120, container=blamed), known)
    assert memory.end > known.end
    assert (memory.limit, memory.curves[0].top) == (known.limit, known.limit)
    late = int((known.ahead.at - AT).total_seconds() // 15) + 2
    (memory,) = with_memory(read_memory(*[90.0] * late, container=blamed), known)
    assert memory.ahead is None  # that time has come
    assert with_memory(read_memory(80, 120, container="sidecar"), known) == (known,)
    assert with_memory((), known) == (known,)
    assert with_memory((), None) == ()


def test_kills_rollouts_and_the_change_are_drawn_in() -> None:
    memory = memory_of(incident(MITIGATED))
    assert memory is not None
    names = [one.name for one in memory.marks]
    assert any(one.startswith("rollout") for one in names)
    assert any(isinstance(one.fact, Stops) for one in incident().answers)
    drawn = "\n".join(one.plain for one in chart(memory, (100, 20), Times(), PAINT))
    assert "limit" in drawn
    assert "256 MiB" in drawn


def test_a_chart_fits_any_size() -> None:
    memory = memory_of(incident())
    assert memory is not None
    for width, height in ((1, 1), (24, 5), (30, 9), (200, 50)):
        lines = chart(memory, (width, height), Times(), PAINT)
        assert len(lines) <= max(height, 1)


def test_amounts_are_short() -> None:
    told = [amount(0.0123, "s"), amount(12_300, "req/s"), amount(99.6, "%"), amount(3.25, "cores")]
    assert told == ["12 ms", "12.3k req/s", "100 %", "3.25 cores"]
