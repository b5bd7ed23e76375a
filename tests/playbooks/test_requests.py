"""Whose fault a slow or failing request is: told from traces, the graph and counters together."""

from __future__ import annotations

from datetime import timedelta

import pytest

from petops.domain.alarm import Category
from petops.domain.cloud import BalancerUse, CloudUse
from petops.domain.diagnosis import Diagnosis, Finding, Verdict
from petops.domain.evidence import Answer, Asked, Unknown, Window
from petops.domain.subject import Subject
from petops.domain.tracing import ServiceMap, SlowTraces, TroubleSpot
from petops.engine.investigation import Ports
from petops.errors import SourceError
from petops.ports import NO_TRACES, Told
from petops.sources.kubernetes import KubernetesCluster
from tests.adapters.fake_kubernetes_api import FakeApi, status
from tests.kubernetes_objects import ended, pod, waiting
from tests.recorded import CLUSTER
from tests.recorded_cases import Diagnosed
from tests.request_shop import FRONT, PAY, SEARCH, TABLE, Counters, Shop, Wrong

THROTTLED = Wrong(seconds={PAY: 0.4}, throttled={PAY: 0.9})
SLOW_TABLE = Wrong(seconds={TABLE: 0.5})
OTHER_NAMES = {FRONT: "zeta", SEARCH: "q7", PAY: "ledger-x", TABLE: "Aurora"}


def finding(found: Diagnosis, mode: str) -> Finding:
    every = [*([found.cause] if found.cause else []), *found.also_broken, *found.rivals]
    return next(one for one in every if one.mode == mode)


def fact(found: Diagnosed, step: str) -> object:
    return next(one.fact for one in found.results if isinstance(one, Answer) and one.step == step)


@pytest.mark.slow
@pytest.mark.parametrize("names", [{}, OTHER_NAMES], ids=["as-they-are", "renamed"])
@pytest.mark.parametrize("about", [FRONT, SEARCH, PAY])
async def test_the_service_that_is_throttled_is_named_wherever_the_alarm_is(
    about: str, names: dict[str, str]
) -> None:
    shop = Shop(wrong=THROTTLED, names=names)
    found = await shop.diagnosed(about)
    assert found.cause is not None, found.because
    assert (found.cause.mode, found.cause.subject) == ("cpu-throttling", shop.subject(PAY))
    assert found.cause.confidence >= 0.8
    assert found.cause.remedies[0] == "raise-cpu-limit"
    assert not found.also_broken


async def test_a_second_round_is_told_with_why_and_its_steps_stand_by_themselves() -> None:
    found = await Shop(wrong=THROTTLED).answered(FRONT)
    spot, seen = fact(found, "trouble-spot"), fact(found, "service-map")
    assert isinstance(spot, TroubleSpot)
    assert isinstance(seen, ServiceMap)
    assert (spot.alarmed, spot.cause, seen.alarmed) == (FRONT, PAY, FRONT)
    assert {(one.caller, one.callee) for one in seen.edges} == {
        (FRONT, SEARCH),
        (SEARCH, PAY),
        (PAY, TABLE),
    }
    cause = found.diagnosis.cause
    assert cause is not None
    assert cause.rows[0].step == "trouble-spot"
    assert "there-cpu-use" in {one.step for one in cause.rows}
    assert "there-trouble-spot" not in {one.step for one in found.results}
    asked = [one.step for one in found.results]
    assert len(asked) == len(set(asked))


@pytest.mark.slow
async def test_the_named_steps_of_throttling_are_rows_of_its_ledger() -> None:
    cause = (await Shop(wrong=THROTTLED).diagnosed(PAY)).cause
    assert cause is not None
    rows = {one.statement: one for one in cause.rows}
    assert rows["it serves requests"].seen == f"behind Service {PAY}"
    own = rows["its own time grows in its traces, not its calls'"]
    assert (own.step, own.weighs) == ("slow-traces", "for")
    assert rows["throttling rose together with the latency"].weighs == "for"
    assert rows["no autoscaler relieves it"].seen == "it has none"
    assert rows["it uses what its limit gives"].seen.startswith("0.2")


async def test_throttling_that_slows_nobody_is_harmless() -> None:
    for about in (FRONT, PAY):
        found = await Shop(wrong=Wrong(throttled={PAY: 0.9})).diagnosed(about)
        assert found.cause is None, found.because


