"""Recorded answers as facts."""

import copy
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from petops.domain.change import canonical
from petops.domain.facts import Stop
from petops.domain.subject import Kind, Subject
from petops.sources.kubernetes_owners import managed_by
from petops.sources.kubernetes_room import least_disruptions, least_quota
from petops.sources.kubernetes_shapes import (
    is_selected,
    last_stop,
    moment,
    pods_of,
    quantity_bytes,
    requested_bytes,
    selector_text,
)
from petops.sources.kubernetes_workloads import (
    current_since,
    rollouts_of,
    unavailable_at_most,
    workload_of,
)
from tests.adapters.fake_kubernetes_api import CLUSTER, recorded


def subject(name: str, namespace: str, kind: Kind = Kind.DEPLOYMENT) -> Subject:
    return Subject(cluster=CLUSTER, kind=kind, namespace=namespace, name=name)


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-11-23T{text}").replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("64Mi", 64 * 2**20),
        ("1.5Gi", 3 * 2**29),
        ("128M", 128_000_000),
        ("1e3", 1000),
        ("1E3", 1000),
        ("2E", 2 * 10**18),
        ("100m", 1),
        ("4761148Ki", 4761148 * 1024),
        (".5Ki", 512),
        ("0", 0),
        (12, 12),
        ("", None),
        ("64 Mi x", None),
        ("Mi", None),
        (None, None),
        (True, None),
        ("٣Mi", None),
    ],
)
def test_a_quantity_is_read_exactly(text: object, value: int | None) -> None:
    assert quantity_bytes(text) == value


@settings(deadline=None)
@given(st.text() | st.integers() | st.none() | st.floats())
def test_any_quantity_is_a_number_or_nothing(text: object) -> None:
    assert isinstance(quantity_bytes(text), int | None)


@settings(deadline=None)
@given(st.integers(0, 2**62), st.sampled_from(["", "k", "M", "Ki", "Mi", "Gi"]))
def test_whole_quantities_lose_nothing(number: int, unit: str) -> None:
    scale = {"": 1, "k": 1000, "M": 10**6, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}[unit]
    assert quantity_bytes(f"{number}{unit}") == number * scale


