"""Kubelets: probes, images that cannot be had, grace, and a kubelet that stops."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.lab.hand_clock import DEPLOYMENTS, PODS, Lab
from tests.lab.test_controllers import reasons, workload

pytestmark = pytest.mark.slow

RECORDINGS = Path(__file__).parent.parent / "recordings"
EVENTS = "/api/v1/namespaces/default/events"
PROBE = {"httpGet": {"path": "/live", "port": 8080}, "periodSeconds": 2, "failureThreshold": 3}


def single(lab: Lab, container: dict[str, Any], **pod: Any) -> None:
    containers = [{"name": "app", "image": "shop/web:1", **container}]
    lab.world.apply([workload("Deployment", pod={"containers": containers, **pod})])


def the_pod(lab: Lab) -> Any:
    (pod,) = lab.get(f"{PODS}?labelSelector=app=web")["items"]
    return pod


def said(lab: Lab, reason: str) -> list[str]:
    name = the_pod(lab)["metadata"]["name"]
    found = lab.get(f"{EVENTS}?fieldSelector=involvedObject.name={name}")["items"]
    return [one["message"] for one in found if one["reason"] == reason]


def test_a_failing_liveness_probe_kills_with_137_and_error() -> None:
    lab = Lab()
    env = [{"name": "UNHEALTHY_AFTER_SECONDS", "value": "10"}]
    single(lab, {"livenessProbe": PROBE, "env": env})
    lab.pass_seconds(30)
    (status,) = the_pod(lab)["status"]["containerStatuses"]
    ended = status["lastState"]["terminated"]
    assert (ended["exitCode"], ended["reason"], status["restartCount"]) == (137, "Error", 1)
    assert said(lab, "Killing") == ["Container app failed liveness probe, will be restarted"]
    assert said(lab, "Unhealthy") == [
        "Liveness probe failed: HTTP probe failed with statuscode: 503"
    ]


def test_a_probe_of_a_port_where_nobody_listens_is_refused() -> None:
    lab = Lab()
    probe = {**PROBE, "httpGet": {"path": "/", "port": 9090}}
    single(lab, {"livenessProbe": probe, "ports": [{"containerPort": 8080}]})
    lab.pass_seconds(15)
    (why,) = said(lab, "Unhealthy")
    assert why.startswith('Liveness probe failed: Get "http://10.0.')
    assert why.endswith(":9090: connect: connection refused")


@pytest.mark.slow
def test_a_startup_probe_holds_the_others_back_and_kills_what_never_starts() -> None:
    lab = Lab()
    env = [{"name": "STARTS_AFTER_SECONDS", "value": "8"}]
    single(lab, {"startupProbe": PROBE, "readinessProbe": PROBE, "env": env})
    lab.pass_seconds(4)
    (status,) = the_pod(lab)["status"]["containerStatuses"]
    assert (status["started"], status["ready"]) == (False, False)
    lab.pass_seconds(20)
    assert "Container app failed startup probe, will be restarted" in said(lab, "Killing")
    slow = Lab()
    patient = {**PROBE, "failureThreshold": 10}
    single(slow, {"startupProbe": patient, "readinessProbe": PROBE, "env": env})
    slow.pass_seconds(16)
    (status,) = the_pod(slow)["status"]["containerStatuses"]
    assert (status["started"], status["ready"], status["restartCount"]) == (True, True, 0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "image"),
    [
        (
            "imagepull-not-found",
            "111122223333.dkr.ecr.us-east-1.amazonaws.com/shop/orders-api:9.9.9",
        ),
        ("imagepull-no-such-host", "registry.shop.internal/orders-api:1.5.0"),
        ("imagepull-denied", "registry.example.com/private/orders-api:1.5.0"),
    ],
)
def test_an_image_that_cannot_be_had_is_spoken_of_as_recorded(case: str, image: str) -> None:
    lab = Lab()
    single(lab, {"image": image})
    lab.pass_seconds(170)
    pod = the_pod(lab)
    recorded = json.loads((RECORDINGS / case / "pods.json").read_text())["items"]
    expected = next(
        one["status"] for one in recorded if one["status"]["containerStatuses"][0]["image"] == image
    )
    (status,), (was,) = pod["status"]["containerStatuses"], expected["containerStatuses"]
    here = was["state"]["waiting"]["message"].replace("127.0.0.1:5000", "registry.example.com")
    assert status["state"]["waiting"] == {"reason": "ImagePullBackOff", "message": here}
    assert set(status) == set(was)
    assert pod["status"]["phase"] == "Pending"
    name = pod["metadata"]["name"]
    events = lab.get(f"{EVENTS}?fieldSelector=involvedObject.name={name}")["items"]
    kinds = {(one["reason"], one["type"]) for one in events}
    assert kinds == {
        ("Scheduled", "Normal"),
        ("Pulling", "Normal"),
        ("Failed", "Warning"),
        ("BackOff", "Normal"),
    }
    pulls = next(one["count"] for one in events if one["reason"] == "Pulling")
    assert 4 <= pulls <= 5
    log = lab.ask("GET", f"{PODS}/{name}/log")
    assert log.status == 400


def test_what_does_not_stop_within_its_grace_is_killed() -> None:
    lab = Lab()
    env = [{"name": "STOPS_WITHIN_SECONDS", "value": "60"}]
    single(lab, {"env": env}, terminationGracePeriodSeconds=5)
    lab.pass_seconds(5)
    name = the_pod(lab)["metadata"]["name"]
    lab.ask("DELETE", f"{PODS}/{name}")
    lab.pass_seconds(4)
    assert lab.ask("GET", f"{PODS}/{name}").status == 200
    lab.pass_seconds(1.4)
    found = lab.get(f"{PODS}/{name}")
    assert found["status"]["phase"] == "Failed"
    ended = found["status"]["containerStatuses"][0]["state"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (137, "Error")
    lab.pass_seconds(1)
    assert lab.ask("GET", f"{PODS}/{name}").status == 404


def test_leases_are_renewed_every_ten_seconds() -> None:
    lab = Lab()
    url = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
    before = {one["metadata"]["name"]: one["spec"]["renewTime"] for one in lab.get(url)["items"]}
    lab.pass_seconds(10.5)
    after = {one["metadata"]["name"]: one["spec"]["renewTime"] for one in lab.get(url)["items"]}
    assert len(before) == 3
    assert all(after[name] > at for name, at in before.items())


def test_a_silent_kubelet_is_found_out_as_recorded_and_comes_back() -> None:
    lab = Lab()
    node = lab.pods("petsite")[0]["spec"]["nodeName"]
    pod = lab.pods("petsite")[0]["metadata"]["name"]
    lab.world.stop_kubelet(node)
    lab.pass_seconds(70)
    found = lab.get(f"/api/v1/nodes/{node}")
    recorded = json.loads((RECORDINGS / "node-notready" / "nodes.json").read_text())["items"][0]
    assert [
        (one["type"], one["status"], one["reason"], one["message"])
        for one in found["status"]["conditions"]
    ] == [
        (one["type"], one["status"], one["reason"], one["message"])
        for one in recorded["status"]["conditions"]
    ]
    effects = {(one["key"], one["effect"]) for one in found["spec"]["taints"]}
    assert ("node.kubernetes.io/unreachable", "NoSchedule") in effects
    assert "NodeNotReady" in reasons(lab, node)
    ready = next(
        one for one in lab.get(f"{PODS}/{pod}")["status"]["conditions"] if one["type"] == "Ready"
    )
    assert ready["status"] == "False"
    log = lab.ask("GET", f"{PODS}/{pod}/log?tailLines=3")
    assert log.status == 500
    assert log.json()["message"].startswith('Get "https://10.0.')
    assert log.json()["message"].endswith(":10250: connect: connection refused")
    lab.pass_seconds(300)
    assert "TaintManagerEviction" in reasons(lab, pod)
    assert "deletionTimestamp" in lab.get(f"{PODS}/{pod}")["metadata"]
    assert lab.get(f"{DEPLOYMENTS}/petsite")["status"]["readyReplicas"] == 2
    lab.world.start_kubelet(node)
    lab.pass_seconds(40)
    back = lab.get(f"/api/v1/nodes/{node}")
    assert "taints" not in back["spec"]
    assert {one["status"] for one in back["status"]["conditions"]} == {"True", "False"}
    assert lab.ask("GET", f"{PODS}/{pod}").status == 404
    for one in lab.get(DEPLOYMENTS)["items"]:
        assert one["status"]["readyReplicas"] == one["spec"]["replicas"]


def test_a_short_silence_goes_unnoticed_but_for_the_event() -> None:
    lab = Lab()
    node = lab.pods("petsite")[0]["spec"]["nodeName"]
    lab.world.stop_kubelet(node)
    lab.pass_seconds(30)
    lab.world.start_kubelet(node)
    lab.pass_seconds(90)
    assert "NodeNotReady" not in reasons(lab, node)
    assert len(lab.pods("petsite")) == 2
