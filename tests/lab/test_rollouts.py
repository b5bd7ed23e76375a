"""Deployments in the simulated cluster: rolling updates, undo, scaling, what they leave."""

from __future__ import annotations

from typing import Any

import pytest

from petops.lab.deployments import bounds
from tests.lab.hand_clock import DEPLOYMENTS, PODS, Lab

pytestmark = pytest.mark.slow

NAME = "petadoptionshistory-py"
STRATEGIC = "application/strategic-merge-patch+json"
RESTART = {
    "spec": {
        "template": {
            "metadata": {
                "annotations": {"kubectl.kubernetes.io/restartedAt": "2026-11-23T09:00:00Z"}
            }
        }
    }
}


def deployment(lab: Lab, name: str = NAME) -> Any:
    return lab.get(f"{DEPLOYMENTS}/{name}")


def replica_sets(lab: Lab, name: str = NAME) -> dict[str, Any]:
    url = f"/apis/apps/v1/namespaces/default/replicasets?labelSelector=app={name}"
    found = {}
    for one in lab.get(url)["items"]:
        found[one["metadata"]["annotations"]["deployment.kubernetes.io/revision"]] = one
    return found


@pytest.mark.parametrize(
    ("replicas", "surge", "unavailable", "expected"),
    [
        (2, "25%", "25%", (1, 0)),
        (10, "25%", "25%", (3, 2)),
        (1, "25%", "25%", (1, 0)),
        (4, 0, "25%", (0, 1)),
        (3, 0, 0, (0, 1)),
        (3, 2, 1, (2, 1)),
        (0, "25%", "25%", (0, 0)),
    ],
)
def test_surge_is_rounded_up_and_unavailable_down(
    replicas: int, surge: object, unavailable: object, expected: tuple[int, int]
) -> None:
    rolling = {"maxSurge": surge, "maxUnavailable": unavailable}
    strategy = {"type": "RollingUpdate", "rollingUpdate": rolling}
    assert bounds({"spec": {"replicas": replicas, "strategy": strategy}}) == expected


def test_a_workload_has_a_history() -> None:
    found = replica_sets(Lab())
    assert sorted(found) == ["1", "2", "3"]
    assert [found[one]["spec"]["replicas"] for one in ("1", "2", "3")] == [0, 0, 2]
    assert found["1"]["status"] == {"replicas": 0, "observedGeneration": 1}
    created = [found[one]["metadata"]["creationTimestamp"] for one in ("1", "2", "3")]
    assert created == sorted(created)


