"""What is not wrong: no cause and no remedy."""

from __future__ import annotations

from typing import Any

import pytest

from petops.domain.alarm import Category
from petops.domain.diagnosis import Diagnosis
from petops.domain.subject import Kind, Subject
from tests.adapters.fake_kubernetes_api import FakeApi
from tests.kubernetes_cases import subject
from tests.kubernetes_objects import (
    NOW,
    ago,
    deployment,
    ended,
    event,
    meta,
    node,
    owner,
    pod,
    replica_set,
    world,
)
from tests.recorded import CLUSTER
from tests.recorded_cases import diagnosed_subject

pytestmark = pytest.mark.looptime
PROBE = "Readiness probe failed: Get http://10.0.0.1/: dial tcp: connect: connection refused"


async def clean(api: FakeApi, about: Subject | None = None) -> Diagnosis:
    """No category of alarm leads to a cause."""
    for category in Category:
        found = await diagnosed_subject(about or subject(), NOW, api=api, category=category)
        assert found.diagnosis.cause is None, (category, found.diagnosis.because)
        assert found.diagnosis.because
    return found.diagnosis


def healthy(**more: Any) -> FakeApi:
    lists: dict[str, Any] = {
        "deployments": [deployment("web", replicas=2, readyReplicas=2, availableReplicas=2)],
        "replicasets": [replica_set("web", pods=2, ready=2)],
        "pods": [pod("web", 1), pod("web", 2)],
    }
    return world(**(lists | more))


async def test_a_healthy_workload() -> None:
    found = await clean(healthy())
    assert not found.also_broken


async def test_a_restart_of_long_ago() -> None:
    old = ended("Error", 1, ago_seconds=7000)
    killed = ended("OOMKilled", 137, ago_seconds=6000)
    await clean(
        healthy(pods=[pod("web", 1, last=old, restarts=4), pod("web", 2, last=killed, restarts=1)])
    )


async def test_a_start_whose_probe_failed_at_first() -> None:
    events = [event("Unhealthy", "Pod", "web-hash1-p1", PROBE, count=2, first=3590, last=3580)]
    await clean(healthy(events=events))


async def test_a_good_deploy_that_is_under_way() -> None:
    starting = pod("web", 9, revision=2, age=8, ready=False, ready_ago=8)
    events = [event("Unhealthy", "Pod", "web-hash2-p9", PROBE, count=2, first=7, last=4)]
    old = [pod("web", 1, age=9000, ready_ago=8990), pod("web", 2, age=9000, ready_ago=8990)]
    api = healthy(
        deployments=[deployment("web", replicas=2, revision=2, readyReplicas=2)],
        replicasets=[
            replica_set("web", 1, age=9000, pods=2, ready=2),
            replica_set("web", 2, age=8, pods=1),
        ],
        pods=[*old, starting],
        events=events,
    )
    await clean(api)


async def test_an_old_rollout_is_a_red_herring() -> None:
    api = healthy(
        deployments=[deployment("web", replicas=2, revision=2, readyReplicas=2)],
        replicasets=[
            replica_set("web", 1, age=9000, pods=0),
            replica_set("web", 2, age=1500, pods=2, ready=2),
        ],
        pods=[pod("web", 1, revision=2, age=1500), pod("web", 2, revision=2, age=1500)],
    )
    await clean(api)


def job(**status: Any) -> Any:
    return {
        "metadata": meta("nightly"),
        "spec": {"selector": {"matchLabels": {"app": "nightly"}}, "completions": 1, "template": {}},
        "status": status,
    }


async def test_a_job_that_ended_well_after_a_failed_try() -> None:
    tries = [
        pod(
            "nightly",
            1,
            phase="Failed",
            ready=False,
            controller=("Job", "nightly"),
            state={"terminated": ended("Error", 1)},
        ),
        pod(
            "nightly",
            2,
            phase="Succeeded",
            ready=False,
            controller=("Job", "nightly"),
            state={"terminated": ended("Completed", 0)},
        ),
    ]
    done = job(succeeded=1, failed=1, conditions=[{"type": "Complete", "status": "True"}])
    found = await clean(world(jobs=[done], pods=tries), subject(Kind.JOB, "nightly"))
    assert not found.also_broken
    beside = await clean(healthy(jobs=[done], pods=[pod("web"), *tries]))
    assert not beside.also_broken


async def test_a_drain() -> None:
    leaving = {
        "type": "DisruptionTarget",
        "status": "True",
        "reason": "EvictionByEvictionAPI",
    }
    gone = pod("web", 1, conditions=(leaving,), phase="Failed", ready=False, reason="")
    gone["metadata"]["deletionTimestamp"] = ago(10)
    api = healthy(
        nodes=[node(cordoned=True), node("node-b")],
        pods=[gone, pod("web", 2), pod("web", 3, node="node-b", age=40, ready_ago=30)],
    )
    await clean(api)
    await clean(api, Subject(cluster=CLUSTER, kind=Kind.NODE, name="node-a"))


async def test_a_label_of_chaos_with_nothing_wrong() -> None:
    labelled = pod("web", 1)
    labelled["metadata"]["labels"] |= {"chaos": "memory-leak", "petops.dev/scenario": "image-pull"}
    labelled["metadata"]["annotations"] = {"note": "OOMKilled CrashLoopBackOff ImagePullBackOff"}
    await clean(healthy(pods=[labelled, pod("web", 2)]))


async def test_a_node_that_has_just_joined() -> None:
    api = healthy(nodes=[node(), node("node-new", age=30, Ready="False")])
    await clean(api)
    await clean(api, Subject(cluster=CLUSTER, kind=Kind.NODE, name="node-new"))


async def test_a_workload_scaled_to_nothing() -> None:
    service = {
        "metadata": meta("web"),
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]},
    }
    api = healthy(
        deployments=[deployment("web", replicas=0)],
        replicasets=[replica_set("web", pods=0)],
        pods=[],
        services=[service],
    )
    await clean(api)


async def test_a_hint_in_an_event_of_another_kind_is_no_fault() -> None:
    said = "0/1 nodes are available: 1 Insufficient memory. exceeded quota: q, requested: pods=1"
    events = [
        event("Note", "Pod", "web-hash1-p1", said),
        event("Pulled", "Pod", "web-hash1-p1", 'Failed to pull image "x": not found'),
    ]
    await clean(healthy(events=events))


async def test_a_healthy_autoscaler_at_its_maximum_is_no_fault() -> None:
    scaler = {
        "metadata": meta("web"),
        "spec": {
            "scaleTargetRef": {"kind": "Deployment", "name": "web"},
            "minReplicas": 2,
            "maxReplicas": 2,
        },
        "status": {
            "currentReplicas": 2,
            "desiredReplicas": 2,
            "conditions": [
                {"type": "ScalingLimited", "status": "False", "reason": "DesiredWithinRange"}
            ],
        },
    }
    await clean(healthy(hpa=[scaler]))


async def test_owners_are_read_from_references_alone() -> None:
    stray = pod("web", 7, ready=False, controller=("ReplicaSet", "other-hash1"), age=2000)
    stray["metadata"]["ownerReferences"] = owner("ReplicaSet", "other-hash1")
    found = await clean(healthy(pods=[pod("web", 1), pod("web", 2), stray]))
    assert [one.mode for one in found.also_broken] == ["failing-probe"]