async def test_throttled_and_waiting_for_somebody_slow_is_not_its_own_fault() -> None:
    wrong = Wrong(seconds={TABLE: 0.5}, throttled={PAY: 0.9})
    found = await Shop(wrong=wrong).diagnosed(PAY)
    sure = finding(await Shop(wrong=THROTTLED).diagnosed(PAY), "cpu-throttling").confidence
    assert finding(found, "cpu-throttling").confidence < sure
    own = next(one for one in finding(found, "cpu-throttling").rows if one.step == "slow-traces")
    assert own.weighs == "against"


@pytest.mark.slow
@pytest.mark.parametrize("names", [{}, OTHER_NAMES], ids=["as-they-are", "renamed"])
@pytest.mark.parametrize("about", [FRONT, PAY])
async def test_what_is_slow_outside_of_the_cluster_is_named_and_unproven(
    about: str, names: dict[str, str]
) -> None:
    shop = Shop(wrong=SLOW_TABLE, names=names)
    found = await shop.diagnosed(about)
    assert found.cause is not None, found.because
    assert found.cause.mode == "slow-dependency"
    assert found.cause.subject == shop.subject(PAY)
    assert shop.name(TABLE) in found.cause.because
    assert "unproven" in found.cause.because
    assert 0.5 <= found.cause.confidence <= 0.6
    assert found.cause.remedies == ("look-closer",)


async def test_a_dependency_that_fails_is_named_too() -> None:
    shop = Shop(wrong=Wrong(failing={TABLE: 0.4}))
    found = await shop.diagnosed(PAY, Category.ERRORS)
    assert found.cause is not None, found.because
    assert (found.cause.mode, found.cause.subject) == ("slow-dependency", shop.subject(PAY))
    assert "fails" in found.cause.because


async def test_one_that_fails_is_named_also_where_the_caller_takes_longer_meanwhile() -> None:
    shop = Shop(wrong=Wrong(failing={TABLE: 0.4}, seconds={PAY: 0.03}))
    found = await shop.diagnosed(PAY, Category.ERRORS)
    assert found.cause is not None, found.because
    assert (found.cause.mode, found.cause.subject) == ("slow-dependency", shop.subject(PAY))
    rows = {one.statement: one for one in found.cause.rows}
    assert rows["it does not fail by itself"].weighs == "for"


@pytest.mark.slow
async def test_a_service_that_is_slow_by_itself_for_no_known_reason_is_said_to_be_where() -> None:
    shop = Shop(wrong=Wrong(seconds={SEARCH: 0.4}))
    found = await shop.diagnosed(FRONT)
    assert found.cause is not None
    assert (found.cause.mode, found.cause.subject) == ("slow-dependency", shop.subject(SEARCH))
    assert found.cause.confidence <= 0.6
    itself = await shop.diagnosed(SEARCH)
    assert itself.cause is None
    assert "no cause found" in itself.because


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
async def test_nothing_is_named_where_nothing_is_wrong(seed: int) -> None:
    for category in (Category.LATENCY, Category.ERRORS):
        found = await Shop(seed=seed).diagnosed(FRONT, category)
        assert found.cause is None, found.because
        assert not found.also_broken


@pytest.mark.slow
async def test_waterfalls_point_at_the_guilty_bar() -> None:
    found = fact(await Shop(wrong=THROTTLED).answered(FRONT), "slow-traces")
    assert isinstance(found, SlowTraces)
    assert len(found.waterfalls) == 3
    for one in found.waterfalls:
        assert one.guilty_bar is not None
        assert one.guilty_bar.service == PAY
        assert not one.has_holes
    assert found.slow
    assert found.slower_than_seconds is not None


@pytest.mark.slow
async def test_a_node_without_a_cpu_to_give_is_told_from_a_limit() -> None:
    wrong = Wrong(seconds={PAY: 0.4}, waiting={PAY: 0.6, SEARCH: 0.05}, node_cores=1.9)
    shop = Shop(wrong=wrong)
    found = await shop.diagnosed(PAY)
    assert found.cause is not None, found.because
    assert found.cause.mode == "node-cpu-starvation"
    assert found.cause.subject is not None
    assert found.cause.subject.name == "node-a"
    assert f"{SEARCH} takes" in found.cause.because
    assert found.cause.confidence <= 0.6
    limited = Shop(wrong=Wrong(seconds={PAY: 0.4}, waiting={PAY: 0.6}, throttled={PAY: 0.9}))
    other = await limited.diagnosed(PAY)
    assert other.cause is not None
    assert other.cause.mode == "cpu-throttling"
    starved = finding(other, "node-cpu-starvation")
    assert starved.verdict is Verdict.REFUTED