def test_a_restart_replaces_the_pods_one_by_one_without_a_gap() -> None:
    lab = Lab()
    before = {pod["metadata"]["uid"] for pod in lab.pods(NAME)}
    lab.patch(f"{DEPLOYMENTS}/{NAME}", RESTART, STRATEGIC)
    fewest, most = 9, 0
    for _ in range(60):
        lab.pass_seconds(0.25)
        pods = [one for one in lab.pods(NAME) if "deletionTimestamp" not in one["metadata"]]
        fewest = min(fewest, deployment(lab)["status"].get("availableReplicas", 0))
        most = max(most, len(pods))
    status = deployment(lab)["status"]
    assert (fewest, most) == (2, 3)
    assert before.isdisjoint(pod["metadata"]["uid"] for pod in lab.pods(NAME))
    assert {name: status[name] for name in ("replicas", "updatedReplicas", "readyReplicas")} == {
        "replicas": 2,
        "updatedReplicas": 2,
        "readyReplicas": 2,
    }
    assert "unavailableReplicas" not in status
    progressing = next(one for one in status["conditions"] if one["type"] == "Progressing")
    assert progressing["reason"] == "NewReplicaSetAvailable"
    assert deployment(lab)["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "4"


def test_an_undo_takes_the_earlier_replica_set_up_again_under_a_new_revision() -> None:
    lab = Lab()
    earlier = replica_sets(lab)["2"]
    template = dict(earlier["spec"]["template"])
    patch = [{"op": "replace", "path": "/spec/template", "value": template}]
    del template["metadata"]["labels"]["pod-template-hash"]
    lab.patch(f"{DEPLOYMENTS}/{NAME}", patch, "application/json-patch+json")
    lab.pass_seconds(15)
    found = replica_sets(lab)
    assert sorted(found) == ["1", "3", "4"]
    assert found["4"]["metadata"]["uid"] == earlier["metadata"]["uid"]
    assert found["4"]["metadata"]["annotations"]["deployment.kubernetes.io/revision-history"] == "2"
    assert found["4"]["status"]["availableReplicas"] == 2
    images = {pod["spec"]["containers"][0]["image"].rpartition(":")[2] for pod in lab.pods(NAME)}
    assert images == {"0.9.5"}


def test_a_rollout_that_finds_no_node_is_stuck_and_says_so() -> None:
    lab = Lab()
    huge = {"resources": {"requests": {"memory": "64Gi"}, "limits": {"memory": "64Gi"}}}
    spec = {"template": {"spec": {"containers": [{"name": NAME, **huge}]}}}
    patch = {"spec": {"progressDeadlineSeconds": 30, **spec}}
    lab.patch(f"{DEPLOYMENTS}/{NAME}", patch, STRATEGIC)
    lab.pass_seconds(40)
    status = deployment(lab)["status"]
    progressing = next(one for one in status["conditions"] if one["type"] == "Progressing")
    assert (progressing["status"], progressing["reason"]) == ("False", "ProgressDeadlineExceeded")
    assert status["availableReplicas"] == 2
    assert status["unavailableReplicas"] == 1
    (waiting,) = [one for one in lab.pods(NAME) if one["status"]["phase"] == "Pending"]
    condition = waiting["status"]["conditions"][0]
    assert condition["reason"] == "Unschedulable"
    assert condition["message"].startswith("0/3 nodes are available: 3 Insufficient memory.")
    selector = f"fieldSelector=involvedObject.name={waiting['metadata']['name']}"
    url = f"/api/v1/namespaces/default/events?{selector}"
    (event,) = lab.get(url)["items"]
    assert event["reason"] == "FailedScheduling"
    assert event["firstTimestamp"] is None
    assert "count" not in event
    assert event["eventTime"].endswith("Z")


def test_scaling_goes_by_the_scale_subresource() -> None:
    lab = Lab()
    url = f"{DEPLOYMENTS}/petsite/scale"
    assert lab.get(url)["spec"] == {"replicas": 2}
    lab.patch(url, {"spec": {"replicas": 4}})
    lab.pass_seconds(5)
    scale = lab.get(url)
    assert scale["status"] == {"replicas": 4, "selector": "app=petsite,component=service"}
    assert len(lab.pods("petsite")) == 4
    lab.patch(url, {"spec": {"replicas": 1}})
    lab.pass_seconds(5)
    assert len(lab.pods("petsite")) == 1
    assert deployment(lab, "petsite")["metadata"]["generation"] == 5


def test_a_dry_run_changes_nothing_and_shows_what_it_would() -> None:
    lab = Lab()
    version = lab.world.store.version
    url = f"{DEPLOYMENTS}/{NAME}?dryRun=All"
    shown = lab.patch(url, {"spec": {"replicas": 5}})
    assert shown["spec"]["replicas"] == 5
    assert shown["metadata"]["generation"] == deployment(lab)["metadata"]["generation"] + 1
    assert lab.ask("DELETE", url).status == 200
    assert lab.ask("DELETE", f"{PODS}?dryRun=All").status == 200
    assert lab.world.store.version == version


def test_a_deleted_deployment_takes_everything_along() -> None:
    lab = Lab()
    answer = lab.ask("DELETE", f"{DEPLOYMENTS}/petsite", {"propagationPolicy": "Background"})
    assert answer.json()["status"] == "Success"
    lab.pass_seconds(5)
    assert lab.pods("petsite") == []
    assert replica_sets(lab, "petsite") == {}


def test_an_orphaned_replica_set_stays() -> None:
    lab = Lab()
    lab.ask("DELETE", f"{DEPLOYMENTS}/petsite", {"propagationPolicy": "Orphan"})
    lab.pass_seconds(5)
    assert lab.ask("GET", f"{DEPLOYMENTS}/petsite").status == 404
    assert len(lab.pods("petsite")) == 2
    assert all("ownerReferences" not in one["metadata"] or not one["metadata"]["ownerReferences"]
               for one in replica_sets(lab, "petsite").values())  # fmt: skip


def test_a_cordoned_node_takes_nothing_new() -> None:
    lab = Lab()
    nodes = [one["metadata"]["name"] for one in lab.get("/api/v1/nodes")["items"]]
    for name in nodes:
        lab.patch(f"/api/v1/nodes/{name}", {"spec": {"unschedulable": True}})
    lab.pass_seconds(1)
    node = lab.get(f"/api/v1/nodes/{nodes[0]}")
    assert node["spec"]["taints"][0]["key"] == "node.kubernetes.io/unschedulable"
    lab.patch(f"{DEPLOYMENTS}/petsite/scale", {"spec": {"replicas": 3}})
    lab.pass_seconds(1)
    (waiting,) = [one for one in lab.pods("petsite") if one["status"]["phase"] == "Pending"]
    assert "3 node(s) were unschedulable" in waiting["status"]["conditions"][0]["message"]
    lab.patch(f"/api/v1/nodes/{nodes[1]}", {"spec": {"unschedulable": None}})
    lab.pass_seconds(3)
    assert {one["status"]["phase"] for one in lab.pods("petsite")} == {"Running"}


def test_an_unknown_field_is_dropped_with_a_warning_or_refused() -> None:
    lab = Lab()
    patch = {"spec": {"replicaz": 1}}
    answer = lab.ask("PATCH", f"{DEPLOYMENTS}/{NAME}", patch, content_type=STRATEGIC)
    assert 'unknown field \\"spec.replicaz\\"' in answer.headers["warning"]
    assert "replicaz" not in deployment(lab)["spec"]
    url = f"{DEPLOYMENTS}/{NAME}?fieldValidation=Strict"
    assert lab.ask("PATCH", url, patch, content_type=STRATEGIC).status == 422
