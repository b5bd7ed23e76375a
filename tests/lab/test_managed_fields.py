"""`managedFields`: each part of a cluster stands as the owner of what it writes, as recorded."""

from __future__ import annotations

from typing import Any

from petops.lab.resources import stored
from tests.lab.hand_clock import DEPLOYMENTS, PODS, Lab

CONTROLLERS, KUBELET, APPLIED = (
    "kube-controller-manager",
    "kubelet",
    "kubectl-client-side-apply",
)
OWNERS: dict[str, set[tuple[str, str]]] = {
    "deployments": {(APPLIED, ""), (CONTROLLERS, ""), (CONTROLLERS, "status")},
    "replicasets": {(CONTROLLERS, ""), (CONTROLLERS, "status")},
    "pods": {(CONTROLLERS, ""), (KUBELET, "status")},
    "nodes": {(KUBELET, ""), (KUBELET, "status")},
    "daemonsets": {(APPLIED, ""), (CONTROLLERS, "status")},
    "poddisruptionbudgets": {(APPLIED, ""), (CONTROLLERS, "status")},
    "horizontalpodautoscalers": {(APPLIED, ""), (CONTROLLERS, "status")},
    "leases": {(KUBELET, "")},
    "endpoints": {(CONTROLLERS, "")},
    "endpointslices": {(CONTROLLERS, "")},
    "controllerrevisions": {(CONTROLLERS, "")},
}


def owners(found: Any) -> set[tuple[str, str]]:
    return {
        (one["manager"], one.get("subresource", "")) for one in found["metadata"]["managedFields"]
    }


def test_every_part_owns_what_it_writes() -> None:
    lab = Lab()
    lab.pass_seconds(30)
    lab.inject_leak()
    lab.pass_seconds(20)
    for resource, expected in OWNERS.items():
        found = [
            one
            for one in lab.world.store.objects(resource)
            if "injector" not in str(one["metadata"].get("labels"))
            and one["metadata"]["name"] != "kubernetes"  # which the API server writes
        ]
        assert found
        for one in found:
            assert owners(one) == expected, (resource, one["metadata"]["name"])
            versions = {each["apiVersion"] for each in one["metadata"]["managedFields"]}
            assert stored(resource).api_version in versions
    writers = {
        next(iter(owners(one)))[0]: one["reportingComponent"]
        for one in lab.world.store.objects("events")
    }
    assert writers.keys() == {CONTROLLERS, KUBELET, "kube-scheduler"}


def test_an_autoscaler_owns_the_replicas_through_scale() -> None:
    lab = Lab()
    path = f"{DEPLOYMENTS}/payforadoption-go"
    lab.patch(path, {"spec": {"replicas": 1}})
    lab.pass_seconds(60)
    entry = next(
        one
        for one in lab.get(path)["metadata"]["managedFields"]
        if one.get("subresource") == "scale"
    )
    assert entry["manager"] == CONTROLLERS
    assert entry["fieldsV1"] == {"f:spec": {"f:replicas": {}}}


def test_a_pod_without_a_node_is_the_schedulers_to_explain() -> None:
    lab = Lab()
    container = {"name": "a", "image": "a:1", "resources": {"requests": {"cpu": "900"}}}
    pod = {"metadata": {"name": "big"}, "spec": {"containers": [container]}}
    lab.ask("POST", PODS, {"apiVersion": "v1", "kind": "Pod", **pod})
    lab.pass_seconds(5)
    assert ("kube-scheduler", "status") in owners(lab.get(f"{PODS}/big"))
