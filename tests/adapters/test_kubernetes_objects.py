"""What Kubernetes tells of single objects: parsed from a real cluster's answers, bounded."""

from __future__ import annotations

import json
from typing import Any

import pytest

from petops.domain.objects import condition_of
from petops.domain.subject import Kind, Subject
from petops.errors import ForbiddenError, SourceError
from petops.ports import ApiAnswer
from petops.sources.kubernetes import KubernetesCluster
from petops.sources.kubernetes_calls import _json
from petops.sources.kubernetes_events import (
    LOG_BYTES,
    LOG_LINES,
    MOST_EVENTS,
    log_lines,
    occurrence_of,
    occurrences_of,
)
from petops.sources.kubernetes_shapes import MOST_TEXT, pods_of, ready_within_seconds
from petops.sources.kubernetes_states import (
    autoscaler_of,
    in_front,
    is_in_trouble,
    job_of,
    node_of,
    quotas_of,
    service_of,
)
from tests.adapters.fake_kubernetes_api import CLUSTER, FakeApi, recorded, recorded_answer, status
from tests.kubernetes_objects import event, meta, node, pod


def subject(name: str, namespace: str, kind: Kind = Kind.DEPLOYMENT) -> Subject:
    return Subject(cluster=CLUSTER, kind=kind, namespace=namespace, name=name)


def test_the_schedulers_event_has_neither_count_nor_timestamps() -> None:
    found = [
        one for one in recorded("pending-cpu", "events") if one["reason"] == "FailedScheduling"
    ]
    assert found[0]["lastTimestamp"] is None
    read = occurrence_of(found[0])
    assert read.last_at is not None
    assert read.count >= 1
    assert read.message.startswith("0/1 nodes are available: 1 Insufficient")


def test_an_eviction_names_its_node_and_the_kubelets_offender() -> None:
    events = recorded("memory-pressure-after", "events")
    found = next(occurrence_of(one) for one in events if one["reason"] == "Evicted")
    assert (found.host, found.offender) == ("node-a", "app")
    assert found.offender_mib == pytest.approx(3621, abs=1)
    unmeasured = recorded("evicted-unmeasured", "events")
    assert all(
        occurrence_of(one).offender_mib is None for one in unmeasured if one["reason"] == "Evicted"
    )


def test_evictions_stand_in_their_order() -> None:
    found = occurrences_of(
        one for one in recorded("evicted-unmeasured", "events") if one["reason"] == "Evicted"
    )
    assert [one.name.rpartition("-")[2] for one in found] == ["vg8zx", "snpkw", "k9rr2", "wxbkf"]


def test_events_and_their_text_are_bounded() -> None:
    many = [event("Noise", "Pod", "web", "x" * 5000, last=n) for n in range(MOST_EVENTS + 50)]
    found = occurrences_of(many)
    assert len(found) == MOST_EVENTS
    assert len(found[0].message) == MOST_TEXT
    assert found[-1].last_at is not None
    assert found[-1].last_at > found[0].last_at  # type: ignore[operator]


@pytest.mark.parametrize(
    "found", [{"metadata": {}}, {"metadata": {}, "count": None, "series": None}]
)
def test_an_event_that_says_nothing_is_read_all_the_same(found: Any) -> None:
    read = occurrence_of(found)
    assert (read.reason, read.count, read.last_at) == ("", 1, None)


def test_logs_are_bounded_whatever_the_server_sends() -> None:
    lines = log_lines("y" * 10_000_000 + "\n" + "\n".join(f"line {n}" for n in range(1000)))
    assert len(lines) == LOG_LINES
    assert lines[-1] == "line 999"
    assert sum(map(len, log_lines("z" * 10_000_000))) <= min(LOG_BYTES, MOST_TEXT)
    assert log_lines({"kind": "Status"}) == ()
    assert log_lines("\n\n \n") == ()


def test_a_log_of_one_json_line_stays_text() -> None:
    assert _json(b'{"level": "error"}', "text/plain") == '{"level": "error"}'
    assert _json(b'{"level": "error"}', "application/json") == {"level": "error"}
    assert _json(b"404 page not found") == "404 page not found"