async def test_waiting_on_a_node_with_room_is_not_called_starvation() -> None:
    shop = Shop(wrong=Wrong(seconds={PAY: 0.4}, waiting={PAY: 0.6}))
    found = await shop.diagnosed(PAY)
    starved = finding(found, "node-cpu-starvation")
    assert starved.verdict is Verdict.UNDECIDED
    assert "CPUs to give" in starved.because


ALL_DOWN = frozenset({"*"})
REQUESTS_DOWN = frozenset({"requests-total", "request-seconds-total", "request-durations-total"})
CPU_DOWN = frozenset({"cpu-periods-total", "cpu-throttled-periods-total"})


@pytest.mark.slow
@pytest.mark.parametrize("down", [ALL_DOWN, REQUESTS_DOWN, CPU_DOWN])
@pytest.mark.parametrize("about", [FRONT, PAY])
async def test_with_metrics_away_it_is_right_or_less_sure_and_never_wrong(
    about: str, down: frozenset[str]
) -> None:
    shop = Shop(wrong=THROTTLED)
    full = await shop.diagnosed(about)
    found = await shop.diagnosed(about, metrics=Counters(shop, down=down))
    assert full.cause is not None
    if found.cause is not None:
        assert found.cause.confidence < full.cause.confidence
        assert found.cause.subject == shop.subject(PAY)
        assert found.cause.mode == "cpu-throttling"


async def test_without_traces_the_workload_itself_is_still_looked_at() -> None:
    shop = Shop(wrong=THROTTLED)
    here = await shop.diagnosed(PAY, traces=NO_TRACES)
    assert here.cause is not None
    assert here.cause.mode == "cpu-throttling"
    elsewhere = await shop.diagnosed(FRONT, traces=NO_TRACES)
    assert elsewhere.cause is None
    assert {one.why for one in elsewhere.gaps if one.step == "service-map"} == {"no X-Ray is set"}


@pytest.mark.parametrize(
    "down", [ALL_DOWN, frozenset({"memory-working-set-bytes", "cpu-seconds-total"})]
)
async def test_nothing_measured_is_said_to_be_blindness_and_not_health(
    down: frozenset[str],
) -> None:
    shop = Shop()
    found = await shop.diagnosed(PAY, metrics=Counters(shop, down=down), traces=NO_TRACES)
    assert found.cause is None
    assert found.because.startswith("monitoring is blind: metrics: ")
    assert "connection refused" in found.blind[0]


@pytest.mark.slow
async def test_stale_and_missing_samples_are_blindness_too() -> None:
    shop = Shop()
    stale = await shop.diagnosed(PAY, metrics=Counters(shop, late_by=500))
    assert stale.cause is None
    assert "is stale since 11:5" in stale.because
    gone = await shop.diagnosed(PAY, metrics=Counters(shop, late_by=4000))
    assert gone.cause is None
    assert "has no data" in gone.because
    ahead = await shop.diagnosed(PAY, metrics=Counters(shop, late_by=-200))
    assert ahead.cause is None


async def test_a_cluster_that_forbids_everything_is_blindness() -> None:
    shop = Shop(wrong=THROTTLED)
    api = FakeApi()
    for what in ("pods", "services", "events", "nodes"):
        for path in (f"/api/v1/{what}", f"/api/v1/namespaces/shop/{what}"):
            api.answers["GET", path] = status(403, f"cannot list {what}")
    api.answers["GET", "/apis/apps/v1/namespaces/shop/deployments/pay"] = status(403, "no")
    found = await shop.diagnosed(PAY, api=api)
    assert found.cause is None
    assert "monitoring is blind: Kubernetes: " in found.because


async def test_an_alarm_of_long_ago_is_compared_with_what_was_before_it() -> None:
    shop = Shop(wrong=THROTTLED)
    found = await shop.diagnosed(FRONT, started=timedelta(minutes=30))
    assert found.cause is not None
    assert found.cause.mode == "cpu-throttling"


async def test_unknowns_say_why() -> None:
    found = await Shop().answered(FRONT, traces=NO_TRACES)
    unknown = {one.step: one.why for one in found.results if isinstance(one, Unknown)}
    assert unknown["service-map"] == "no X-Ray is set"
    assert unknown["trouble-spot"].endswith("no X-Ray is set")