@pytest.mark.parametrize("text", [None, "", "1970-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "no"])
def test_a_time_that_says_nothing_is_none(text: str | None) -> None:
    assert moment(text) is None


def test_a_time_with_another_offset_is_in_utc() -> None:
    assert moment("2026-11-23T07:00:00.5+02:00") == at("05:00:00.5")


def test_an_out_of_memory_kill() -> None:
    pods = pods_of(recorded("oomkill", "pods"), recorded("oomkill", "replicasets"), CLUSTER)
    pod = pods[0]
    assert pod.name == "orders-api-86646998c7-dhxfs"
    assert pod.owner == subject("orders-api", "oomkill")
    assert (pod.revision, pod.node, pod.phase, pod.ready) == (
        "86646998c7",
        "node-a",
        "Running",
        False,
    )
    (container,) = pod.containers
    assert container.waiting == "CrashLoopBackOff"
    assert container.restarts == 4
    assert container.memory_limit_bytes == 64 * 2**20
    assert container.memory_request_bytes == 48 * 2**20
    assert container.last_stop == Stop(
        pod=pod.name,
        container="app",
        reason="OOMKilled",
        exit_code=137,
        started_at=at("04:58:53"),
        finished_at=at("04:59:11"),
    )
    assert container.last_stop.lived_seconds == 18


def test_an_exit_of_the_program_itself() -> None:
    (pod,) = pods_of(recorded("crashloop", "pods"), recorded("crashloop", "replicasets"), CLUSTER)
    stop = pod.containers[0].last_stop
    assert stop is not None
    assert (stop.reason, stop.exit_code, stop.is_out_of_memory) == ("Error", 1, False)


def test_an_evicted_pod_says_so_by_its_reason() -> None:
    pods = pods_of(recorded("evicted-unmeasured", "pods"), [], CLUSTER)
    evicted = [pod for pod in pods if pod.reason == "Evicted"]
    assert {pod.phase for pod in evicted} == {"Failed"}
    assert len(evicted) == 4
    assert not [pod for pod in pods if pod.phase == "Pending" and pod.reason]
    stops = {pod.name: pod.containers[0].last_stop for pod in evicted}
    unrecorded = stops["payments-5f8d4dcd7-k9rr2"]
    assert unrecorded is not None, "its last known end, not the one that nobody saw"
    assert (unrecorded.reason, unrecorded.exit_code) == ("Error", 1)
    killed = stops["payments-5f8d4dcd7-snpkw"]
    assert killed is not None
    assert (killed.reason, killed.exit_code, killed.is_out_of_memory) == ("Error", 137, False)


def test_an_owner_is_known_although_its_replica_set_has_vanished() -> None:
    pods = pods_of(recorded("oomkill", "pods"), [], CLUSTER)
    assert {pod.owner for pod in pods} == {subject("orders-api", "oomkill")}


@pytest.mark.parametrize(
    ("controller", "owner"),
    [
        ({"kind": "StatefulSet", "name": "db"}, (Kind.STATEFUL_SET, "db")),
        ({"kind": "Job", "name": "nightly-1"}, (Kind.JOB, "nightly-1")),
        ({"kind": "Node", "name": "node-a"}, (Kind.POD, "orders-api-86646998c7-dhxfs")),
        ({"kind": "ReplicaSet", "name": "bare"}, (Kind.REPLICA_SET, "bare")),
        (None, (Kind.POD, "orders-api-86646998c7-dhxfs")),
    ],
)
def test_owners_of_every_kind(controller: dict[str, str] | None, owner: tuple[Kind, str]) -> None:
    found = copy.deepcopy(recorded("oomkill", "pods")[0])
    found["metadata"]["ownerReferences"] = (
        [] if controller is None else [{**controller, "uid": "u", "controller": True}]
    )
    (pod,) = pods_of([found], [], CLUSTER)
    assert (pod.owner.kind, pod.owner.name) == owner


def test_a_container_that_never_started_has_no_start() -> None:
    ended = {
        "exitCode": 128,
        "reason": "StartError",
        "startedAt": "1970-01-01T00:00:00Z",
        "finishedAt": "2026-11-23T05:00:00Z",
    }
    stop = last_stop("p", {"name": "app", "lastState": {"terminated": ended}})
    assert stop is not None
    assert (stop.started_at, stop.lived_seconds) == (None, None)


def test_init_containers_count_once_they_have_trouble() -> None:
    found = copy.deepcopy(recorded("oomkill", "pods")[0])
    done = {"terminated": {"exitCode": 0, "reason": "Completed"}}
    found["spec"]["initContainers"] = [
        {"name": "fine"},
        {"name": "broken"},
        {"name": "mesh", "restartPolicy": "Always"},
    ]
    found["status"]["initContainerStatuses"] = [
        {"name": "fine", "restartCount": 0, "ready": True, "state": done},
        {"name": "broken", "restartCount": 3, "ready": False, "state": {"waiting": {}}},
        {"name": "mesh", "restartCount": 0, "ready": True, "state": {"running": {}}},
    ]
    (pod,) = pods_of([found], [], CLUSTER)
    assert [one.name for one in pod.containers] == ["broken", "mesh", "app"]


@pytest.mark.parametrize(
    ("selector", "selected"),
    [
        (None, False),
        ({}, True),
        ({"matchLabels": {"app": "a"}}, True),
        ({"matchLabels": {"app": "b"}}, False),
        ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["a", "b"]}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["a"]}]}, False),
        ({"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["a"]}]}, True),
        ({"matchExpressions": [{"key": "tier", "operator": "Exists"}]}, False),
        ({"matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "Gt", "values": ["1"]}]}, False),
    ],
)
def test_selectors(selector: object, selected: bool) -> None:
    assert is_selected({"app": "a"}, selector) is selected


def test_a_selector_as_a_query_has_it() -> None:
    expressions = [
        {"key": "tier", "operator": "In", "values": ["a", "b"]},
        {"key": "zone", "operator": "NotIn", "values": ["c"]},
        {"key": "owner", "operator": "Exists"},
        {"key": "old", "operator": "DoesNotExist"},
    ]
    text = selector_text({"matchLabels": {"app": "x"}, "matchExpressions": expressions})
    assert text == "app=x,tier in (a,b),zone notin (c),owner,!old"


def undone() -> tuple[Any, list[Any], list[Any], list[Any]]:
    case = "rollout-undone"
    (deployment,) = recorded(case, "deployments")
    return (
        deployment,
        recorded(case, "replicasets"),
        recorded(case, "events"),
        recorded(case, "pods"),
    )


def test_after_an_undo_the_current_revision_began_when_it_was_scaled_up_again() -> None:
    told = rollouts_of(subject("web", "rollout"), *undone())
    assert [(one.number, one.is_current) for one in told.revisions] == [
        (4, True),
        (3, False),
        (1, False),
    ]
    assert told.current is not None
    assert told.current.created_at == at("05:06:13"), "its ReplicaSet is older than revision 3's"
    assert told.current_since == at("05:08:03")
    assert told.revisions[1].change_cause == "release 1.5.0"


def test_without_events_its_earliest_pod_tells() -> None:
    deployment, sets, _, pods = undone()
    told = rollouts_of(subject("web", "rollout"), deployment, sets, [], pods)
    assert told.current_since == at("05:08:03")
    told = rollouts_of(subject("web", "rollout"), deployment, sets, [], [])
    assert told.current_since is None


def test_an_older_replica_set_was_brought_back_although_no_annotation_says_so() -> None:
    _deployment, sets, events, pods = undone()
    first = next(one for one in sets if one["metadata"]["name"] == "web-57878585b")
    assert "revision-history" not in str(first["metadata"]["annotations"])
    assert current_since(first, sets, events, pods) == at("05:05:48")
    back = {"reason": "ScalingReplicaSet", "lastTimestamp": "2026-11-23T05:09:00Z"}
    back["message"] = "Scaled up replica set web-57878585b from 0 to 1"
    assert current_since(first, sets, [*events, back], pods) == at("05:09:00")


def test_events_of_an_older_kubernetes_say_only_the_new_size() -> None:
    _, sets, _, pods = undone()
    back = next(one for one in sets if one["metadata"]["name"] == "web-679479486d")
    events = [
        {
            "reason": "ScalingReplicaSet",
            "message": "Scaled up replica set web-679479486d to 1",
            "lastTimestamp": "2026-11-23T05:08:01Z",
        },
        {"reason": "ScalingReplicaSet", "message": "Scaled up replica set web-7f59f56db9 to 1"},
    ]
    assert current_since(back, sets, events, pods) == at("05:08:01")


def test_the_current_revision_has_the_deployments_own_template() -> None:
    for case, name in (("oomkill", "orders-api"), ("throttle", "report-worker")):
        (deployment,) = recorded(case, "deployments")
        told = rollouts_of(subject(name, case), deployment, recorded(case, "replicasets"), [], [])
        assert told.current is not None
        assert told.current.template == canonical(deployment["spec"]["template"])
        assert told.current_since == told.current.created_at


def test_the_revision_is_known_although_a_newer_server_added_fields() -> None:
    deployment, sets, events, pods = undone()
    deployment["spec"]["template"]["spec"]["newField"] = 1
    told = rollouts_of(subject("web", "rollout"), deployment, sets, events, pods)
    assert told.current is not None
    assert told.current.number == 4


def test_replica_sets_of_others_are_no_revisions() -> None:
    (deployment,) = recorded("oomkill", "deployments")
    foreign = copy.deepcopy(recorded("oomkill", "replicasets"))
    foreign[0]["metadata"]["ownerReferences"][0]["uid"] = "another"
    told = rollouts_of(subject("orders-api", "oomkill"), deployment, foreign, [], [])
    assert [one.number for one in told.revisions] == [2]


def test_a_workload_as_it_is() -> None:
    state = workload_of(subject("web", "rollout"), undone()[0])
    assert (state.desired_replicas, state.ready_replicas) == (3, 2)
    assert state.unavailable_at_most == 0, "25 % of 3, rounded down"
    assert not state.is_rolled_out
    (deployment,) = recorded("throttle", "deployments")
    state = workload_of(subject("report-worker", "throttle"), deployment)
    assert state.is_rolled_out
    assert state.template == canonical(deployment["spec"]["template"])


def test_a_zero_of_ready_replicas_is_left_out() -> None:
    (deployment,) = recorded("crashloop", "deployments")
    assert "readyReplicas" not in deployment["status"]
    assert workload_of(subject("payments", "crashloop"), deployment).ready_replicas == 0


@pytest.mark.parametrize(
    ("change", "done"),
    [
        ({}, True),
        ({"observedGeneration": 0}, False),
        ({"updatedReplicas": 0}, False),
        ({"replicas": 9}, False),
        ({"availableReplicas": 0}, False),
        ({"conditions": [{"type": "Progressing", "reason": "ProgressDeadlineExceeded"}]}, False),
    ],
)
def test_rolled_out_is_what_kubectl_says(change: dict[str, Any], done: bool) -> None:
    (deployment,) = recorded("throttle", "deployments")
    deployment["status"].update(change)
    assert workload_of(subject("report-worker", "throttle"), deployment).is_rolled_out is done


@pytest.mark.parametrize(
    ("rolling", "desired", "most"),
    [
        ({}, 4, 1),
        ({"maxUnavailable": "25%"}, 3, 0),
        ({"maxUnavailable": "50%"}, 3, 1),
        ({"maxUnavailable": 2}, 10, 2),
        ({"maxUnavailable": 5}, 2, 2),
        ({"maxUnavailable": 0, "maxSurge": 0}, 2, 1),
        ({"maxUnavailable": "10%", "maxSurge": "0%"}, 2, 1),
        ({"maxUnavailable": 0, "maxSurge": 1}, 2, 0),
        ({}, 0, 0),
    ],
)
def test_a_rolling_update_takes_away_at_most(
    rolling: dict[str, object], desired: int, most: int
) -> None:
    spec = {"strategy": {"type": "RollingUpdate", "rollingUpdate": rolling}}
    assert unavailable_at_most(Kind.DEPLOYMENT, spec, desired) == most


def test_other_strategies_take_away_all_or_nothing() -> None:
    assert unavailable_at_most(Kind.DEPLOYMENT, {"strategy": {"type": "Recreate"}}, 3) == 3
    assert unavailable_at_most(Kind.STATEFUL_SET, {}, 3) == 1
    assert unavailable_at_most(Kind.DAEMON_SET, {"updateStrategy": {"type": "OnDelete"}}, 3) == 0


@pytest.mark.parametrize(
    ("labels", "annotations", "manager"),
    [
        ({}, {}, ""),
        ({"app.kubernetes.io/managed-by": "Helm"}, {}, "Helm release"),
        ({}, {"meta.helm.sh/release-name": "shop"}, "Helm release shop"),
        (
            {"argocd.argoproj.io/instance": "shop", "app.kubernetes.io/managed-by": "Helm"},
            {},
            "Argo CD application shop",
        ),
        (
            {},
            {"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:default/web"},
            "Argo CD application shop",
        ),
        (
            {
                "kustomize.toolkit.fluxcd.io/name": "apps",
                "kustomize.toolkit.fluxcd.io/namespace": "flux-system",
            },
            {},
            "Flux Kustomization flux-system/apps",
        ),
        ({"helm.toolkit.fluxcd.io/name": "shop"}, {}, "Flux HelmRelease shop"),
    ],
)
def test_who_manages_it(labels: dict[str, str], annotations: dict[str, str], manager: str) -> None:
    found = {"metadata": {"labels": labels, "annotations": annotations}}
    assert managed_by(found) == manager


def test_the_tightest_budget_counts() -> None:
    pods = recorded("rollout-undone", "pods")
    budgets = recorded("rollout-undone", "pdb")
    assert least_disruptions(budgets, pods) == 0
    budgets[0]["spec"]["selector"] = {"matchLabels": {"app": "other"}}
    assert least_disruptions(budgets, pods) == len(pods)


def test_the_tightest_quota_counts() -> None:
    def quota(hard: str, used: str | None) -> dict[str, Any]:
        status = {"hard": {"limits.memory": hard}, "used": {"limits.memory": used}}
        return {"spec": {}, "status": status}

    assert least_quota([quota("2Gi", "1Gi"), quota("8Gi", "1Gi")]) == 2**30
    assert least_quota([quota("2Gi", None)]) is None
    assert least_quota([{"spec": {"hard": {"pods": "3"}}}]) == 2**63 - 1


def test_what_the_scheduler_reserves_for_a_pod() -> None:
    found = copy.deepcopy(recorded("oomkill", "pods")[0])
    assert requested_bytes(found) == 48 * 2**20
    big = {"name": "init", "resources": {"requests": {"memory": "100Mi"}}}
    found["spec"]["initContainers"] = [big]
    assert requested_bytes(found) == 100 * 2**20
    found["spec"]["initContainers"] = [{**big, "restartPolicy": "Always"}]
    assert requested_bytes(found) == 148 * 2**20
    found["status"]["phase"] = "Failed"
    assert requested_bytes(found) == 0
