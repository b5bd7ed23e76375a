"""Case folders as other organisations write them down, made here by a program."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from petops.errors import UsageError
from petops.lab.kubernetes_request import ApiRequest
from petops.lab.recorded import recorded_api, recorded_at, recorded_store
from petops.lab.recorded_lists import recorded_objects
from petops.lab.recorded_metrics import recorded_samples, sample_times
from tests.kubernetes_objects import NOW, ago, deployment, event, node, pod, replica_set

Json = Any
AT = "/api/v1/namespaces/shop/pods"
OBJECTS: dict[str, list[Json]] = {
    "nodes": [node()],
    "pods": [pod("web", 1), pod("web", 2)],
    "deployments": [deployment("web", replicas=2)],
    "replicasets": [replica_set("web", pods=2, ready=2)],
    "events": [event("Pulled", "Pod", "web-hash1-p1", "pulled", last=0)],
}
KINDS = {
    "nodes": ("v1", "Node"),
    "pods": ("v1", "Pod"),
    "deployments": ("apps/v1", "Deployment"),
    "replicasets": ("apps/v1", "ReplicaSet"),
    "events": ("v1", "Event"),
}


def typed(name: str, item: Json) -> Json:
    version, kind = KINDS[name]
    return {"apiVersion": version, "kind": kind, **item}


def raw(name: str, items: list[Json]) -> Json:
    version, kind = KINDS[name]
    return {"apiVersion": version, "kind": f"{kind}List", "metadata": {}, "items": items}


def by_kubectl(name: str, items: list[Json]) -> Json:
    listed = [typed(name, one) for one in items]
    return {
        "apiVersion": "v1",
        "kind": "List",
        "metadata": {"resourceVersion": ""},
        "items": listed,
    }


def bare(name: str, items: list[Json]) -> Json:
    del name
    return items


def of_another_version(name: str, items: list[Json]) -> Json:
    version, kind = KINDS[name]
    other = f"{version.rpartition('/')[0]}/v1beta7" if "/" in version else version
    return {"apiVersion": other, "kind": f"{kind}List", "items": items}


def untyped(name: str, items: list[Json]) -> Json:
    del name
    return {"items": items}


def written(folder: Path, shape: Any = raw, **more: Json) -> Path:
    for name, items in OBJECTS.items():
        (folder / f"{name}.json").write_text(json.dumps(shape(name, items)), encoding="utf-8")
    for name, document in more.items():
        (folder / f"{name}.json").write_text(json.dumps(document), encoding="utf-8")
    return folder


@pytest.mark.parametrize("shape", [raw, by_kubectl, bare, of_another_version, untyped])
def test_lists_are_taken_however_they_were_written(tmp_path: Path, shape: Any) -> None:
    api = recorded_api(written(tmp_path, shape))
    for path, count in ((AT, 2), ("/apis/apps/v1/replicasets", 1), ("/api/v1/nodes", 1)):
        assert len(api.answer(ApiRequest.of("GET", path)).json()["items"]) == count, path


def test_a_single_object_is_a_list_of_one(tmp_path: Path) -> None:
    written(tmp_path, pods=typed("pods", OBJECTS["pods"][0]))
    found = recorded_api(tmp_path).answer(ApiRequest.of("GET", AT)).json()["items"]
    assert [one["metadata"]["name"] for one in found] == ["web-hash1-p1"]


def test_everything_in_one_file_is_told_apart_by_kind(tmp_path: Path) -> None:
    every = [typed(name, one) for name, items in OBJECTS.items() for one in items]
    every.append({"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "x"}})
    (tmp_path / "all.json").write_text(json.dumps({"kind": "List", "items": every}))
    kinds = [resource.kind for resource, _ in recorded_objects(tmp_path)]
    assert sorted(kinds) == ["Deployment", "Event", "Node", "Pod", "Pod", "ReplicaSet"]
    api = recorded_api(tmp_path)
    for path in ("/api/v1/pods", "/api/v1/nodes", "/api/v1/events"):
        assert len(api.answer(ApiRequest.of("GET", path)).json()["items"]) > 0, path


def test_events_of_the_newer_api_alone_are_enough(tmp_path: Path) -> None:
    newer = {
        "metadata": {"name": "e", "namespace": "shop", "creationTimestamp": ago(9)},
        "eventTime": ago(9),
        "regarding": {"kind": "Pod", "name": "web-hash1-p1", "namespace": "shop"},
        "note": "Back-off restarting failed container",
        "reason": "BackOff",
        "series": {"count": 7, "lastObservedTime": ago(1)},
    }
    written(tmp_path)
    (tmp_path / "events.json").unlink()
    listed = {"apiVersion": "events.k8s.io/v1", "kind": "EventList", "items": [newer]}
    (tmp_path / "events-v1.json").write_text(json.dumps(listed))
    found = recorded_api(tmp_path).answer(ApiRequest.of("GET", "/api/v1/events")).json()["items"]
    assert [(one["message"], one["involvedObject"]["name"]) for one in found] == [
        (newer["note"], "web-hash1-p1")
    ]


def test_what_was_not_recorded_or_was_refused_is_not_said_to_be_none(tmp_path: Path) -> None:
    status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 403}
    written(tmp_path, replicasets=status)
    (tmp_path / "nodes.json").unlink()
    api = recorded_api(tmp_path)
    for path in ("/api/v1/nodes", "/apis/apps/v1/namespaces/shop/replicasets"):
        assert api.answer(ApiRequest.of("GET", path)).status == 403, path
    assert api.answer(ApiRequest.of("GET", AT)).status == 200
    assert api.answer(ApiRequest.of("GET", "/apis/batch/v1/jobs")).json()["items"] == []


def test_events_that_were_refused_are_not_said_to_be_none(tmp_path: Path) -> None:
    status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 403}
    written(tmp_path, events=status)
    path = "/api/v1/namespaces/shop/events"
    assert recorded_api(tmp_path).answer(ApiRequest.of("GET", path)).status == 403
    newer = {"apiVersion": "events.k8s.io/v1", "kind": "EventList", "items": []}
    (tmp_path / "events-v1.json").write_text(json.dumps(newer))
    assert recorded_api(tmp_path).answer(ApiRequest.of("GET", path)).status == 200


def test_what_stands_behind_needs_no_date_and_a_job_no_selector(tmp_path: Path) -> None:
    """People write folders by hand as they write manifests."""
    bare_pod = pod("web", 1, startTime=ago(60))
    del bare_pod["metadata"]["creationTimestamp"]
    made = {"metadata": {"name": "nightly", "namespace": "shop"}, "spec": {"template": {}}}
    jobs = {"apiVersion": "batch/v1", "kind": "JobList", "items": [made]}
    api = recorded_api(written(tmp_path, pods=raw("pods", [bare_pod]), jobs=jobs))
    found = api.answer(ApiRequest.of("GET", AT)).json()["items"]
    assert found[0]["metadata"]["creationTimestamp"] == ago(60)
    listed = api.answer(ApiRequest.of("GET", "/apis/batch/v1/jobs")).json()["items"]
    by_name = {"batch.kubernetes.io/job-name": "nightly"}
    assert listed[0]["spec"]["selector"]["matchLabels"] == by_name


def test_a_pod_that_was_recorded_without_its_defaults_can_be_resized(tmp_path: Path) -> None:
    small = {"requests": {"cpu": "100m"}, "limits": {"cpu": "200m"}}
    one = pod("web", 1, container={"resources": small})
    del one["metadata"]["ownerReferences"]
    api = recorded_api(written(tmp_path, pods=raw("pods", [one])))
    wider = {"name": "app", "resources": {"limits": {"cpu": "400m"}}}
    request = ApiRequest.of(
        "PATCH",
        f"{AT}/web-hash1-p1/resize?dryRun=All",
        {"spec": {"containers": [wider]}},
        content_type="application/strategic-merge-patch+json",
    )
    answer = api.answer(request)
    assert answer.status == 200, answer.json()


def test_a_wish_for_the_future_is_not_when_it_was_recorded(tmp_path: Path) -> None:
    late = pod("web", 1, container={"env": [{"name": "UNTIL", "value": "2031-01-01T00:00:00Z"}]})
    late["metadata"]["annotations"] = {"expires": "2032-01-01T00:00:00Z"}
    late["metadata"]["creationTimestamp"] = ago(60)
    late["status"]["conditions"][0]["lastProbeTime"] = "2026-99-99T00:00:00Z"
    odd = event("Odd", "Pod", "web-hash1-p1", "x", lastTimestamp="9999-01-01T00:00:00Z")
    written(tmp_path, pods=raw("pods", [late]), events=raw("events", [odd, *OBJECTS["events"]]))
    assert recorded_at(tmp_path) == NOW


def test_a_quiet_cluster_was_recorded_when_its_metrics_were(tmp_path: Path) -> None:
    """Nothing happened for an hour, and then somebody took the scrape."""
    written(tmp_path, events=raw("events", []))
    assert recorded_at(tmp_path) < NOW
    at = round(NOW.timestamp() * 1000)
    (tmp_path / "cadvisor.prom").write_text(f'container_memory_rss{{pod="p"}} 1 {at}\n')
    assert recorded_at(tmp_path) == NOW


def test_open_metrics_with_exemplars_and_odd_numbers_is_read(tmp_path: Path) -> None:
    text = """# TYPE requests counter
