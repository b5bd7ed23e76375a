"""The API's answers are those that a real API server gave."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from petops.lab.kubernetes_api import KubernetesApi
from petops.lab.kubernetes_request import ApiAnswer, ApiRequest
from petops.lab.recorded import RecordedLogs, recorded_api, recorded_at, recorded_store
from tests.lab.hand_clock import BEGAN, DEPLOYMENTS, PODS, Lab

pytestmark = pytest.mark.slow

RECORDINGS = Path(__file__).parent.parent / "recordings"
API = RECORDINGS / "api"


def recorded(name: str) -> Any:
    return json.loads((API / f"{name}.json").read_text())


def sent(name: str, **headers: str) -> ApiRequest:
    request = recorded(name)["request"]
    content = {key.lower(): value for key, value in request["headers"].items()}
    body = request["body"]
    raw = isinstance(body, str)
    made = ApiRequest.of(
        request["method"],
        request["path"],
        None if raw else body,
        headers={**content, **headers},
    )
    return ApiRequest(**{**fields(made), "body": body.encode()}) if raw else made


def fields(request: ApiRequest) -> dict[str, Any]:
    return {
        "method": request.method,
        "path": request.path,
        "query": request.query,
        "headers": request.headers,
    }


@pytest.fixture
def api() -> KubernetesApi:
    """The recorded namespace oomkill; writable, for calls that change something."""
    folder = RECORDINGS / "oomkill"
    at = recorded_at(folder)
    return KubernetesApi(recorded_store(folder), RecordedLogs(folder), lambda: at)


SAME = (
    "bad-label-selector",
    "create-already-exists",
    "field-selector-unsupported",
    "immutable-selector",
    "lease-bad-microtime",
    "method-not-allowed",
    "metrics-api-absent",
    "no-such-resource",
    "not-found",
    "patch-invalid",
    "patch-jsonpatch-test-fails",
    "patch-stale-resourceversion",
    "patch-wrong-content-type",
    "rollout-undo-subresource-absent",
    "ssa-no-fieldmanager",
    "ssar-allowed",
)


@pytest.mark.parametrize("name", SAME)
def test_an_answer_is_word_for_word_the_recorded_one(api: KubernetesApi, name: str) -> None:
    expected = recorded(name)["response"]
    answer = api.answer(sent(name))
    assert answer.status == expected["status"]
    assert (
        answer.headers["content-type"].split(";")[0]
        == expected["headers"]["content-type"].split(";")[0]
    )
    if isinstance(expected["body"], str):
        assert isinstance(answer.body, bytes)
        assert answer.body.decode() == expected["body"]
    else:
        assert answer.json() == expected["body"]


def test_a_token_that_nobody_issued_is_turned_down(api: KubernetesApi) -> None:
    answer = api.answer(ApiRequest.of("GET", "/api/v1/pods", headers={"Authorization": "Bearer x"}))
    assert answer.json() == recorded("unauthorized-bad-token")["response"]["body"]


def test_whom_rbac_does_not_know_is_refused(api: KubernetesApi) -> None:
    for name in ("forbidden-rbac", "forbidden-log"):
        assert api.answer(sent(name)).json() == recorded(name)["response"]["body"]
    denied = api.answer(sent("ssar-denied"))
    assert denied.status == 201
    assert denied.json() == recorded("ssar-denied")["response"]["body"]


def test_a_read_only_user_reads_and_writes_nothing() -> None:
    lab = Lab()
    token = {"Authorization": "Bearer lab-read-only"}
    assert lab.ask("GET", PODS, headers=token).status == 200
    for method, url in (
        ("DELETE", f"{PODS}/x"),
        ("POST", PODS),
        ("PATCH", f"{DEPLOYMENTS}/petsite"),
    ):
        answer = lab.ask(method, url, {}, headers=token)
        assert answer.status == 403
        assert 'User "lab-read-only" cannot' in answer.json()["message"]
    who = lab.ask("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", {}, headers=token)
    assert who.json()["status"]["userInfo"]["username"] == "lab-read-only"
    assert set(who.json()) == set(recorded("selfsubjectreview")["response"]["body"])


def test_leases_are_taken_renewed_and_lost_as_recorded(api: KubernetesApi) -> None:
    made = api.answer(sent("lease-create")).json()
    expected = recorded("lease-create")["response"]["body"]
    assert made["spec"] == expected["spec"]
    assert shape(made) == shape(expected) | {"metadata": shape(made)["metadata"]}
    assert (
        api.answer(sent("lease-create-conflict")).json()
        == recorded("lease-create-conflict")["response"]["body"]
    )
    stale = api.answer(sent("lease-update-stale"))
    assert stale.json() == recorded("lease-update-stale")["response"]["body"]
    path = sent("lease-update").path
    renewed = recorded("lease-update")["request"]["body"]
    renewed["metadata"]["resourceVersion"] = made["metadata"]["resourceVersion"]
    assert api.answer(ApiRequest.of("PUT", path, renewed)).status == 200
    refused = api.answer(sent("lease-delete-precondition-fails")).json()
    assert "the ResourceVersion in the precondition (1) does not match" in refused["message"]
    gone = api.answer(sent("lease-delete")).json()
    assert shape(gone) == shape(recorded("lease-delete")["response"]["body"])


def shape(found: Any) -> Any:
    """The names of fields, without values."""
    if isinstance(found, dict):
        return {name: shape(value) for name, value in found.items() if name != "managedFields"}
    return type(found).__name__


def test_a_table_has_the_recorded_columns_and_cells() -> None:
    folder = RECORDINGS / "oomkill"
    api = recorded_api(folder)
    answer = api.answer(sent("table")).json()
    expected = recorded("table")["response"]["body"]
    names = [(one["name"], one["type"], one["priority"]) for one in expected["columnDefinitions"]]
    assert [
        (one["name"], one["type"], one["priority"]) for one in answer["columnDefinitions"]
    ] == names
    cells = answer["rows"][0]["cells"]
    assert cells[:4] == ["orders-api-86646998c7-dhxfs", "0/1", "CrashLoopBackOff", "4 (45s ago)"]
    assert len(cells) == len(names)


def test_a_recorded_cluster_refuses_writes_but_not_dry_runs() -> None:
    api = recorded_api(RECORDINGS / "oomkill")
    path = "/apis/apps/v1/namespaces/oomkill/deployments/orders-api"
    patch = {"spec": {"replicas": 3}}
    content = "application/merge-patch+json"
    assert api.answer(ApiRequest.of("PATCH", path, patch, content_type=content)).status == 403
    dry = api.answer(ApiRequest.of("PATCH", f"{path}?dryRun=All", patch, content_type=content))
    assert dry.json()["spec"]["replicas"] == 3
    assert api.answer(ApiRequest.of("GET", path)).json()["spec"]["replicas"] == 2


def test_a_version_of_the_future_times_out(api: KubernetesApi) -> None:
    answer = api.answer(sent("list-future-resourceversion")).json()
    expected = recorded("list-future-resourceversion")["response"]["body"]
    assert shape(answer) == shape(expected)
    assert answer["message"].startswith("Timeout: Too large resource version: 99999999, current: ")


@pytest.mark.parametrize("previous", [False, True])
def test_logs_say_why_there_are_none(previous: bool) -> None:
    lab = Lab()
    name = lab.pods("petsite")[0]["metadata"]["name"]
    query = "previous=true" if previous else "container=nope"
    answer = lab.ask("GET", f"{PODS}/{name}/log?{query}")
    case = recorded("log-previous-missing" if previous else "log-no-such-container")
    text = case["response"]["body"]["message"].replace("search-76c758b4b4-kv6qc", name)
    assert answer.status == 400
    assert answer.json()["message"] == text.replace('"app"', '"petsite"')


@pytest.mark.parametrize(
    ("method", "url", "body"),
    [
        ("GET", "/", b""),
        ("GET", "//", b""),
        ("GET", "/api/", b""),
        ("GET", "/api/v2/pods", b""),
        ("GET", "/apis/apps", b""),
        ("GET", "/apis/apps/v1/namespaces/default", b""),
        ("GET", "/api/v1/namespaces/default/pods/a/b/c/d", b""),
        ("GET", "/api/v1/pods?limit=x", b""),
        ("GET", "/api/v1/pods?continue=%FF%00", b""),
        ("GET", "/api/v1/pods?continue=e30", b""),
        ("POST", PODS, b"{"),
        ("POST", PODS, b"[]"),
        ("POST", PODS, b"null"),
        ("POST", PODS, b'{"metadata": 3}'),
        ("POST", PODS, b'{"metadata":{"name":"a"},"spec":3}'),
        ("POST", PODS, b'{"metadata":{"name":"a"},"spec":{"containers":[3]}}'),
        ("POST", "/api/v1/namespaces/nowhere/pods", b'{"metadata":{"name":"a"}}'),
        ("POST", DEPLOYMENTS, b'{"metadata":{"name":"A b"},"spec":{}}'),
        ("POST", DEPLOYMENTS, b'{"metadata":{"name":"a","labels":{"x":1}}}'),
        ("POST", DEPLOYMENTS, b'{"metadata":{"name":"a","labels":3}}'),
        ("POST", DEPLOYMENTS, b'{"metadata":{"name":"a"},"spec":{"strategy":3}}'),
        ("POST", DEPLOYMENTS, b'{"metadata":{"name":"a"},"spec":{"template":{"spec":3}}}'),
        ("PUT", PODS, b"{}"),
        ("PUT", f"{DEPLOYMENTS}/petsite", b'{"metadata":{"name":"petsite"}}'),
        ("PUT", f"{DEPLOYMENTS}/petsite/status", b'{"status":3}'),
        ("PUT", f"{DEPLOYMENTS}/petsite/scale", b'{"spec":{"replicas":"many"}}'),
        ("DELETE", f"{PODS}/a", b"x"),
        ("DELETE", f"{PODS}/a", b"[]"),
        ("DELETE", f"{DEPLOYMENTS}/petsite", b'{"preconditions":3}'),
        ("BREW", "/api/v1/pods", b""),
        ("POST", f"{PODS}/a/eviction", b"3"),
        ("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", b'{"spec":[]}'),
        ("POST", "/apis/policy/v1/namespaces/default/poddisruptionbudgets",
         b'{"metadata":{"name":"a"},"spec":{"minAvailable":"x"}}'),
        ("POST", "/api/v1/namespaces/default/services",
         b'{"metadata":{"name":"a"},"spec":{"selector":3,"ports":[{"port":"x"}]}}'),
        ("POST", "/api/v1/namespaces/default/events", b'{"metadata":{"name":"a"}}'),
        ("POST", "/api/v1/nodes", b'{"metadata":{"name":"a"}}'),
    ],
)  # fmt: skip
def test_nonsense_is_answered_and_never_raises(method: str, url: str, body: bytes) -> None:
    lab = Lab()
    made = ApiRequest.of(method, url)
    answer = lab.api.answer(ApiRequest(**{**fields(made), "body": body}))
    assert answer.status < 500
    lab.pass_seconds(2)


def test_the_lab_began_when_its_clock_says() -> None:
    assert Lab().world.start == BEGAN


def test_answers_stand_for_themselves() -> None:
    with pytest.raises(TypeError):
        ApiAnswer(body=None).json()  # type: ignore[arg-type]
