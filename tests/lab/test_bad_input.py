"""Manifests that are wrong, in the API server's own words; and changes at a bad moment."""

from __future__ import annotations

from typing import Any

import pytest

from petops.lab.store import clone
from tests.lab.hand_clock import DEPLOYMENTS, PODS, Lab
from tests.lab.test_controllers import STRATEGIC, workload

pytestmark = pytest.mark.slow

JOB = workload("Job", pod={"restartPolicy": "Never"})


def changed(document: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    copy: dict[str, Any] = clone(document)
    *way, last = path.split(".")
    place: Any = copy
    for step in way:
        place = place[int(step)] if step.isdecimal() else place[step]
    place[last] = value
    return copy


CONTAINER = "spec.template.spec.containers.0"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("document", "message"),
    [
        (
            changed(workload("Deployment"), "metadata.name", "Web_1"),
            'metadata.name: Invalid value: "Web_1": a lowercase RFC 1123 subdomain must consist of',
        ),
        (
            changed(workload("Deployment"), "spec.replicas", -1),
            "spec.replicas: Invalid value: -1: must be greater than or equal to 0",
        ),
        (
            changed(workload("Deployment"), "spec.selector", {"matchLabels": {"app": "other"}}),
            "`selector` does not match template `labels`",
        ),
        (
            changed(workload("Deployment"), f"{CONTAINER}.image", ""),
            "spec.template.spec.containers[0].image: Required value",
        ),
        (
            changed(
                workload("Deployment"),
                f"{CONTAINER}.resources",
                {"requests": {"cpu": "2"}, "limits": {"cpu": "1"}},
            ),
            (
                'spec.template.spec.containers[0].resources.requests: Invalid value: "2": '
                "must be less than or equal to cpu limit of 1"
            ),
        ),
        (
            changed(workload("Deployment"), "spec.template.spec.restartPolicy", "Never"),
            (
                'spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: '
                '"Always"'
            ),
        ),
        (
            changed(workload("Deployment"), f"{CONTAINER}.resources", {"limits": {"cpu": "many"}}),
            "quantities must match the regular expression",
        ),
        (
            changed(JOB, "spec.template.spec.restartPolicy", "Always"),
            'spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"',
        ),
    ],
)
def test_an_invalid_manifest_is_refused_in_the_api_server_s_words(
    document: dict[str, Any], message: str
) -> None:
    lab = Lab()
    jobs = "/apis/batch/v1/namespaces/default/jobs"
    answer = lab.ask("POST", jobs if document["kind"] == "Job" else DEPLOYMENTS, document)
    assert answer.status in {400, 422}
    assert message in answer.json()["message"]


def test_an_unknown_kind_is_not_there() -> None:
    lab = Lab()
    answer = lab.ask("POST", "/apis/apps/v1/namespaces/default/frobs", {"metadata": {"name": "x"}})
    assert (answer.status, answer.json()["reason"]) == (404, "NotFound")
    unknown = lab.ask("POST", "/apis/example.com/v1/namespaces/default/frobs", {})
    assert (unknown.status, unknown.body) == (404, b"404 page not found\n")


def test_a_change_in_the_middle_of_a_rollout_is_rolled_out_at_once() -> None:
    lab = Lab()
    url = f"{DEPLOYMENTS}/petsite"

    def release(tag: str) -> None:
        container = {"name": "petsite", "image": f"shop/petsite:{tag}"}
        lab.patch(url, {"spec": {"template": {"spec": {"containers": [container]}}}}, STRATEGIC)

    least = 2
    release("3.0.0")
    for step in range(150):
        lab.pass_seconds(0.1)
        if step == 12:
            release("3.0.1")
        least = min(least, lab.get(url)["status"].get("availableReplicas", 0))
    assert least >= 2
    found = lab.get(f"{PODS}?labelSelector=app=petsite")["items"]
    assert {pod["spec"]["containers"][0]["image"] for pod in found} == {"shop/petsite:3.0.1"}
    assert lab.get(url)["status"]["updatedReplicas"] == 2


def test_only_cpu_and_memory_can_be_resized_in_place() -> None:
    lab = Lab()
    name = lab.pods("petsite")[0]["metadata"]["name"]
    url = f"{PODS}/{name}/resize"
    patch: dict[str, Any] = {"spec": {"containers": [{"name": "petsite", "image": "other:1"}]}}
    answer = lab.ask("PATCH", url, patch, content_type=STRATEGIC)
    assert answer.status == 422
    assert "only cpu and memory resources are mutable" in answer.json()["message"]
    small = {"requests": {"cpu": "500m", "memory": "512Mi"}}
    patch = {"spec": {"containers": [{"name": "petsite", "resources": small}]}}
    answer = lab.ask("PATCH", url, patch, content_type=STRATEGIC)
    assert "Pod QOS Class may not change as a result of resizing" in answer.json()["message"]
    plainly = lab.ask("PATCH", f"{PODS}/{name}", patch, content_type=STRATEGIC)
    assert plainly.status == 422