requests_total{code="200",path="a}b#\\"c"} 12 1789000000.5 # {trace_id="ab}"} 0.3 1789000000.1
up{job="x"} NaN 1789000000
down +Inf
{"utf8.name",pod="p"} 4
plain 3.5
# EOF
"""
    (written(tmp_path) / "app.prom").write_text(text)
    found = {one.name: one for one in recorded_samples(tmp_path)}
    assert set(found) == {"requests_total", "up", "down", "plain"}
    assert dict(found["requests_total"].labels)["path"] == 'a}b#"c'
    assert found["requests_total"].at_ms == 1_789_000_000_500
    assert dict(found["plain"].labels)["job"] == "app"
    assert found["plain"].at_ms == 1_789_000_000_500
    assert dict(found["up"].labels)["job"] == "x"


def test_a_scrape_without_times_was_made_when_its_name_says_or_now(tmp_path: Path) -> None:
    folder = written(tmp_path) / "state-over-time"
    folder.mkdir()
    (folder / "state-1789000000.prom").write_text("kube_pod_info 1\n")
    (tmp_path / "node.prom").write_text("node_load1 1\n")
    found = {one.name: one for one in recorded_samples(tmp_path)}
    assert found["kube_pod_info"].at_ms == 1_789_000_000_000
    assert dict(found["kube_pod_info"].labels)["job"] == "state"
    assert found["node_load1"].at_ms is None
    (tmp_path / "node.prom").unlink()
    assert sample_times(tmp_path) == [1_789_000_000]


def test_answers_of_prometheus_are_taken_with_and_without_their_query(tmp_path: Path) -> None:
    at = datetime(2026, 9, 1, tzinfo=UTC).timestamp()
    series = {"metric": {"__name__": "up", "job": "a"}, "values": [[at, "NaN"], [at + 10, "1"]]}
    instant = {"metric": {"__name__": "down"}, "value": [at, "2"]}
    made = {"metric": {}, "value": [at, "3"]}
    folder = written(tmp_path) / "prometheus"
    folder.mkdir()
    body = {"status": "success", "data": {"resultType": "matrix", "result": [series]}}
    (folder / "a.json").write_text(json.dumps(body))
    vector = {"status": "success", "data": {"result": [instant, made]}}
    (folder / "b.instant.json").write_text(json.dumps({"query": "down", "response": vector}))
    (folder / "c.json").write_text('{"status": "error", "error": "query timed out"}')
    assert sorted(one.name for one in recorded_samples(tmp_path)) == ["down", "up", "up"]


def test_logs_of_early_containers_odd_bytes_and_the_longest_names(tmp_path: Path) -> None:
    one = pod("web", 1)
    one["spec"]["initContainers"] = [{"name": "migrate", "image": "m"}]
    one["metadata"]["name"] = "w" * 253
    two = pod("web", 2)
    two["spec"]["initContainers"] = [{"name": "migrate", "image": "m"}]
    (written(tmp_path, pods=raw("pods", [one, two])) / "logs").mkdir()
    log = tmp_path / "logs" / "web-hash1-p2_migrate.log"
    log.write_bytes(b"2026-99-99T00:00:00Z no date\n" + ago(1).encode() + b" \xff dirty\n")
    api = recorded_api(tmp_path)
    said = api.answer(ApiRequest.of("GET", f"{AT}/web-hash1-p2/log?container=migrate"))
    assert said.status == 200
    assert said.body == "2026-99-99T00:00:00Z no date\n\ufffd dirty\n".encode()
    long = api.answer(ApiRequest.of("GET", f"{AT}/{'w' * 253}/log?container=app"))
    assert long.status == 400


BROKEN: dict[str, tuple[str, str]] = {
    "no JSON": ("pods.json", "{"),
    "another thing": ("pods.json", '"pods"'),
    "an object of no kind": ("pods.json", '{"a": 1}'),
    "items that are none": ("pods.json", '{"kind": "PodList", "apiVersion": "v1", "items": 3}'),
    "an item that is none": ("pods.json", "[3]"),
    "no metadata": ("pods.json", '[{"spec": {}}]'),
    "no name": ("pods.json", '[{"metadata": {"namespace": "a"}}]'),
    "no containers": (
        "pods.json",
        '[{"metadata": {"name": "a", "creationTimestamp": "2026-01-01T00:00:00Z"}}]',
    ),
    "no date": ("nodes.json", '[{"metadata": {"name": "a"}}]'),
    "a status of text": ("nodes.json", '[{"metadata": {"name": "a"}, "status": "fine"}]'),
    "a condition of no type": (
        "nodes.json",
        (
            '[{"metadata": {"name": "a", "creationTimestamp": "2026-01-01T00:00:00Z"},'
            ' "status": {"conditions": [{"status": "True"}]}}]'
        ),
    ),
    "labels in a list": (
        "nodes.json",
        (
            '[{"metadata": {"name": "a", "creationTimestamp": "2026-01-01T00:00:00Z",'
            ' "labels": ["a"]}}]'
        ),
    ),
    "no selector": (
        "deployments.json",
        '[{"metadata": {"name": "a", "creationTimestamp": "2026-01-01T00:00:00Z"}}]',
    ),
    "an end without its code": (
        "pods.json",
        (
            '[{"metadata": {"name": "a", "creationTimestamp": "2026-01-01T00:00:00Z"},'
            ' "spec": {"containers": [{"name": "c"}]}, "status": {"containerStatuses":'
            ' [{"name": "c", "restartCount": 1, "lastState": {"terminated": {}}}]}}]'
        ),
    ),
    "no text at all": ("nodes.json", "\x00\x01"),
    "a scrape that is none": ("cadvisor.prom", "<html>502 Bad Gateway</html>"),
    "labels without an end": ("cadvisor.prom", 'a{b="c 1'),
    "a sample that is none": (
        "prometheus/a.json",
        '{"data": {"result": [{"metric": {"__name__": "a"}, "values": [1]}]}}',
    ),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_file_is_named_in_one_sentence(tmp_path: Path, broken: str) -> None:
    name, text = BROKEN[broken]
    file = written(tmp_path) / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as refused:
        recorded_store(tmp_path)
    assert str(file) in refused.value.message
    assert len(refused.value.message) < len(str(file)) + 160
