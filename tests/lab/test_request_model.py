"""One model of requests: metrics and traces tell the same, and who is slow is slow himself."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from petops.lab import application
from petops.lab.answering import share_within
from petops.lab.call_paths import ROUTES, Dependency, requests_for_each, walk, with_copies
from petops.lab.programs import Behaviour, Program, ordinary
from petops.lab.spans import Span, Trace, Traces
from petops.lab.usage import DURATION_BUCKETS
from petops.lab.world import World
from tests.lab.hand_clock import BEGAN, HandClock

pytestmark = pytest.mark.slow

PAY, SEARCH, HISTORY, LIST, FRONT = (
    "payforadoption-go",
    "petsearch-java",
    "petadoptionshistory-py",
    "petlistadoptions-go",
    "petsite",
)


def burning(program: Program) -> Behaviour:
    """A program that wants four times its CPU limit."""
    return replace(ordinary(program), cpu_cores=lambda _: 4 * (program.cpu_limit_cores or 1))


class Shop:
    """A world whose services can be broken by a label on their pods."""

    def __init__(self, seed: int = 0, history: timedelta = timedelta(minutes=2)) -> None:
        self.clock = HandClock()
        self.world = World(self.clock, seed, {"burning": burning}, history=history)
        self.traces = Traces(self.world.requests, self.world.chance)

    def pass_seconds(self, seconds: float) -> None:
        self.clock.at += timedelta(seconds=seconds)
        self.world.step()
        self.world.requests.settle()

    def label(self, deployment: str, scenario: str) -> None:
        found = self.world.store.get("deployments", "default", deployment)
        template = {"metadata": {"labels": {"petops.dev/scenario": scenario}}}
        container = {"name": deployment, "image": "broken:1"}
        self.world.apply(
            [
                {
                    "apiVersion": "apps/v1",
                    "kind": "Deployment",
                    "metadata": {"name": found["metadata"]["name"]},
                    "spec": {"template": {**template, "spec": {"containers": [container]}}},
                }
            ]
        )

    def last(self, seconds: float) -> list[Trace]:
        now = self.world.now.timestamp()
        return list(self.traces.between(now - seconds, now))


def spans_by_service(traces: Sequence[Trace]) -> dict[str, list[Span]]:
    found: dict[str, list[Span]] = defaultdict(list)
    for trace in traces:
        for span in trace.root.walk():
            found[span.operation.service].append(span)
    return found


def own_seconds(span: Span) -> float:
    return span.seconds - sum(call.seconds for call in span.calls)


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


@pytest.fixture(scope="module")
def hour() -> Shop:
    """An hour of a healthy shop."""
    return Shop(history=timedelta(hours=1))


def test_the_routes_add_up_to_the_requests_that_services_get() -> None:
    assert requests_for_each() == pytest.approx(application.REQUESTS_FOR_EACH)
    assert sum(route.share_ratio for route in ROUTES) == pytest.approx(1)


def test_a_copy_of_the_shop_calls_its_own_services() -> None:
    found = requests_for_each(with_copies(["petsite", "petsite-2", "payforadoption-go-2"]))
    assert found["payforadoption-go-2"] == pytest.approx(found[PAY])
    assert len(found) == 10


def test_the_calls_are_those_of_the_shop() -> None:
    calls, outside = set(), set()
    for route in ROUTES:
        for operation in walk(route.front):
            for call in operation.calls:
                if isinstance(call.to, Dependency):
                    outside.add(
                        (operation.service, call.to.name.rpartition("@")[0] or call.to.name)
                    )
                else:
                    calls.add((operation.service, call.to.service))
    edges = {(FRONT, SEARCH), (SEARCH, PAY), (FRONT, LIST), (FRONT, HISTORY), (PAY, HISTORY)}
    assert calls == edges
    assert outside == {(PAY, "DynamoDB"), (PAY, "SQS"), (LIST, "adoptions")}


def test_metrics_and_traces_have_the_same_means(hour: Shop) -> None:
    before = {one.pod: one for one in hour.world.traffic_history(BEGAN - timedelta(minutes=50))}
    spans = spans_by_service(hour.last(3000))
    seconds: dict[str, float] = defaultdict(float)
    requests: dict[str, int] = defaultdict(int)
    for one in hour.world.traffic():
        seconds[one.service] += one.duration_seconds_sum - before[one.pod].duration_seconds_sum
        requests[one.service] += one.requests_total - before[one.pod].requests_total
    assert len(spans) == 5
    for service, found in spans.items():
        measured = seconds[service] / requests[service]
        taken = [span.seconds for span in found]
        spread = (mean([one**2 for one in taken]) - mean(taken) ** 2) ** 0.5
        assert abs(mean(taken) - measured) < 4 * spread / len(taken) ** 0.5, service


def test_histograms_and_traces_have_the_same_shape(hour: Shop) -> None:
    before = {one.pod: one for one in hour.world.traffic_history(BEGAN - timedelta(minutes=50))}
    taken = [span.seconds for span in spans_by_service(hour.last(3000))[FRONT]]
    found = [one for one in hour.world.traffic() if one.service == FRONT]
    total = sum(one.requests_total - before[one.pod].requests_total for one in found)
    for position, bound in enumerate(DURATION_BUCKETS):
        counted = sum(
            one.duration_counts[position] - before[one.pod].duration_counts[position]
            for one in found
        )
        sampled = sum(one <= bound for one in taken) / len(taken)
        assert counted / total == pytest.approx(sampled, abs=0.04), bound


def test_the_sampled_share_is_that_of_x_ray(hour: Shop) -> None:
    traces = hour.last(600)
    per_second = [hour.world.requests.rate(BEGAN - timedelta(seconds=at)) for at in range(600)]
    wanted = sum(1 + 0.05 * (rate - 1) for rate in per_second)
    assert len(traces) == pytest.approx(wanted, rel=0.1)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_traces_however_they_are_asked_for(hour: Shop) -> None:
    again = Shop(history=timedelta(hours=1))
    now = BEGAN.timestamp()
    traces = list(hour.traces.between(now - 300, now - 200))
    assert traces
    assert [one.id for one in again.traces.between(now - 300, now - 200)] == [
        one.id for one in traces
    ]
    assert again.traces.find(traces[0].id) is not None
    assert [
        one for at in range(100) for one in hour.traces.of_second(int(now) - 300 + at)
    ] == traces


def test_traces_of_long_ago_and_of_the_future_are_not_there(hour: Shop) -> None:
    now = BEGAN.timestamp()
    assert list(hour.traces.between(now - 9000, now - 4500)) == []
    assert list(hour.traces.between(now, now + 100)) == []
    assert hour.traces.find("1-00000000-000000000000000000000000") is None
    assert hour.traces.find("nonsense") is None


def test_a_throttled_service_is_slow_itself_and_its_callers_only_wait() -> None:
    shop = Shop()
    before = spans_by_service(shop.last(100))
    shop.label(PAY, "burning")
    shop.pass_seconds(240)
    after = spans_by_service(shop.last(120))
    own = {name: mean([own_seconds(one) for one in found]) for name, found in after.items()}
    was = {name: mean([own_seconds(one) for one in found]) for name, found in before.items()}
    assert own[PAY] > 10 * was[PAY]
    for name in (FRONT, SEARCH, LIST, HISTORY):
        assert own[name] == pytest.approx(was[name], rel=0.25), name
    assert mean([one.seconds for one in after[FRONT]]) > 0.2 + mean(
        [one.seconds for one in before[FRONT]]
    )
    throttled = [one for one in shop.world.usage() if one.pod.startswith(PAY)]
    assert all(one.cfs_throttled_periods_total > 0.9 * one.cfs_periods_total for one in throttled)


def test_a_service_nobody_stands_behind_fails_for_those_that_need_it() -> None:
    shop = Shop()
    shop.world.apply(
        [
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": PAY},
                "spec": {"replicas": 0},
            }
        ]
    )
    shop.pass_seconds(180)
    spans = spans_by_service(shop.last(120))
    assert PAY not in spans
    takes = [one for one in spans[SEARCH] if one.calls]
    assert takes
    assert all(one.calls[0].refused and one.failed and not one.failed_itself for one in takes)
    history = [one for one in spans[HISTORY] if one.operation.method == "POST"]
    assert history == [], "nobody calls on behalf of a service that is not there"


def test_a_service_that_is_not_essential_only_takes_its_part_away() -> None:
    shop = Shop()
    shop.world.apply(
        [
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": LIST},
                "spec": {"replicas": 0},
            }
        ]
    )
    shop.pass_seconds(180)
    fronts = spans_by_service(shop.last(120))[FRONT]
    refused = [one for one in fronts if any(call.refused for call in one.calls)]
    assert refused
    assert mean([one.failed for one in refused]) < 0.05


def test_a_young_program_is_slower_at_first() -> None:
    shop = Shop()
    shop.label(HISTORY, "fresh")
    shop.pass_seconds(300)
    waited = [one.seconds for one in spans_by_service(shop.last(60))[HISTORY]]
    assert mean(waited) < 0.06
    young = [
        pod.own_seconds
        for situation in shop.world.requests.situations
        for pod in situation.behind.get(HISTORY, ())
    ]
    assert max(young) > 1.3 * min(young)


def test_the_share_within_a_bound_is_a_distribution() -> None:
    shares = [share_within(bound, 0.1, 0.4) for bound in DURATION_BUCKETS]
    assert shares == sorted(shares)
    assert shares[0] < 0.001
    assert shares[-1] == pytest.approx(1)
