"""One suite of requests with the answers that a real API server gave, for the lab and any cluster.

The lab is asked in the gate. With `-m cluster` and PETOPS_TRUTH_KUBECONFIG the same requests go to
a cluster, into a namespace that is made for it; where the two differ, the lab is wrong.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.truth.askers import Asker, InMemory, OfKubeconfig, Said

API = Path(__file__).parent.parent / "recordings" / "api"
NAMESPACE = "petops-truth"
KUBECONFIG = "PETOPS_TRUTH_KUBECONFIG"
JSON = {"Accept": "application/json", "Content-Type": "application/json"}
LABELS = {"app.kubernetes.io/name": "orders-api", "app.kubernetes.io/version": "1.5.0"}

SAME = (
    "bad-label-selector",
    "create-already-exists",
    "eviction-no-such-pod",
    "field-selector-unsupported",
    "immutable-selector",
    "lease-bad-microtime",
    "method-not-allowed",
    "no-such-resource",
    "not-found",
    "patch-invalid",
    "patch-jsonpatch-test-fails",
    "patch-stale-resourceversion",
    "patch-wrong-content-type",
    "rollout-undo-subresource-absent",
    "ssa-conflict",
    "ssa-no-fieldmanager",
)
"""Answers that are the recorded ones word for word."""

LIKE = (
    "delete-pod-dry-run",
    "list-bad-continue-410or400",
    "list-future-resourceversion",
    "list-limit-2",
    "log-no-such-container",
    "log-previous-missing",
    "log-tail",
    "partial-metadata",
    "patch-strategic-restart-dryrun",
    "patch-unknown-field-strict",
    "patch-unknown-field-warn",
    "scale-get",
    "selfsubjectreview",
    "ssa-force-dryrun",
    "ssar-allowed",
    "table",
    "version",
    "watch-expired-resourceversion",
)
"""Answers with the recorded status, reason and fields."""


@pytest.fixture(scope="module", params=["lab", pytest.param("cluster", marks=pytest.mark.cluster)])
def asker(request: pytest.FixtureRequest) -> Iterator[Asker]:
    """Whom to ask, with the workload that was recorded in a namespace of its own."""
    if request.param == "lab":
        chosen: Asker = InMemory()
    elif os.environ.get(KUBECONFIG):
        chosen = OfKubeconfig(Path(os.environ[KUBECONFIG]))
    else:
        pytest.skip(f"{KUBECONFIG} is not set")
    try:
        set_up(chosen)
        yield chosen
    finally:
        chosen.ask("DELETE", f"/api/v1/namespaces/{NAMESPACE}", JSON, b"")


def put(asker: Asker, path: str, document: object) -> Said:
    return asker.ask("POST", path, JSON, json.dumps(document).encode())


def set_up(asker: Asker) -> None:
    put(asker, "/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
    asker.wait(1)
    container = {
        "name": "app",
        "image": "public.ecr.aws/docker/library/python:3.12-alpine",
        "command": ["python3", "-c", "import time; print('started'); time.sleep(100000)"],
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}},
    }
    name = {"app.kubernetes.io/name": "orders-api"}
    spec = {
        "replicas": 2,
        "selector": {"matchLabels": name},
        "template": {
            "metadata": {"labels": LABELS},
            "spec": {"terminationGracePeriodSeconds": 1, "containers": [container]},
        },
    }
    path = (
        f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments?fieldManager=kubectl-client-side-apply"
    )
    put(asker, path, {"metadata": {"name": "orders-api"}, "spec": spec})
    for _ in range(120):
        asker.wait(1)
        found = get(asker, f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/orders-api")
        if found["status"].get("readyReplicas") == 2:
            return
    raise AssertionError("the workload did not become ready")


def get(asker: Asker, path: str) -> Any:
    answer = asker.ask("GET", path, JSON, b"")
    assert answer.status == 200, answer.body
    return answer.body


def pods(asker: Asker) -> list[str]:
    found = get(asker, f"/api/v1/namespaces/{NAMESPACE}/pods")["items"]
    return [one["metadata"]["name"] for one in found if "deletionTimestamp" not in one["metadata"]]


def recorded(name: str, pod: str = "") -> Any:
    """A recorded call, in our namespace and about our pod."""
    text = (API / f"{name}.json").read_text()
    text = re.sub(r"\b(oomkill|quota|rollout)(?=[/\"\\])", NAMESPACE, text)
    text = re.sub(r"(search-76c758b4b4-kv6qc|web-57878585b-5mvsn|web-7f59f56db9-zfw5n)", pod, text)
    return json.loads(text)


def sent(asker: Asker, call: Any, **changed: str) -> Said:
    request = call["request"]
    body = request["body"]
    raw = b"" if body is None else (body if isinstance(body, str) else json.dumps(body)).encode()
    headers: Mapping[str, str] = {**request["headers"], **changed}
    return asker.ask(request["method"], request["path"], headers, raw)


def shape(found: Any) -> Any:
    """The names of fields, without values; a list is as its first element."""
    if isinstance(found, dict):
        loose = {"managedFields", "labels", "annotations", "spec", "status", "groups", "extra"}
        return {name: shape(value) for name, value in found.items() if name not in loose}
    return type(found).__name__


@pytest.mark.parametrize("name", SAME)
def test_an_answer_is_the_recorded_one(asker: Asker, name: str) -> None:
    call = recorded(name, "nope")
    answer = sent(asker, call)
    assert answer.status == call["response"]["status"]
    assert answer.body == call["response"]["body"]


@pytest.mark.parametrize("name", LIKE)
def test_an_answer_is_like_the_recorded_one(asker: Asker, name: str) -> None:
    call = recorded(name, pods(asker)[0])
    answer, expected = sent(asker, call), call["response"]
    assert answer.status == expected["status"], answer.body
    body = expected["body"]
    if not isinstance(body, dict):
        assert isinstance(answer.body, str)
        return
    assert answer.body.get("kind") == body.get("kind")
    assert answer.body.get("reason") == body.get("reason")
    assert set(shape(answer.body)) == set(shape(body))
    if body.get("kind") == "Table":
        columns = [(one["name"], one["type"]) for one in body["columnDefinitions"]]
        assert [(one["name"], one["type"]) for one in answer.body["columnDefinitions"]] == columns


def test_a_lease_is_taken_renewed_contested_and_given_up(asker: Asker) -> None:
    base = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases"
    document = recorded("lease-create")["request"]["body"]
    document["metadata"]["namespace"] = NAMESPACE
    made = put(asker, base, document)
    assert made.status == 201
    again = put(asker, base, document)
    assert (again.status, again.body) == (
        409,
        recorded("lease-create-conflict")["response"]["body"],
    )
    path = f"{base}/petops-lock"
    fresh = {**document, "metadata": made.body["metadata"]}
    renewed = asker.ask("PUT", path, JSON, json.dumps({**fresh, "spec": _moved(fresh)}).encode())
    assert renewed.status == 200
    stale = asker.ask("PUT", path, JSON, json.dumps(fresh).encode())
    assert (stale.status, stale.body) == (409, recorded("lease-update-stale")["response"]["body"])
    options = recorded("lease-delete-precondition-fails")["request"]["body"]
    refused = asker.ask("DELETE", path, JSON, json.dumps(options).encode())
    assert refused.status == 409
    assert "the ResourceVersion in the precondition (1)" in refused.body["message"]
    gone = asker.ask("DELETE", path, JSON, b"")
    assert (gone.status, gone.body["status"]) == (200, "Success")


def _moved(lease: Any) -> Any:
    return {**lease["spec"], "renewTime": "2026-11-23T05:00:10.000000Z"}


def test_an_eviction_meets_a_budget(asker: Asker) -> None:
    base = f"/apis/policy/v1/namespaces/{NAMESPACE}/poddisruptionbudgets"
    selector = {"matchLabels": {"app.kubernetes.io/name": "orders-api"}}
    put(
        asker,
        base,
        {"metadata": {"name": "search"}, "spec": {"minAvailable": 2, "selector": selector}},
    )
    for _ in range(20):
        asker.wait(1)
        if get(asker, f"{base}/search").get("status", {}).get("currentHealthy") == 2:
            break
    pod = pods(asker)[0]
    call = recorded("eviction-blocked-by-pdb", pod)
    blocked = sent(asker, call)
    assert (blocked.status, blocked.body) == (429, call["response"]["body"])
    asker.ask("DELETE", f"{base}/search", JSON, b"")
    asker.wait(1)
    body = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": pod, "namespace": NAMESPACE},
    }
    done = put(asker, f"/api/v1/namespaces/{NAMESPACE}/pods/{pod}/eviction", body)
    assert (done.status, done.body) == (201, recorded("eviction-success")["response"]["body"])


def test_deployment_pods_and_replica_sets_say_who_wrote_them(asker: Asker) -> None:
    wanted = {
        f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments": "kube-controller-manager",
        f"/apis/apps/v1/namespaces/{NAMESPACE}/replicasets": "kube-controller-manager",
        f"/api/v1/namespaces/{NAMESPACE}/pods": "kubelet",
    }
    for path, manager in wanted.items():
        for one in get(asker, path)["items"]:
            entries = one["metadata"]["managedFields"]
            assert manager in {entry["manager"] for entry in entries}
            assert {"operation", "apiVersion", "time", "fieldsType"} <= set(entries[0])


def test_what_a_refused_object_is_told(asker: Asker) -> None:
    path = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments"
    for document, status, reason in (
        ({"metadata": {"name": "A b"}, "spec": {}}, 422, "Invalid"),
        ({"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "x"}}, 400, "BadRequest"),
        ([], 400, "BadRequest"),
        ({"metadata": {"name": "x"}, "spec": 3}, 400, "BadRequest"),
    ):
        answer = put(asker, path, document)
        assert (answer.status, answer.body["reason"]) == (status, reason)
        assert answer.body["kind"] == "Status"


def test_a_pod_that_loses_its_label_is_let_go_and_replaced(asker: Asker) -> None:
    name = pods(asker)[0]
    path = f"/api/v1/namespaces/{NAMESPACE}/pods/{name}"
    patch = {"Accept": "application/json", "Content-Type": "application/merge-patch+json"}
    body = json.dumps({"metadata": {"labels": {"app.kubernetes.io/name": "looked-at"}}}).encode()
    assert asker.ask("PATCH", path, patch, body).status == 200
    for _ in range(30):
        asker.wait(1)
        if len(pods(asker)) == 3:
            break
    assert len(pods(asker)) == 3
    assert not get(asker, path)["metadata"].get("ownerReferences")
    asker.ask("DELETE", path, JSON, b"")


def test_a_scale_cannot_be_less_than_none(asker: Asker) -> None:
    path = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/orders-api/scale"
    patch = {"Accept": "application/json", "Content-Type": "application/merge-patch+json"}
    answer = asker.ask("PATCH", path, patch, b'{"spec": {"replicas": -2}}')
    assert (answer.status, answer.body["reason"]) == (422, "Invalid")
    assert answer.body["details"]["kind"] == "Scale"


def test_yaml_without_an_end_and_wrong_schedules_are_refused(asker: Asker) -> None:
    path = f"/api/v1/namespaces/{NAMESPACE}/configmaps"
    headers = {"Accept": "application/json", "Content-Type": "application/yaml"}
    answer = asker.ask("POST", path, headers, b"metadata: {name: &x [*x]}")
    assert (answer.status, answer.body["kind"]) == (400, "Status")
    pod = {"restartPolicy": "Never", "containers": [{"name": "a", "image": "busybox"}]}
    spec = {"schedule": "never", "jobTemplate": {"spec": {"template": {"spec": pod}}}}
    cron = put(
        asker,
        f"/apis/batch/v1/namespaces/{NAMESPACE}/cronjobs",
        {"metadata": {"name": "never"}, "spec": spec},
    )
    assert (cron.status, cron.body["reason"]) == (422, "Invalid")
    assert "expected exactly 5 fields, found 1: [never]" in cron.body["message"]


def test_services_are_selected_by_their_type(asker: Asker) -> None:
    path = f"/api/v1/namespaces/{NAMESPACE}/services"
    made = put(
        asker,
        path,
        {"metadata": {"name": "open"}, "spec": {"type": "NodePort", "ports": [{"port": 80}]}},
    )
    assert 30_000 <= made.body["spec"]["ports"][0]["nodePort"] < 32_768
    found = get(asker, f"{path}?fieldSelector=spec.type%3DNodePort")["items"]
    assert [one["metadata"]["name"] for one in found] == ["open"]
