"""Objects without a controller: taken over where a selector fits, let go where it does not."""

from __future__ import annotations

from typing import Any

import pytest

from petops.lab.chance import Chance
from petops.lab.deployments import template_hash
from petops.lab.stage import Stage
from tests.lab.hand_clock import BEGAN, DEPLOYMENTS, PODS, Lab

pytestmark = pytest.mark.slow

NAME = "petsite"
APPS = "/apis/apps/v1/namespaces/default"


def replica_sets(lab: Lab) -> dict[str, Any]:
    found = lab.get(f"{APPS}/replicasets?labelSelector=app={NAME}")["items"]
    return {one["metadata"]["name"]: one for one in found}


def test_a_deployment_that_comes_back_adopts_what_it_left() -> None:
    lab = Lab()
    before = lab.get(f"{DEPLOYMENTS}/{NAME}")
    orphan = {"propagationPolicy": "Orphan"}
    assert lab.ask("DELETE", f"{DEPLOYMENTS}/{NAME}", orphan).status == 200
    lab.pass_seconds(3)
    left = replica_sets(lab)
    assert left
    assert not any(one["metadata"].get("ownerReferences") for one in left.values())
    pods = [pod["metadata"]["name"] for pod in lab.pods(NAME)]
    metadata = {"name": NAME, "labels": before["metadata"]["labels"]}
    again = {"metadata": metadata, "spec": before["spec"]}
    made = lab.ask("POST", DEPLOYMENTS, again).json()
    lab.pass_seconds(5)
    now = replica_sets(lab)
    assert set(now) == set(left)
    assert {one["metadata"]["ownerReferences"][0]["uid"] for one in now.values()} == {
        made["metadata"]["uid"]
    }
    assert [pod["metadata"]["name"] for pod in lab.pods(NAME)] == pods


def test_a_name_that_is_taken_is_a_collision_and_no_end() -> None:
    lab = Lab()
    deployment = lab.get(f"{DEPLOYMENTS}/{NAME}")
    template = deployment["spec"]["template"]
    template["spec"]["containers"][0]["image"] = "shop/other:1"
    label = template_hash(template)
    labels = {"app": "somebody-else"}
    foreign = {
        "metadata": {"name": f"{NAME}-{label}"},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "a", "image": "a"}]},
            },
        },
    }
    assert lab.ask("POST", f"{APPS}/replicasets", foreign).status == 201
    lab.patch(f"{DEPLOYMENTS}/{NAME}", {"spec": {"template": template}})
    lab.pass_seconds(60)
    now = lab.get(f"{DEPLOYMENTS}/{NAME}")
    assert now["status"]["collisionCount"] == 1
    assert now["status"]["updatedReplicas"] == 2
    assert f"{NAME}-{template_hash(template, 1)}" in replica_sets(lab)


def test_a_pod_that_loses_its_label_is_let_go_and_replaced_and_taken_back() -> None:
    lab = Lab()
    first, *others = lab.pods(NAME)
    path = f"{PODS}/{first['metadata']['name']}"
    lab.patch(path, {"metadata": {"labels": {"app": "debug"}}})
    lab.pass_seconds(5)
    assert "ownerReferences" not in lab.get(path)["metadata"]
    assert len(lab.pods(NAME)) == len(others) + 1
    lab.patch(path, {"metadata": {"labels": {"app": NAME}}})
    lab.pass_seconds(0.5)
    assert lab.get(path)["metadata"]["ownerReferences"][0]["kind"] == "ReplicaSet"
    lab.pass_seconds(60)
    assert len(lab.pods(NAME)) == len(others) + 1


def test_a_stateful_set_takes_only_pods_of_its_names() -> None:
    lab = Lab()
    labels = {"app": "db"}
    pod = {"containers": [{"name": "db", "image": "shop/db:1"}]}
    for name in ("db-0", "db-debug"):
        made = {"metadata": {"name": name, "labels": labels}, "spec": pod}
        assert lab.ask("POST", PODS, made).status == 201
    document = {
        "metadata": {"name": "db"},
        "spec": {
            "replicas": 2,
            "serviceName": "db",
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }
    assert lab.ask("POST", f"{APPS}/statefulsets", document).status == 201
    lab.pass_seconds(90)
    found = {
        one["metadata"]["name"]: one for one in lab.get(f"{PODS}?labelSelector=app=db")["items"]
    }
    assert set(found) == {"db-0", "db-1", "db-debug"}
    assert "ownerReferences" not in found["db-debug"]["metadata"]
    assert found["db-0"]["metadata"]["ownerReferences"][0]["kind"] == "StatefulSet"


def test_a_revision_that_somebody_overwrote_with_a_word_counts_as_none() -> None:
    lab = Lab()
    name = max(replica_sets(lab))
    annotations = {"deployment.kubernetes.io/revision": "latest"}
    lab.patch(f"{APPS}/replicasets/{name}", {"metadata": {"annotations": annotations}})
    lab.pass_seconds(5)
    assert lab.get(f"{DEPLOYMENTS}/{NAME}")["status"]["readyReplicas"] == 2


def test_what_trips_over_an_object_is_told_and_the_rest_goes_on() -> None:
    stage = Stage(BEGAN, Chance(0))
    told: list[Exception] = []
    done: list[object] = []

    def trip() -> None:
        raise KeyError("spec")

    stage.after(1, trip)
    stage.after(2, lambda: done.append(stage.now))
    with pytest.raises(KeyError):
        stage.advance(BEGAN.replace(second=1))
    stage.on_fault = told.append
    stage.after(0, trip)
    stage.advance(BEGAN.replace(second=5))
    assert [repr(one) for one in told] == ["KeyError('spec')"]
    assert len(done) == 1