async def test_the_previous_runs_log_is_read_first_within_bounds() -> None:
    api = FakeApi("crashloop")
    told = await KubernetesCluster(api, CLUSTER).last_words(
        subject("payments-5f8d4dcd7-vg8zx", "crashloop", Kind.POD), "app"
    )
    assert told.value.was_before
    assert told.value.lines[-1].startswith("RuntimeError: could not start")
    query = api.asked[-1][2]
    assert (query["tailLines"], query["limitBytes"]) == (str(LOG_LINES), str(LOG_BYTES))
    assert "previous=true" in told.asked[0].query


async def test_without_a_previous_run_the_present_one_is_read_and_a_refusal_is_told() -> None:
    cluster = KubernetesCluster(FakeApi("readiness"), CLUSTER)
    pod_name = subject("catalog-6889c6c7dd-xrw2v", "readiness", Kind.POD)
    told = await cluster.last_words(pod_name, "app")
    assert not told.value.was_before
    assert "processed orders" in told.value.lines[-1]
    with pytest.raises(SourceError):
        await cluster.last_words(pod_name, "other")
    api = FakeApi("readiness")
    api.answers["GET", "/api/v1/namespaces/readiness/pods/x/log"] = recorded_answer("forbidden-log")
    with pytest.raises(ForbiddenError, match="pods/log"):
        await KubernetesCluster(api, CLUSTER).last_words(subject("x", "readiness", Kind.POD), "app")


async def test_events_are_asked_object_by_object() -> None:
    api = FakeApi("rollout-stuck")
    told = await KubernetesCluster(api, CLUSTER).events(
        [subject("web", "rollout"), subject("web-7f59f56db9-zfw5n", "rollout", Kind.POD)]
    )
    assert {one.name for one in told.value.occurrences} == {"web", "web-7f59f56db9-zfw5n"}
    assert len(told.asked) == 2
    assert not told.value.is_cut
    api.page = 3
    told = await KubernetesCluster(api, CLUSTER).events([subject("web", "rollout")])
    assert told.value.is_cut


async def test_evictions_of_one_namespace_where_the_cluster_may_not_be_read() -> None:
    api = FakeApi("evicted-unmeasured")
    assert (
        len((await KubernetesCluster(api, CLUSTER).evictions("crashloop")).value.occurrences) == 4
    )
    api.answers["GET", "/api/v1/events"] = status(403, "cannot list events at the cluster scope")
    told = await KubernetesCluster(api, CLUSTER).evictions("crashloop")
    assert len(told.value.occurrences) == 4
    with pytest.raises(ForbiddenError):
        await KubernetesCluster(api, CLUSTER).evictions("")


async def test_the_services_in_front_of_a_workload() -> None:
    told = await KubernetesCluster(FakeApi("readiness"), CLUSTER).services(
        subject("catalog", "readiness")
    )
    (found,) = told.value.services
    assert (found.pods, found.ready_pods) == (2, 0)
    assert (found.ready_endpoints, found.other_endpoints) == (0, 2)
    assert (found.unknown_ports, found.shares_labels) == ((), False)


def test_a_service_that_just_misses_is_found_and_one_of_another_is_not() -> None:
    def service(name: str, **selector: str) -> Any:
        ports = [{"port": 80, "targetPort": "http"}, {"port": 81, "targetPort": 9000}]
        return {"metadata": meta(name), "spec": {"selector": selector, "ports": ports}}

    misses, hits = service("misses", app="web", tier="x"), service("hits", app="web")
    other, headless = service("other", app="cart"), service("none")
    chosen = in_front([misses, hits, other, headless], [], {"app": "web", "tier": "y"})
    assert chosen == [misses, hits]
    state = service_of(hits, [], [pod("web")], CLUSTER, misses=False)
    assert state.unknown_ports == ("http",)


