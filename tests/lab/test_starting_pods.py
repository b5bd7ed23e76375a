"""What keeps the lab's pods from starting: volumes, addresses, and what admission looks up."""

from __future__ import annotations

from typing import Any

import pytest

from tests.lab.hand_clock import Lab

pytestmark = pytest.mark.slow

Json = Any
PODS = "/api/v1/namespaces/default/pods"
MAPS = "/api/v1/namespaces/default/configmaps"


def workload(kind: str = "Deployment", replicas: int = 1, **spec: Json) -> Json:
    labels = {"app": "web"}
    pod = {"containers": [{"name": "app", "image": "registry.example.com/web:1"}], **spec}
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": "web"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


def pods(lab: Lab) -> list[Json]:
    found: list[Json] = lab.get(f"{PODS}?labelSelector=app=web")["items"]
    return found


def warnings(lab: Lab, reason: str) -> list[tuple[int, str]]:
    events = lab.get("/api/v1/namespaces/default/events")["items"]
    return [(one["count"], one["message"]) for one in events if one["reason"] == reason]


def state(pod: Json) -> Json:
    return pod["status"]["containerStatuses"][0]["state"]


def volume(kind: str, **content: Json) -> Json:
    return {"name": "config", kind: content}


def made(name: str, **data: str) -> Json:
    return {"metadata": {"name": name}, "data": data}


def test_a_pod_waits_for_its_configmap_and_says_what_it_lacks() -> None:
    lab = Lab()
    lab.world.apply([workload(volumes=[volume("configMap", name="web-config")])])
    lab.pass_seconds(140)
    (one,) = pods(lab)
    assert one["status"]["phase"] == "Pending"
    assert state(one) == {"waiting": {"reason": "ContainerCreating"}}
    (early, text), (_, late) = sorted(warnings(lab, "FailedMount"), reverse=True)
    assert text == (
        'MountVolume.SetUp failed for volume "config" : configmap "web-config" not found'
    )
    assert 5 < early < 12
    assert late == (
        "Unable to attach or mount volumes: unmounted volumes=[config], unattached volumes=[], "
        "failed to process volumes=[]: context deadline exceeded"
    )
    lab.ask("POST", MAPS, made("web-config"))
    lab.pass_seconds(130)
    assert "running" in state(pods(lab)[0])


@pytest.mark.parametrize(
    ("kind", "content", "why"),
    [
        ("secret", {"secretName": "tls"}, 'secret "tls" not found'),
        (
            "configMap",
            {"name": "there", "items": [{"key": "b", "path": "b"}]},
            "configmap references non-existent config key: b",
        ),
        (
            "projected",
            {"sources": [{"configMap": {"name": "no"}}, {"secret": {"name": "none"}}]},
            '[configmap "no" not found, secret "none" not found]',
        ),
        ("configMap", {"name": "no", "optional": True}, ""),
        ("configMap", {"name": "there", "items": [{"key": "a", "path": "a"}]}, ""),
        ("emptyDir", {}, ""),
    ],
)
def test_what_cannot_be_mounted(kind: str, content: Json, why: str) -> None:
    lab = Lab()
    lab.ask("POST", MAPS, made("there", a="1"))
    lab.world.apply([workload(volumes=[volume(kind, **content)])])
    lab.pass_seconds(5)
    said = {text.partition(" : ")[2] for _, text in warnings(lab, "FailedMount")}
    assert said == ({why} if why else set())
    assert ("running" in state(pods(lab)[0])) is not bool(why)


def test_a_kubelet_that_comes_back_waits_on_and_only_once() -> None:
    lab = Lab()
    lab.world.apply([workload(volumes=[volume("configMap", name="web-config")])])
    lab.pass_seconds(3)
    (one,) = pods(lab)
    lab.world.stop_kubelet(one["spec"]["nodeName"])
    lab.pass_seconds(10)
    lab.world.start_kubelet(one["spec"]["nodeName"])
    lab.ask("POST", MAPS, made("web-config"))
    lab.pass_seconds(20)
    assert "running" in state(pods(lab)[0])
    selector = f"involvedObject.name={one['metadata']['name']}"
    events = lab.get(f"/api/v1/namespaces/default/events?fieldSelector={selector}")["items"]
    assert [event["count"] for event in events if event["reason"] == "Started"] == [1]


@pytest.mark.slow
def test_a_node_without_addresses_makes_no_sandbox_and_host_pods_need_none() -> None:
    lab = Lab()
    nodes = [one["metadata"]["name"] for one in lab.get("/api/v1/nodes")["items"]]
    for name in nodes:
        lab.world.use_up_addresses(name)
    lab.world.apply([workload(replicas=1)])
    lab.pass_seconds(200)
    (one,) = pods(lab)
    assert state(one) == {"waiting": {"reason": "ContainerCreating"}}
    said = warnings(lab, "FailedCreatePodSandBox")
    assert len(said) == 10
    end = "failed (add): add cmd: failed to assign an IP address to container"
    assert all(text.endswith(end) for _, text in said)
    combined = [one for one in said if one[1].startswith("(combined from similar events): Failed")]
    assert [count > 2 for count, _ in combined] == [True]
    for name in nodes:
        lab.world.free_addresses(name)
    lab.pass_seconds(20)
    assert "running" in state(pods(lab)[0])
    host = workload(hostNetwork=True)
    for name in nodes:
        lab.world.use_up_addresses(name)
    lab.world.apply([host])
    lab.pass_seconds(10)
    assert any("running" in state(one) and one["spec"].get("hostNetwork") for one in pods(lab))


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        (
            {"serviceAccountName": "reader"},
            'error looking up service account default/reader: serviceaccount "reader" not found',
        ),
        ({"priorityClassName": "gold"}, "no PriorityClass with name gold was found"),
    ],
)
def test_what_a_pod_names_has_to_be_there(spec: Json, why: str) -> None:
    lab = Lab()
    bare = {"metadata": {"name": "x"}, "spec": {"containers": [{"name": "a", "image": "x:1"}]}}
    bare["spec"] |= spec
    answer = lab.ask("POST", PODS, bare)
    assert (answer.status, answer.json()["message"]) == (403, f'pods "x" is forbidden: {why}')
    lab.world.apply([workload("StatefulSet", **spec)])
    lab.pass_seconds(1)
    (_, text), *_ = warnings(lab, "FailedCreate")
    assert (
        text
        == f'create Pod web-0 in StatefulSet web failed error: pods "web-0" is forbidden: {why}'
    )


def test_a_refusal_is_tried_again_and_no_oftener() -> None:
    """The name of the pod is another one each time; what was said first stands in the status."""
    lab = Lab()
    lab.world.apply([workload(serviceAccountName="reader")])
    lab.pass_seconds(25)
    assert sum(count for count, _ in warnings(lab, "FailedCreate")) <= 4
    account = {"metadata": {"name": "reader"}}
    lab.ask("POST", "/api/v1/namespaces/default/serviceaccounts", account)
    lab.pass_seconds(15)
    assert "running" in state(pods(lab)[0])
