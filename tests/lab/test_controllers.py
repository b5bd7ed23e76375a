"""Controllers beside Deployments: autoscalers, quotas, Jobs, DaemonSets, StatefulSets."""

from __future__ import annotations

from typing import Any

import pytest

from petops.lab import pod_creation
from petops.lab.store import clone
from tests.lab.hand_clock import DEPLOYMENTS, PODS, Lab

pytestmark = pytest.mark.slow

HPA = "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers/payforadoption-go"
JOBS = "/apis/batch/v1/namespaces/default/jobs"
STRATEGIC = "application/strategic-merge-patch+json"


def workload(kind: str, name: str = "web", **spec: Any) -> dict[str, Any]:
    labels = {"app": name}
    pod: dict[str, Any] = {"containers": [{"name": "app", "image": "shop/web:1"}]}
    pod |= spec.pop("pod", {})
    if kind in {"Deployment", "DaemonSet", "StatefulSet"}:
        spec["selector"] = {"matchLabels": labels}
    template = {"metadata": {"labels": labels}, "spec": pod}
    api = "batch/v1" if kind == "Job" else "apps/v1"
    return {
        "apiVersion": api,
        "kind": kind,
        "metadata": {"name": name},
        "spec": {**spec, "template": template},
    }


def conditions(found: Any) -> dict[str, tuple[str, str]]:
    return {one["type"]: (one["status"], one["reason"]) for one in found["status"]["conditions"]}


def reasons(lab: Lab, name: str) -> list[str]:
    url = f"/api/v1/namespaces/default/events?fieldSelector=involvedObject.name={name}"
    return [one["reason"] for one in lab.get(url)["items"]]


def burn(lab: Lab, cores: str) -> None:
    variables = [{"name": "CPU_CORES", "value": cores}]
    container = {"name": "payforadoption-go", "env": variables}
    patch = {"spec": {"template": {"spec": {"containers": [container]}}}}
    lab.patch(f"{DEPLOYMENTS}/payforadoption-go", patch, STRATEGIC)


def test_an_autoscaler_is_at_rest_where_load_is_near_its_target() -> None:
    lab = Lab()
    lab.pass_seconds(40)
    found = lab.get(HPA)
    assert conditions(found) == {
        "AbleToScale": ("True", "ReadyForNewScale"),
        "ScalingActive": ("True", "ValidMetricFound"),
        "ScalingLimited": ("False", "DesiredWithinRange"),
    }
    assert found["status"]["currentReplicas"] == found["status"]["desiredReplicas"] == 2
    assert found["status"]["currentMetrics"][0]["resource"]["current"]["averageUtilization"] > 0


@pytest.mark.slow
def test_an_autoscaler_scales_up_to_its_most_and_says_so() -> None:
    lab = Lab()
    burn(lab, "0.2")
    lab.pass_seconds(120)
    found = lab.get(HPA)
    assert lab.get(f"{DEPLOYMENTS}/payforadoption-go")["spec"]["replicas"] == 6
    assert conditions(found)["ScalingLimited"] == ("True", "TooManyReplicas")
    assert "SuccessfulRescale" in reasons(lab, "payforadoption-go")
    burn(lab, "0")
    lab.pass_seconds(200)
    assert conditions(lab.get(HPA))["AbleToScale"] == ("True", "ScaleDownStabilized")
    lab.pass_seconds(1200)
    assert lab.get(f"{DEPLOYMENTS}/payforadoption-go")["spec"]["replicas"] == 2


def test_an_autoscaler_without_requests_or_target_is_blind() -> None:
    lab = Lab()
    lab.world.apply([workload("Deployment")])
    metric = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}
    for name, target in (("blind", "web"), ("lost", "nope")):
        reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": target}
        spec = {
            "scaleTargetRef": reference,
            "maxReplicas": 3,
            "metrics": [{"type": "Resource", "resource": metric}],
        }
        lab.world.apply(
            [
                {
                    "apiVersion": "autoscaling/v2",
                    "kind": "HorizontalPodAutoscaler",
                    "metadata": {"name": name},
                    "spec": spec,
                }
            ]
        )
    lab.pass_seconds(60)
    base = HPA.rpartition("/")[0]
    blind = lab.get(f"{base}/blind")
    assert conditions(blind)["ScalingActive"] == ("False", "FailedGetResourceMetric")
    (why,) = [one["message"] for one in blind["status"]["conditions"] if one["status"] == "False"]
    assert "missing request for cpu in container app of Pod web-" in why
    assert conditions(lab.get(f"{base}/lost"))["AbleToScale"] == ("False", "FailedGetScale")