def test_nodes_as_they_are() -> None:
    (found,) = recorded("evicted-unmeasured", "nodes")
    state = node_of(found)
    assert state.has("MemoryPressure", "True")
    assert state.taints == ("node.kubernetes.io/memory-pressure",)
    assert state.zone == "us-east-1a"
    assert state.allocatable_mib == pytest.approx(4650, abs=1)
    assert is_in_trouble(found)
    assert is_in_trouble(recorded("node-notready", "nodes")[0])
    assert not is_in_trouble(recorded("crashloop", "nodes")[0])
    assert is_in_trouble(node(cordoned=True))


async def test_without_names_all_nodes_in_trouble_are_told() -> None:
    api = FakeApi()
    api.add("nodes", [node("well"), node("ill", Ready="False"), node("shut", cordoned=True)])
    told = await KubernetesCluster(api, CLUSTER).nodes([], "shop")
    assert told.value.nodes == ("ill", "shut")
    assert told.value.not_ready == ("ill",)


def test_autoscalers_quotas_and_jobs() -> None:
    conditions = [{"type": "ScalingLimited", "status": "True", "reason": "TooManyReplicas"}]
    scaler = autoscaler_of(
        {
            "metadata": meta("web"),
            "spec": {"maxReplicas": 5},
            "status": {"currentReplicas": 5, "conditions": conditions},
        }
    )
    assert (scaler.least, scaler.most, scaler.now) == (1, 5, 5)
    limited = condition_of(scaler.conditions, "ScalingLimited")
    assert limited is not None
    assert limited.reason == "TooManyReplicas"
    quota = {
        "metadata": meta("small"),
        "spec": {"hard": {"pods": "4", "limits.memory": "2Gi", "requests.cpu": "2"}},
        "status": {"used": {"pods": "4", "limits.memory": "1Gi", "requests.cpu": "500m"}},
    }
    ratios = {one.resource: one.used_ratio for one in quotas_of([quota])}
    assert ratios == {"pods": 1.0, "limits.memory": 0.5, "requests.cpu": 0.25}
    job = job_of({"metadata": meta("nightly"), "spec": {}, "status": {"failed": 2}}, CLUSTER)
    assert (job.wanted, job.failed, job.backoff_limit, job.is_job) == (1, 2, 6, True)


def test_pods_tell_why_they_wait_and_who_ended_them() -> None:
    found = {one.name: one for one in pods_of(recorded("evicted-unmeasured", "pods"), [], CLUSTER)}
    evicted = found["payments-5f8d4dcd7-k9rr2"]
    assert evicted.disrupted_by == "TerminationByKubelet"
    assert evicted.message.startswith("The node was low on resource: memory.")
    waits = found["payments-5f8d4dcd7-rs9tf"]
    assert "untolerated taint {node.kubernetes.io/memory-pressure: }" in waits.unscheduled
    pulls = pods_of(recorded("imagepull-denied", "pods"), [], CLUSTER)[0]
    assert "403 Forbidden" in pulls.containers[0].waiting_message
    ready = pods_of(recorded("rollout-stuck", "pods"), [], CLUSTER)[0]
    assert ready.ready_changed_at is not None
    assert ready.containers[0].ready_within_seconds == 9


def test_how_long_probes_give_a_container() -> None:
    assert ready_within_seconds({}) is None
    assert ready_within_seconds({"readinessProbe": {}}) == 30
    startup = {"startupProbe": {"failureThreshold": 10, "periodSeconds": 5}}
    readiness = {"readinessProbe": {"initialDelaySeconds": 7, "periodSeconds": 1}}
    assert ready_within_seconds(startup | readiness) == 60


async def test_what_is_no_list_is_refused() -> None:
    api = FakeApi()
    for path in ("/api/v1/events", "/api/v1/namespaces/shop/resourcequotas"):
        api.answers["GET", path] = ApiAnswer(status=200, body="<html>")
    cluster = KubernetesCluster(api, CLUSTER)
    with pytest.raises(SourceError, match="no API server"):
        await cluster.evictions("shop")
    with pytest.raises(SourceError, match="no API server"):
        await cluster.quotas("shop")
    assert json.dumps(api.asked[0][0]) == '"GET"'
