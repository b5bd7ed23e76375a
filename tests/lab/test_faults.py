"""Throttling and node pressure in the lab, as everybody sees them; compared with recordings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from petops.lab.quantities import moment
from petops.lab.world import World
from petops.scenarios import BEHAVIOURS, CATALOGUE
from tests.lab.hand_clock import DEPLOYMENTS, PODS, Lab

RECORDINGS = Path(__file__).parent.parent / "recordings"
NODES = "/api/v1/nodes"
EVENTS = "/api/v1/events"
TAINT = "node.kubernetes.io/memory-pressure"


class Faulty(Lab):
    """A lab with a fault in it, injected or applied as it stands."""

    def __init__(self, scenario: str, *, is_injected: bool = True) -> None:
        super().__init__()
        self.world = World(self.clock, behaviours=BEHAVIOURS)
        chosen = CATALOGUE[scenario]
        self.world.apply(chosen.documents(now=self.clock.now()) if is_injected else chosen.text)

    def events(self, reason: str) -> list[Any]:
        return list(self.get(f"{EVENTS}?fieldSelector=reason={reason}")["items"])

    def pressed(self) -> list[Any]:
        return [
            node
            for node in self.get(NODES)["items"]
            for one in node["status"]["conditions"]
            if one["type"] == "MemoryPressure" and one["status"] == "True"
        ]


def mean_seconds(lab: Lab, pod_part: str, seconds: float = 60) -> float:
    """How long requests took a pod in the next while, by its own histogram."""
    before = {one.pod: one for one in lab.world.traffic()}
    lab.pass_seconds(seconds)
    (now,) = [one for one in lab.world.traffic() if pod_part in one.pod]
    was = before[now.pod]
    count = now.requests_total - was.requests_total
    return (now.duration_seconds_sum - was.duration_seconds_sum) / count


@pytest.mark.slow
def test_a_throttled_pod_stands_at_its_limit_and_answers_slowly() -> None:
    lab = Faulty("cpu-throttling")
    lab.pass_seconds(60)
    before = {one.pod: one for one in lab.world.usage()}
    slow = mean_seconds(lab, "-burn-")
    (now,) = [one for one in lab.world.usage() if "-burn-" in one.pod]
    was = before[now.pod]
    seconds = (now.sampled_at - was.sampled_at).total_seconds()
    cores = (now.cpu_seconds_total - was.cpu_seconds_total) / seconds
    assert cores == pytest.approx(now.cpu_limit_cores or 0, rel=0.02)
    periods = now.cfs_periods_total - was.cfs_periods_total
    assert (now.cfs_throttled_periods_total - was.cfs_throttled_periods_total) / periods > 0.9
    assert now.cfs_throttled_seconds_total > was.cfs_throttled_seconds_total
    calm = lab.pods("payforadoption-go")[0]["metadata"]["name"]
    assert slow > 10 * mean_seconds(lab, calm)


@pytest.mark.slow
def test_a_higher_limit_heals_it_in_place_too() -> None:
    lab = Faulty("cpu-throttling")
    lab.pass_seconds(60)
    slow = mean_seconds(lab, "-burn-")
    (pod,) = lab.pods("payforadoption-go", "injector")
    name = pod["metadata"]["name"]
    container = {"name": "payforadoption-go", "resources": {"limits": {"cpu": "400m"}}}
    lab.patch(
        f"{PODS}/{name}/resize",
        {"spec": {"containers": [container]}},
        "application/strategic-merge-patch+json",
    )
    lab.pass_seconds(15)
    (now,) = lab.pods("payforadoption-go", "injector")
    (status,) = now["status"]["containerStatuses"]
    assert now["metadata"]["name"] == name
    assert (status["restartCount"], status["resources"]["limits"]["cpu"]) == (0, "400m")
    assert mean_seconds(lab, "-burn-") < slow / 5


@pytest.mark.slow
def test_throttling_ends_with_its_time_limit() -> None:
    lab = Faulty("cpu-throttling")
    lab.pass_seconds(620)
    assert mean_seconds(lab, "-burn-") < 0.2


@pytest.mark.slow
def test_pressure_is_seen_as_it_was_recorded() -> None:
    lab = Faulty("node-pressure")
    lab.pass_seconds(75)
    (node,) = lab.pressed()
    name = node["metadata"]["name"]
    assert {"key": TAINT, "effect": "NoSchedule"}.items() <= node["spec"]["taints"][0].items()
    (met,) = lab.events("EvictionThresholdMet")
    assert met["involvedObject"] == {"kind": "Node", "name": name, "uid": name}
    assert met["metadata"]["namespace"] == "default"
    recorded = json.loads((RECORDINGS / "memory-pressure-after" / "pods.json").read_text())
    expected = next(one for one in recorded["items"] if one["status"].get("reason") == "Evicted")[
        "status"
    ]
    failed = next(
        pod for pod in lab.get(PODS)["items"] if pod["status"].get("reason") == "Evicted"
    )["status"]
    assert [(one["type"], one["status"], one.get("reason")) for one in failed["conditions"]] == [
        (one["type"], one["status"], one.get("reason")) for one in expected["conditions"]
    ]
    assert set(failed) == set(expected)
    (status,), (was,) = failed["containerStatuses"], expected["containerStatuses"]
    assert set(status) == set(was)
    assert status["state"]["terminated"].keys() == was["state"]["terminated"].keys()
    assert (status["state"]["terminated"]["reason"]) == "Error"
    start, middle, end = failed["message"].split(". ", 2)
    assert start == "The node was low on resource: memory"
    assert middle.startswith("Threshold quantity: 100Mi, available: ")
    assert end.endswith("Ki, request is 64Mi, has larger consumption of memory. ")
    (event,) = lab.events("Evicted")
    annotations = event["metadata"]["annotations"]
    assert set(annotations) == {
        "offending_containers",
        "offending_containers_usage",
        "starved_resource",
    }
    usage = next(one for one in lab.world.nodes_usage() if one.node == name)
    assert usage.evictions_total == 1


@pytest.mark.slow
@pytest.mark.parametrize("is_injected", [True, False], ids=["injected", "by kubectl alone"])
def test_pressure_ends_after_the_transition_and_one_node_only_is_filled(
    *, is_injected: bool
) -> None:
    lab = Faulty("node-pressure", is_injected=is_injected)
    least = min(_least(lab) for _ in range(80))
    assert least < 100 * 1024**2
    lab.pass_seconds(30)
    (pod,) = lab.pods("batch-importer", "injector")
    node = lab.get(f"{NODES}/{pod['spec']['nodeName']}")
    (condition,) = [one for one in node["status"]["conditions"] if one["type"] == "MemoryPressure"]
    (met,) = lab.events("EvictionThresholdMet")
    lasted = moment(condition["lastTransitionTime"]) - moment(met["firstTimestamp"])
    assert 29 <= lasted.total_seconds() <= 34
    assert not lab.pressed()
    assert all("taints" not in node["spec"] for node in lab.get(NODES)["items"])
    lab.pass_seconds(400)
    assert len(lab.events("Evicted")) == 1
    assert not lab.pressed()
    (pod,) = lab.pods("batch-importer", "injector")
    assert pod["status"]["reason"] == "Evicted"
    job = lab.get("/apis/batch/v1/namespaces/default/jobs/batch-importer-fill")
    assert job["status"]["failed"] == 1
    assert job["status"]["conditions"][-1]["reason"] == "BackoffLimitExceeded"


@pytest.mark.slow
def test_a_filling_pod_that_is_sent_away_does_not_come_back() -> None:
    lab = Faulty("node-pressure")
    lab.pass_seconds(5)
    (pod,) = lab.pods("batch-importer", "injector")
    lab.ask("DELETE", f"{PODS}/{pod['metadata']['name']}")
    lab.pass_seconds(60)
    assert lab.pods("batch-importer", "injector") == []
    assert not lab.pressed()


@pytest.mark.slow
def test_the_filling_program_ends_with_its_time_limit() -> None:
    lab = Lab()
    (document,) = CATALOGUE["node-pressure"].documents()
    container = document["spec"]["template"]["spec"]["containers"][0]
    for one in container["env"]:
        if one["name"] in {"FILL_MIB_PER_SECOND", "TTL_SECONDS"}:
            one["value"] = "30"
    lab.world = World(lab.clock, behaviours=BEHAVIOURS)
    lab.world.apply([document])
    lab.pass_seconds(45)
    (pod,) = lab.pods("batch-importer", "injector")
    assert pod["status"]["phase"] == "Succeeded"
    job = lab.get("/apis/batch/v1/namespaces/default/jobs/batch-importer-fill")
    assert job["status"]["conditions"][-1]["type"] == "Complete"


def _least(lab: Lab) -> int:
    lab.pass_seconds(1)
    return min(one.memory_available_bytes for one in lab.world.nodes_usage())


def crash_looping(replicas: int) -> dict[str, Any]:
    labels = {"app": "payments"}
    container = {
        "name": "app",
        "image": "shop/payments:1",
        "env": [{"name": "EXITS_AFTER_SECONDS", "value": "2"}],
        "resources": {"requests": {"memory": "64Mi"}},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "payments"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }


@pytest.mark.slow
def test_a_crash_looping_pod_without_statistics_goes_before_the_culprit() -> None:
    lab = Lab()
    lab.world.apply([crash_looping(6)])
    lab.pass_seconds(150)
    lab.world.apply(CATALOGUE["node-pressure"].documents(now=lab.clock.now()))
    lab.pass_seconds(100)
    failed = sorted(
        lab.get(f"{EVENTS}?fieldSelector=reason=Evicted")["items"],
        key=lambda one: int(one["metadata"]["resourceVersion"]),
    )
    order = [one["involvedObject"]["name"].rpartition("-")[0] for one in failed]
    assert order[0].startswith("payments")
    assert order.index("batch-importer-fill") > 0
    assert "annotations" not in failed[0]["metadata"]
    unknown = next(
        pod["status"]
        for pod in lab.get(PODS)["items"]
        if pod["status"].get("reason") == "Evicted" and "payments" in pod["metadata"]["name"]
    )
    recorded = json.loads((RECORDINGS / "evicted-unmeasured" / "pods.json").read_text())["items"]
    expected = next(one["status"] for one in recorded if one["status"].get("reason") == "Evicted")
    assert set(unknown) == set(expected)
    (status,), (was,) = unknown["containerStatuses"], expected["containerStatuses"]
    assert (set(status), status["state"]) == (set(was), was["state"])


@pytest.mark.slow
def test_nothing_of_another_namespace_is_touched_and_system_pods_stay() -> None:
    lab = Faulty("node-pressure")
    lab.pass_seconds(200)
    system = lab.get("/api/v1/namespaces/kube-system/pods")["items"]
    assert {pod["status"]["phase"] for pod in system} == {"Running"}
    for one in lab.get(DEPLOYMENTS)["items"]:
        assert one["status"]["readyReplicas"] == one["spec"]["replicas"]