def quota(**hard: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "compute"},
        "spec": {"hard": {key.replace("__", "."): value for key, value in hard.items()}},
    }


def test_a_quota_refuses_in_the_api_server_s_words() -> None:
    lab = Lab()
    lab.world.apply([quota(pods="12", requests__cpu="1100m")])
    lab.pass_seconds(1)
    status = lab.get("/api/v1/namespaces/default/resourcequotas/compute")["status"]
    assert status["used"] == {"pods": "11", "requests.cpu": "950m"}
    container = {"name": "a", "image": "x:1", "resources": {"requests": {"cpu": "500m"}}}
    pod = {"metadata": {"name": "big"}, "spec": {"containers": [container]}}
    answer = lab.ask("POST", PODS, pod)
    assert answer.status == 403
    assert answer.json()["message"] == (
        'pods "big" is forbidden: exceeded quota: compute, requested: requests.cpu=500m, '
        "used: requests.cpu=950m, limited: requests.cpu=1100m"
    )
    bare = clone(pod)
    del bare["spec"]["containers"][0]["resources"]
    assert lab.ask("POST", PODS, bare).json()["message"] == (
        'pods "big" is forbidden: failed quota: compute: must specify requests.cpu for: a'
    )


@pytest.mark.slow
def test_a_replica_set_that_meets_a_quota_says_so_and_goes_on_once_there_is_room() -> None:
    lab = Lab()
    lab.world.apply([quota(pods="12")])
    lab.world.apply([workload("Deployment", replicas=3)])
    lab.pass_seconds(20)
    found = lab.get(f"{DEPLOYMENTS}/web")
    assert found["status"]["readyReplicas"] == 1
    assert conditions(found)["ReplicaFailure"] == ("True", "FailedCreate")
    (name,) = {
        one["metadata"]["name"]
        for one in lab.get(f"{DEPLOYMENTS.replace('deployments', 'replicasets')}")["items"]
        if one["metadata"]["labels"]["app"] == "web"
    }
    url = f"/api/v1/namespaces/default/events?fieldSelector=involvedObject.name={name}"
    failed = [one for one in lab.get(url)["items"] if one["reason"] == "FailedCreate"]
    assert failed[0]["type"] == "Warning"
    assert "is forbidden: exceeded quota: compute, requested: pods=1" in failed[0]["message"]
    lab.ask("DELETE", "/api/v1/namespaces/default/resourcequotas/compute")
    lab.pass_seconds(20)
    assert lab.get(f"{DEPLOYMENTS}/web")["status"]["readyReplicas"] == 3
    assert "ReplicaFailure" not in conditions(lab.get(f"{DEPLOYMENTS}/web"))


def test_a_limit_range_gives_defaults_and_bounds() -> None:
    lab = Lab()
    limits = {
        "type": "Container",
        "default": {"memory": "128Mi"},
        "defaultRequest": {"memory": "64Mi"},
        "max": {"memory": "256Mi"},
    }
    lab.world.apply(
        [
            {
                "apiVersion": "v1",
                "kind": "LimitRange",
                "metadata": {"name": "bounds"},
                "spec": {"limits": [limits]},
            }
        ]
    )
    container: dict[str, Any] = {"name": "a", "image": "x:1"}
    pod = {"metadata": {"name": "small"}, "spec": {"containers": [container]}}
    made = lab.ask("POST", PODS, pod).json()["spec"]["containers"][0]["resources"]
    assert made == {"limits": {"memory": "128Mi"}, "requests": {"memory": "64Mi"}}
    container["resources"] = {"limits": {"memory": "1Gi"}}
    answer = lab.ask("POST", PODS, {**pod, "metadata": {"name": "big"}})
    assert answer.json()["message"] == (
        'pods "big" is forbidden: maximum memory usage per Container is 256Mi, but limit is 1Gi'
    )


