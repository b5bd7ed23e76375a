"""Words to PromQL, on clusters that speak different dialects."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from petops.mcp_server.question import Catalogue
from tests.mcp_server.clusters import NOW, PODS, answered, common, of, other, refused

CLUSTER = common()
CONTAINER = 'container!="",container!="POD"'


@pytest.mark.parametrize(
    ("question", "promql"),
    [
        (
            "memory of vault",
            f'sum by (pod) (container_memory_working_set_bytes{{pod=~"vault-.*",{CONTAINER}}})',
        ),
        (
            "top 3 pods by cpu",
            (
                "sort_desc(topk(3, sum by (pod) "
                f"(rate(container_cpu_usage_seconds_total{{{CONTAINER}}}[5m]))))"
            ),
        ),
        (
            "rps payout",
            'sum by (service) (rate(http_requests_total{service="payout"}[5m]))',
        ),
        (
            "which services have more than 2% errors?",
            (
                'sum by (service) (rate(http_requests_total{code=~"5.."}[5m])) / '
                "sum by (service) (rate(http_requests_total[5m])) > 0.02"
            ),
        ),
        (
            "p99 latency of payout in ms",
            (
                "(histogram_quantile(0.99, sum by (le, service) "
                '(rate(http_request_duration_seconds_bucket{service="payout"}[5m])))) * 1000'
            ),
        ),
        (
            "how many 503s did payout return in the last 20 minutes",
            'sum by (service) (increase(http_requests_total{service="payout",code="503"}[20m]))',
        ),
        (
            "cpu of node node-a",
            (
                '1 - avg by (node) (rate(node_cpu_seconds_total{node="node-a.internal",'
                'mode="idle"}[5m]))'
            ),
        ),
        (
            "which nodes are under memory pressure",
            (
                'max by (node) (kube_node_status_condition{condition="MemoryPressure",'
                'status="true"}) == 1'
            ),
        ),
        (
            "how many pods run in money",
            (
                'count(max by (pod) (kube_pod_status_phase{namespace="money",phase="Running"})'
                " == 1) or vector(0)"
            ),
        ),
        (
            "which pods restarted in the last hour?",
            "sum by (pod) (increase(kube_pod_container_status_restarts_total[1h])) > 0",
        ),
        (
            "predict memory of vault 10 minutes from now, based on the last 5 minutes",
            (
                "sum by (pod) (predict_linear(container_memory_working_set_bytes"
                f'{{pod=~"vault-.*",{CONTAINER}}}[5m], 600))'
            ),
        ),
    ],
)
def test_a_question_becomes_promql(question: str, promql: str) -> None:
    assert answered(question, CLUSTER).promql == promql


@pytest.mark.parametrize(
    ("one", "another"),
    [
        ("memory of payout", "How much RAM does payout use right now?"),
        ("memory of payout", "memroy payuot"),
        ("top 5 pods by memory", "the 5 pods with the highest memory consumption"),
        ("request rate of payout", "how many requests per second does payout get?"),
        ("pods above 80% of their memory limit", "pods using over 80 % of memory limit"),
        ("which service is the slowest?", "service with the highest latency"),
        ("p99 latency of payout", "99th percentile response time for service payout"),
        ("memory by namespace", "memory usage for each namespace"),
    ],
)
def test_what_is_asked_counts_and_not_how(one: str, another: str) -> None:
    assert answered(one, CLUSTER).promql == answered(another, CLUSTER).promql


def test_a_name_that_begins_anothers_does_not_select_it() -> None:
    promql = answered("memory of cart", CLUSTER).promql
    found = re.search(r'pod=~"([^"]*)"', promql)
    assert found
    matched = {pod for _, _, pods in PODS.values() for pod in pods if re.fullmatch(found[1], pod)}
    assert matched == set(PODS["cart"][2])


def test_series_that_two_jobs_scrape_count_once() -> None:
    found = answered("memory of payout", common(twice=True))
    assert "max without (job) (container_memory_working_set_bytes" in found.promql
    assert "scraped twice" in found.reading


def test_labels_are_those_that_the_series_have() -> None:
    cluster = other()
    promql = answered("which pods are above 80% of their memory limit?", cluster).promql
    assert "sum by (kubernetes_pod_name)" in promql
    assert 'container_name!="",container_name!="POD"' in promql
    assert '"kubernetes_pod_name", "$1", "exported_pod"' in promql
    assert answered("error ratio of cart-admin", cluster).promql == (
        'sum by (job) (rate(http_server_requests_seconds_count{job="cart-admin",'
        'status=~"5.."}[5m])) / '
        'sum by (job) (rate(http_server_requests_seconds_count{job="cart-admin"}[5m]))'
    )
    assert 'instance="10.0.0.1:9100"' in answered("memory of node node-a", cluster).promql


def test_a_service_without_any_error_is_not_left_out() -> None:
    rows = [{"service": "a", "code": "200"}, {"service": "b", "code": "200"}]
    cluster = of({"http_requests_total": [*rows, {"service": "a", "code": "500"}]})
    assert "or 0 * sum by (service)" in answered("error rate per service", cluster).promql


@pytest.mark.parametrize(
    ("question", "kind", "seconds", "ends_before"),
    [
        ("memory of payout over the last hour", "range", 3600, 0),
        ("memory of payout between 9 and 10", "range", 3600, 7200),
        ("memory trend of payout", "range", 3600, 0),
        ("memory of payout over the last 7 days", "range", 604800, 0),
        ("peak memory of payout over the last hour", "instant", None, 0),
        ("memory of payout an hour ago", "instant", None, 0),
    ],
)
def test_a_window_becomes_a_range_of_readable_length(
    question: str, kind: str, seconds: float | None, ends_before: float
) -> None:
    found = answered(question, CLUSTER)
    assert found.kind == kind
    if seconds is None:
        assert found.start is None
        return
    assert found.start is not None and found.end is not None and found.step is not None  # noqa: PT018
    assert found.end - found.start == seconds
    assert found.end == 1768478400 - ends_before
    assert seconds / found.step <= 240


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("memory of basket", "basket"),
        ("memory of pod cart-6b9f8d7c5-zzzzz", "cart-6b9f8d7c5-zzzzz"),
        ("cpu of node node-c.internal", "node-c.internal"),
        ("request rate of vault", "vault"),
        ("gpu utilization of payout", "gpu"),
        ("heap usage of payout", "heap"),
        ("what's the weather in Paris?", "weather"),
        ("please delete the pod cart-6b9f8d7c5-2xk9p", "changes nothing"),
        ("restart payout", "changes nothing"),
        ("scale payout to 5", "changes nothing"),
        ("why is payout slow?", "investigate"),
        ('memory for pod x"} or vector(1) or up{a="b', "code"),
        ("sum(rate(http_requests_total[5m]))", "code"),
        ("", "no question"),
        ("?!", "no question"),
        ("memory of " + "a" * 9_990, "characters"),
        ("Wie viel Speicher verbraucht payout?", "not understood"),
        ("desired replicas of cart", "kube_deployment_spec_replicas"),
    ],
)
def test_what_cannot_be_answered_is_refused_with_the_reason(question: str, words: str) -> None:
    assert words in refused(question, CLUSTER).why


def test_a_name_that_two_things_could_have_is_refused_with_both() -> None:
    found = refused("memory of worker", pods_named("mail-worker", "sms-worker"))
    assert found.nearest == ("mail-worker", "sms-worker")


def test_an_unknown_name_comes_with_the_nearest() -> None:
    assert "payout" in refused("memory of service payments-out", CLUSTER).nearest


@pytest.mark.parametrize("asked", ["mail", "mailworker", "mail worker", "mail-wroker"])
def test_a_part_of_a_name_is_enough_where_it_is_the_only_one(asked: str) -> None:
    found = answered(f"memory of {asked}", pods_named("mail-worker", "ledger"))
    assert 'pod=~"mail-worker-.*"' in found.promql
    assert "mail-worker" in found.reading


def test_two_measures_are_told_apart() -> None:
    promql = answered("memory and cpu of payout", CLUSTER).promql
    assert '"measure", "memory working set"' in promql
    assert '"measure", "cpu"' in promql


def pods_named(*names: str) -> Catalogue:
    rows = [
        {"namespace": "n", "pod": f"{name}-6b9f8d7c5-2xk9p", "container": name} for name in names
    ]
    return of({"container_memory_working_set_bytes": rows})


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("memory of ca\x00rt", "control characters"),
        ("memory of cart in the last 0 minutes", "no samples are kept"),
        ("memory of cart over the last 99999999999 days", "no samples are kept"),
        ("内存 cart", "not understood"),
        ("память cart", "not understood"),
        ("memory of cart-*", "that is code"),
        ("memory of nothing", "nothing"),
        ("who is the president", "president"),
        ("errors of the search app", "search"),
        ("increase the memory limit of cart to 1Gi", "changes nothing"),
        ("memory by namespace except money", "except"),
        ("cpu of all pods other than cart", "except"),
        ("cache hit ratio of cart", "cachehits"),
        ("POST requests per second of cart", "method"),
        ("latency of search-api", "search-api"),
    ],
)
def test_what_is_no_question_here_is_refused_with_its_reason(question: str, words: str) -> None:
    assert words in refused(question, CLUSTER).why


def test_a_metric_of_containers_named_as_such_leaves_the_pods_own_cgroups_out() -> None:
    assert CONTAINER in answered("container_memory_working_set_bytes", CLUSTER).promql


@pytest.mark.parametrize(
    ("question", "like"),
    [
        ("95th pct latency of cart", "p95 latency of cart"),
        ("gimme the cpu that cart utilises", "cpu of cart"),
        ("portion of its memory limit cart has consumed", "memory share of limit of cart"),
        ("pods over half of their memory limit", "pods over 50% of their memory limit"),
        ("cpu of cart for the last one and a half hours", "cpu of cart for the last 90 minutes"),
        ("memory of all pods, money", "memory of pods in namespace money"),
        ("memory by pod, money namespace", "memory by pod in namespace money"),
        ("how far is cart from its memory limit", "memory headroom of cart"),
        ("404s per second of cart", "404 errors per second of cart"),
        ("which nodes report MemoryPressure", "which nodes are under memory pressure"),
        ("good responses of cart", "success rate of cart"),
        ("what's eating memory on node-a", "which pod uses most memory on node-a"),
        ("memory of cart pods w/ over 1Mi", "memory of cart pods over 1 MiB"),
        ("latency of crat", "latency of cart"),
        ("any memory leaks?", "anomalies in memory"),
        ("memory carrt admin", "memory of cart-admin"),
        ("how much more memory can cart use", "memory headroom of cart"),
        ("three most memory-hungry pods", "top 3 pods by memory"),
        ("request rat of cart", "request rate of cart"),
        ("99% latency of cart", "p99 latency of cart"),
        ("is cpu usage normal?", "anomalies in cpu"),
        (
            "requests served by cart in the last hour",
            "how many requests did cart get in the last 1h",
        ),
        ("pods using over a third of a core", "pods using over 0.33333 cores"),
        ("p95 of cart from quarter past 9 until now", "p95 of cart since 9:15"),
        ("err% of cart", "error rate of cart in %"),
    ],
)
def test_two_ways_to_say_one_thing_have_one_answer(question: str, like: str) -> None:
    assert answered(question, CLUSTER).promql == answered(like, CLUSTER).promql


def test_a_day_that_is_named_moves_the_times_by_the_clock() -> None:
    today = answered("cpu of cart between 10:00 and 11:00", CLUSTER)
    before = answered("cpu of cart yesterday between 10:00 and 11:00", CLUSTER)
    assert (today.start or 0) - (before.start or 0) == 86_400
    assert (before.end or 0) - (before.start or 0) == 3_600


def test_last_week_is_the_one_before_and_the_last_week_are_seven_days() -> None:
    calendar = answered("cpu of cart last week", CLUSTER)
    trailing = answered("cpu of cart over the last week", CLUSTER)
    assert trailing.end == NOW.timestamp()
    assert calendar.end == datetime(2026, 1, 12, tzinfo=UTC).timestamp()
    assert (calendar.end or 0) - (calendar.start or 0) == 7 * 86_400