class Insights:
    """`Cloud` that says how near its limit the workload is."""

    def __init__(self, ratio: float | None) -> None:
        self._ratio = ratio

    async def workload(self, subject: Subject, window: Window) -> Told[CloudUse]:
        asked = Asked(source="cloudwatch", query="cpu = Average(...)", window=window)
        use = CloudUse(subject=subject, cpu_of_limit_ratio=self._ratio)
        return Told(value=use, asked=(asked,))

    async def balancer(self, name: str, window: Window) -> Told[BalancerUse]:
        raise SourceError("not asked here")


@pytest.mark.parametrize(
    ("ratio", "weighs"), [(0.97, "for"), (0.3, "against"), (None, "not-measured")]
)
async def test_where_prometheus_has_nothing_container_insights_is_told(
    ratio: float | None, weighs: str
) -> None:
    shop = Shop(wrong=THROTTLED)
    ports = Ports(
        metrics=Counters(shop, down=ALL_DOWN),
        cluster=KubernetesCluster(shop.api(), CLUSTER),
        cloud=Insights(ratio),
    )
    found = (await shop.answered(PAY, ports=ports)).diagnosis
    assert found.cause is None
    throttling = finding(found, "cpu-throttling")
    assert throttling.verdict is Verdict.UNDECIDED
    row = next(one for one in throttling.rows if one.step == "cloud-use")
    assert str(row.weighs) == weighs
    assert found.blind


async def test_errors_at_a_frontend_lead_to_the_crash_loop_behind_it() -> None:
    shop = Shop(wrong=Wrong(failing={PAY: 0.8}))
    api = shop.api()
    looping = [
        pod(
            PAY,
            number,
            age=90_000,
            ready=False,
            ready_ago=240,
            state=waiting("CrashLoopBackOff", "back-off 5m0s restarting failed container"),
            last=ended("Error", 1, ago_seconds=40),
            restarts=6,
        )
        for number in (1, 2)
    ]
    api.add("pods", looping)
    found = await shop.diagnosed(FRONT, Category.ERRORS, api=api)
    assert found.cause is not None, found.because
    assert (found.cause.mode, found.cause.subject) == ("crash-loop", shop.subject(PAY))
    assert not [one for one in found.also_broken if one.subject == shop.subject(PAY)]
    steps = {row.step for row in found.cause.rows}
    assert {"trouble-spot", "slow-traces"} & steps
    assert "there-affected-pods" in steps


async def test_a_service_that_is_slow_itself_is_no_cause_while_its_cpu_is_not_measured() -> None:
    """That the frontend waits for it is true, and is said; what makes it slow nobody measured."""
    shop = Shop(wrong=Wrong(seconds={SEARCH: 0.4}))
    found = await shop.answered(FRONT, metrics=Counters(shop, down=ALL_DOWN))
    assert found.diagnosis.cause is None
    assert f"its requests wait for {SEARCH}, whose own time grew" in found.diagnosis.because
    waiting_for = finding(found.diagnosis, "slow-dependency")
    assert waiting_for.verdict is Verdict.UNDECIDED
    assert waiting_for.rows[-1].weighs == "not-measured"


async def test_what_is_slow_outside_is_told_of_the_service_that_calls_it() -> None:
    shop = Shop(wrong=SLOW_TABLE)
    found = await shop.answered(FRONT, metrics=Counters(shop, down=ALL_DOWN))
    cause = found.diagnosis.cause
    assert cause is not None
    assert (cause.mode, cause.subject) == ("slow-dependency", shop.subject(PAY))


@pytest.mark.slow
async def test_a_role_that_may_not_read_services_still_sees_a_workloads_own_throttling() -> None:
    shop = Shop(wrong=THROTTLED)
    api = shop.api()
    api.answers["GET", "/api/v1/namespaces/shop/services"] = status(403, "services is forbidden")
    found = await shop.diagnosed(PAY, api=api)
    assert found.cause is not None
    assert (found.cause.mode, found.cause.subject) == ("cpu-throttling", shop.subject(PAY))
    calm = await Shop().diagnosed(SEARCH, api=api)
    unsure = finding(calm, "cpu-throttling")
    assert unsure.verdict is Verdict.UNDECIDED
    assert "what serves beside it was not measured" in unsure.because