def test_a_job_completes() -> None:
    lab = Lab()
    lab.world.apply([workload("Job", completions=2, pod={"restartPolicy": "Never"})])
    lab.pass_seconds(30)
    status = lab.get(f"{JOBS}/web")["status"]
    assert status["succeeded"] == 2
    assert {one["type"] for one in status["conditions"]} == {"SuccessCriteriaMet", "Complete"}
    phases = {pod["status"]["phase"] for pod in lab.get(f"{PODS}?labelSelector=app=web")["items"]}
    assert phases == {"Succeeded"}


def test_a_job_that_fails_too_often_has_failed() -> None:
    lab = Lab()
    container = {"name": "app", "image": "x:1", "command": ["sh", "-c", "exit 3"]}
    pod = {"restartPolicy": "Never", "containers": [container]}
    lab.world.apply([workload("Job", backoffLimit=2, pod=pod)])
    lab.pass_seconds(120)
    found = lab.get(f"{JOBS}/web")
    assert conditions(found)["Failed"] == ("True", "BackoffLimitExceeded")
    assert found["status"]["failed"] == 3
    assert "BackoffLimitExceeded" in reasons(lab, "web")


def test_a_daemon_set_has_a_pod_on_every_node_and_renews_them_one_by_one() -> None:
    lab = Lab()
    lab.world.apply([workload("DaemonSet")])
    lab.pass_seconds(5)
    url = "/apis/apps/v1/namespaces/default/daemonsets/web"
    assert lab.get(url)["status"]["numberReady"] == 3
    nodes = {pod["spec"]["nodeName"] for pod in lab.get(f"{PODS}?labelSelector=app=web")["items"]}
    assert len(nodes) == 3
    least = 3
    image = {"name": "app", "image": "shop/web:2"}
    lab.patch(url, {"spec": {"template": {"spec": {"containers": [image]}}}}, STRATEGIC)
    for _ in range(200):
        lab.pass_seconds(0.2)
        least = min(least, lab.get(url)["status"]["numberReady"])
    assert least == 2
    assert lab.get(url)["status"]["updatedNumberScheduled"] == 3


def test_a_stateful_set_comes_up_and_changes_in_order() -> None:
    lab = Lab()
    lab.world.apply([workload("StatefulSet", replicas=3, serviceName="web")])
    seen: list[list[str]] = []
    for _ in range(100):
        lab.pass_seconds(0.2)
        found = lab.get(f"{PODS}?labelSelector=app=web")["items"]
        names = sorted(pod["metadata"]["name"] for pod in found)
        if not seen or names != seen[-1]:
            seen.append(names)
    assert seen[-1] == ["web-0", "web-1", "web-2"]
    assert ["web-0"] in seen
    url = "/apis/apps/v1/namespaces/default/statefulsets/web"
    before = lab.get(url)["status"]
    assert before["currentRevision"] == before["updateRevision"]
    image = {"name": "app", "image": "shop/web:2"}
    lab.patch(url, {"spec": {"template": {"spec": {"containers": [image]}}}}, STRATEGIC)
    lab.pass_seconds(40)
    after = lab.get(url)["status"]
    assert after["updatedReplicas"] == after["readyReplicas"] == 3
    assert after["currentRevision"] == after["updateRevision"] != before["updateRevision"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "Job"])
def test_any_number_of_replicas_is_taken_and_ends_where_the_lab_is_full(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = Lab()
    monkeypatch.setattr(pod_creation, "MOST_PODS", 1_200)
    specs: dict[str, dict[str, Any]] = {
        "Deployment": {"replicas": 10**9},
        "StatefulSet": {"replicas": 10**9, "podManagementPolicy": "Parallel"},
        "Job": {"parallelism": 10**9, "completions": 10**9, "pod": {"restartPolicy": "Never"}},
    }
    lab.world.apply([workload(kind, **specs[kind])])
    lab.pass_seconds(30)
    assert lab.world.store.count("pods") == 1_200
    said = [one["message"] for one in lab.world.store.objects("events")]
    assert any("the lab holds 1200 pods at most" in one for one in said)
