"""Localisation on made-up applications whose cause is known, and on PetShop where it is at hand."""

from __future__ import annotations

import json
import math
import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from benchmarks.petshop import SYMPTOMS, load, scenario
from benchmarks.petshop import main as benchmark
from petops.domain.call_graph import CallGraph, NodeSeries, Symptom, Telemetry
from petops.errors import UsageError
from petops.playbooks.excess_ledger import costs, levels, open_ledger
from petops.playbooks.localisation import Localisation, learn, localise

PETSHOP = Path(__file__).parents[3] / "shared" / "petshop"
ROWS, BEFORE, NORMAL_ROWS = 5, 2, 120
NAN = float("nan")

# A shop: the frontend calls two services, which share a database; a queue that nobody waits for.
SHOP = (
    ("frontend", "cart"),
    ("frontend", "search"),
    ("cart", "database"),
    ("search", "database"),
    ("frontend", "queue"),
)
REQUESTS = {"frontend": 600, "cart": 200, "search": 400, "database": 600, "queue": 50}
OWN_SECONDS = {"frontend": 0.02, "cart": 0.03, "search": 0.01, "database": 0.005, "queue": 2.0}
NOT_WAITED_FOR = {"queue"}


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What is wrong from row `since` on: seconds added, requests failed, traffic multiplied."""

    seconds: Mapping[str, float] = field(default_factory=dict)
    errors: Mapping[str, float] = field(default_factory=dict)
    traffic: float = 1.0
    since: int = BEFORE


def shop(seed: int, rows: int, fault: Fault | None = None) -> Telemetry:
    """Simulate the shop row by row, callees first."""
    chance = random.Random(seed)  # noqa: S311 - made up, and the same every time
    graph = CallGraph.of(SHOP)
    told: dict[str, list[tuple[float, float, float]]] = {node: [] for node in REQUESTS}
    for row in range(rows):
        wrong = fault if fault and row >= fault.since else Fault()
        load_ = chance.gauss(1, 0.03) * wrong.traffic
        requests = {node: round(many * load_) for node, many in REQUESTS.items()}
        seconds: dict[str, float] = {}
        errors: dict[str, float] = {}
        for node in reversed(graph.callers_first("frontend")):
            waits = [one for one in graph.callees[node] if one not in NOT_WAITED_FOR]
            own = OWN_SECONDS[node] * chance.lognormvariate(0, 0.5 if node == "queue" else 0.1)
            own += wrong.seconds.get(node, 0.0)
            calls = {one: part(node, one, graph) for one in waits}
            seconds[node] = own + sum(many * seconds[one] for one, many in calls.items())
            failed = sum(
                chance.random() < wrong.errors.get(node, 0.0) for _ in range(requests[node])
            )
            errors[node] = failed / requests[node]
            errors[node] += sum(many * errors[one] for one, many in calls.items())
            told[node].append((requests[node], seconds[node], errors[node]))
    return Telemetry(
        rows=rows,
        nodes={
            node: NodeSeries(
                requests=tuple(many for many, _, _ in values),
                latency_seconds=tuple(seconds for _, seconds, _ in values),
                error_ratio=tuple(ratio for _, _, ratio in values),
            )
            for node, values in told.items()
        },
    )


def part(caller: str, callee: str, graph: CallGraph) -> float:
    """How many calls a request of the caller makes."""
    callers = sum(REQUESTS[one] for one in graph.callers[callee])
    return REQUESTS[callee] / callers


def found(
    fault: Fault | None = None,
    symptom: Symptom = Symptom.LATENCY,
    *,
    seed: int = 1,
    window: Telemetry | None = None,
    normal: Telemetry | None = None,
) -> Localisation:
    known = learn(
        CallGraph.of(SHOP),
        normal or shop(1000 + seed, NORMAL_ROWS),
        "frontend",
        symptom,
        rows=ROWS,
    )
    return localise(known, window or shop(seed, ROWS, fault))


def changed(telemetry: Telemetry, node: str, series: NodeSeries | None) -> Telemetry:
    nodes = {name: one for name, one in telemetry.nodes.items() if name != node}
    return replace(telemetry, nodes=nodes if series is None else {**nodes, node: series})


def spoiled(telemetry: Telemetry, node: str, *rows: int) -> Telemetry:
    """Make readings of one node NaN, as an exporter does that has nothing to say."""
    series = telemetry.nodes[node]
    seconds = tuple(NAN if i in rows else at for i, at in enumerate(series.latency_seconds))
    ratio = tuple(None if i in rows else at for i, at in enumerate(series.error_ratio))
    return changed(telemetry, node, replace(series, latency_seconds=seconds, error_ratio=ratio))


@pytest.mark.parametrize("node", ["frontend", "cart", "search", "database"])
def test_whoever_is_slow_by_itself_is_named(node: str) -> None:
    answer = found(Fault(seconds={node: 0.2}))
    assert answer.cause == answer.ranking[0].node == node
    assert node in answer.why


@pytest.mark.parametrize("node", ["frontend", "cart", "search", "database"])
def test_whoever_fails_by_itself_is_named(node: str) -> None:
    answer = found(Fault(errors={node: 0.1}), Symptom.ERRORS)
    assert answer.cause == answer.ranking[0].node == node


def test_a_fault_that_fills_the_window_is_found_too() -> None:
    assert found(Fault(seconds={"search": 0.1}, since=0)).cause == "search"


def test_a_surge_of_traffic_alone_is_no_cause() -> None:
    surge = Fault(traffic=4.0)
    assert found(surge).cause is None
    assert found(surge, Symptom.ERRORS).cause is None


def test_a_fault_is_found_in_a_surge() -> None:
    assert found(Fault(traffic=4.0, seconds={"cart": 0.1})).cause == "cart"


def test_getting_faster_is_no_cause() -> None:
    slow = Fault(seconds={"database": 0.2}, since=0)
    normal = shop(2, NORMAL_ROWS, slow)
    window = shop(3, ROWS, replace(slow, since=0))
    fast = shop(3, ROWS)
    seconds = {node: series.latency_seconds for node, series in fast.nodes.items()}
    nodes = {
        node: replace(series, latency_seconds=(*series.latency_seconds[:3], *seconds[node][3:]))
        for node, series in window.nodes.items()
    }
    answer = found(window=replace(window, nodes=nodes), normal=normal)
    assert answer.cause is None
    assert "within what it shows" in answer.why


def test_a_callee_that_nobody_waits_for_is_no_cause() -> None:
    answer = found(Fault(seconds={"queue": 3.0}))
    assert answer.cause is None


@pytest.mark.parametrize("symptom", list(Symptom))
def test_normal_times_have_no_cause(symptom: Symptom) -> None:
    known = learn(CallGraph.of(SHOP), shop(0, NORMAL_ROWS), "frontend", symptom, rows=ROWS)
    named = [localise(known, shop(seed, ROWS)).cause for seed in range(1, 21)]
    assert named == [None] * 20


def test_few_windows_of_a_long_normal_time_are_given_a_cause() -> None:
    normal, later = shop(4, NORMAL_ROWS), shop(5, 400)
    known = learn(CallGraph.of(SHOP), normal, "frontend", Symptom.LATENCY, rows=ROWS)
    named = Counter(
        localise(known, later.between(start, start + ROWS)).cause for start in range(0, 400, ROWS)
    )
    assert named[None] >= 0.95 * sum(named.values())


def test_names_and_order_change_nothing() -> None:
    chance = random.Random(7)  # noqa: S311
    names = {node: f"x{chance.random()}" for node in REQUESTS}
    calls = [(names[a], names[b]) for a, b in SHOP]
    chance.shuffle(calls)

    def told(telemetry: Telemetry) -> Telemetry:
        nodes = [(names[node], series) for node, series in telemetry.nodes.items()]
        chance.shuffle(nodes)
        return replace(telemetry, nodes=dict(nodes))

    normal, window = shop(8, NORMAL_ROWS), shop(9, ROWS, Fault(seconds={"database": 0.02}))
    before = found(normal=normal, window=window)
    known = learn(CallGraph.of(calls), told(normal), names["frontend"], Symptom.LATENCY, rows=ROWS)
    after = localise(known, told(window))
    assert after.cause == names[before.cause or ""]
    assert [names[one.node] for one in before.ranking] == [one.node for one in after.ranking]
    assert [one.excess for one in before.ranking] == pytest.approx(
        [one.excess for one in after.ranking]
    )


def test_a_node_that_was_never_measured_hides_no_other() -> None:
    fault = Fault(seconds={"search": 0.1})
    normal, window = shop(10, NORMAL_ROWS), shop(11, ROWS, fault)
    answer = found(
        normal=changed(normal, "database", None), window=changed(window, "database", None)
    )
    assert answer.cause == "search"
    assert answer.unmeasured == ("database",)


def test_a_caller_is_not_blamed_for_a_callee_that_went_dark() -> None:
    window = spoiled(shop(12, ROWS, Fault(seconds={"database": 0.3})), "database", *range(ROWS))
    answer = found(window=window)
    assert answer.cause is None
    assert "database is not measured any more" in answer.why


def test_nan_is_not_zero() -> None:
    """Zero would be the fastest and the most available of all."""
    window = shop(13, ROWS, Fault(seconds={"cart": 0.2}))
    for node in ("search", "database", "cart"):
        window = spoiled(window, node, 0)
    answer = found(window=window)
    assert answer.cause == "cart"
    assert not answer.unmeasured


def test_a_target_that_was_not_measured_is_told_from_one_that_is_well() -> None:
    window = spoiled(shop(14, ROWS), "frontend", *range(ROWS))
    answer = found(window=window)
    assert answer.cause is None
    assert answer.target_excess is None
    assert "blind" in answer.why


def test_no_cause_is_named_without_requests() -> None:
    window = shop(15, ROWS, Fault(seconds={"cart": 0.2}))
    unknown = replace(window.nodes["cart"], requests=())
    answer = found(window=changed(window, "cart", unknown))
    assert answer.ranking[0].node == "cart"
    assert answer.cause is None
    assert "requests" in answer.why


def test_nothing_at_all_is_answered_too() -> None:
    empty = Telemetry(rows=ROWS, nodes={})
    answer = found(window=empty, normal=Telemetry(rows=0, nodes={}))
    assert answer.cause is None
    assert len(answer.ranking) == len(answer.unmeasured) == len(REQUESTS)


def test_too_short_a_normal_time_names_nothing() -> None:
    answer = found(Fault(seconds={"database": 0.3}), normal=shop(16, 20))
    assert answer.ranking[0].node == "database"
    assert answer.cause is None
    assert "too few" in answer.why


def one_node(seed: int, rows: int, seconds: float = 0.0) -> Telemetry:
    chance = random.Random(seed)  # noqa: S311 - made up, and the same every time
    latency = tuple(
        chance.gauss(0.1, 0.005) + (seconds if row >= BEFORE else 0) for row in range(rows)
    )
    return Telemetry(
        rows=rows, nodes={"alone": NodeSeries(requests=(100.0,) * rows, latency_seconds=latency)}
    )


@pytest.mark.parametrize(("seconds", "cause"), [(0.0, None), (0.2, "alone")])
def test_a_node_alone(seconds: float, cause: str | None) -> None:
    graph = CallGraph.of((), nodes=["alone"])
    known = learn(graph, one_node(1, NORMAL_ROWS), "alone", Symptom.LATENCY, rows=ROWS)
    assert localise(known, one_node(2, ROWS, seconds)).cause == cause


def ring(seed: int, rows: int, seconds: float = 0.0) -> Telemetry:
    """Three nodes that call each other in a ring, and the last one itself."""
    chance = random.Random(seed)  # noqa: S311 - made up, and the same every time
    latency: dict[str, list[float]] = {"a": [], "b": [], "c": []}
    for row in range(rows):
        total = 0.0
        for node in ("c", "b", "a"):
            total += chance.gauss(0.05, 0.002)
            total += seconds if node == "c" and row >= BEFORE else 0.0
            latency[node].append(total)
    return Telemetry(
        rows=rows,
        nodes={
            node: NodeSeries(requests=(100.0,) * rows, latency_seconds=tuple(values))
            for node, values in latency.items()
        },
    )


@pytest.mark.parametrize(("seconds", "cause"), [(0.0, None), (0.1, "c")])
def test_a_graph_with_cycles(seconds: float, cause: str | None) -> None:
    graph = CallGraph.of([("a", "b"), ("b", "c"), ("c", "a"), ("c", "c")])
    known = learn(graph, ring(1, NORMAL_ROWS), "a", Symptom.LATENCY, rows=ROWS)
    assert localise(known, ring(2, ROWS, seconds)).cause == cause


@pytest.mark.parametrize("symptom", list(Symptom))
def test_excess_is_charged_to_callers_in_full(symptom: Symptom) -> None:
    graph, normal = CallGraph.of(SHOP), shop(20, NORMAL_ROWS)
    window = shop(21, ROWS, Fault(seconds={"database": 0.1}, errors={"database": 0.2}))
    ledger = open_ledger(graph, window, "frontend", symptom, levels(graph, normal, symptom))
    for row in range(ROWS):
        parts = [ledger.charged[caller, "database"][row] or 0.0 for caller in ("cart", "search")]
        assert sum(parts) == pytest.approx(ledger.excess["database"][row])


def test_a_mean_is_made_from_quantiles() -> None:
    """Of an exponential distribution with a mean of 1 s."""
    quantiles = {at: (-math.log(1 - at),) for at in (0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)}
    (mean,) = costs(NodeSeries(latency_quantile_seconds=quantiles), Symptom.LATENCY)
    assert mean == pytest.approx(1.0, abs=0.05)


def test_one_quantile_is_no_mean() -> None:
    assert costs(NodeSeries(latency_quantile_seconds={0.9: (1.0,)}), Symptom.LATENCY) == [None]


def test_callers_come_before_their_callees() -> None:
    order = CallGraph.of(SHOP).callers_first("frontend")
    assert order[0] == "frontend"
    assert all(order.index(caller) < order.index(callee) for caller, callee in SHOP)


def test_what_does_not_fit_is_refused_in_words() -> None:
    graph, normal = CallGraph.of(SHOP), shop(22, NORMAL_ROWS)
    known = learn(graph, normal, "frontend", Symptom.LATENCY, rows=ROWS)
    with pytest.raises(UsageError, match="4 rows"):
        localise(known, shop(23, 4))
    with pytest.raises(UsageError, match="not in the call graph"):
        learn(graph, normal, "nobody", Symptom.LATENCY, rows=ROWS)
    with pytest.raises(UsageError, match="2 readings in 3 rows"):
        Telemetry(rows=3, nodes={"cart": NodeSeries(requests=(1.0, 2.0))})
    with pytest.raises(UsageError, match="no node"):
        CallGraph({"cart": ("database",)})


@pytest.mark.parametrize("arguments", [[], ["--data", "/no/such/folder"]])
def test_the_benchmark_says_what_it_lacks(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert benchmark(arguments) == 0
    assert "petshop" in json.loads(capsys.readouterr().out)["skipped"].lower()


@pytest.mark.slow
@pytest.mark.skipif(not PETSHOP.is_dir(), reason="the PetShop data is not at ../shared/petshop")
def test_petshop() -> None:
    counts: Counter[str] = Counter()
    for traffic in load(PETSHOP):
        for metric in SYMPTOMS:
            counts += scenario(traffic, metric, folds=2)[1]
    assert counts["top1"] >= 0.95 * counts["issues"]
    assert counts["named_right"] >= 0.85 * counts["issues"]
    assert counts["quiet"] >= 0.95 * counts["fault_free"]
