"""What petops' own account may do in the lab: what its guards ask for, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from petops.lab.application_petops import READS, REPAIRS
from tests.lab.hand_clock import Lab

REVIEWS = "/apis/authorization.k8s.io/v1"
AS_PETOPS = {"authorization": "Bearer petops"}


MANIFESTS = Path(__file__).parents[2] / "manifests"


def grants(rules: Any) -> set[tuple[str, str, str]]:
    return {
        (group, resource, verb)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


@pytest.mark.parametrize(
    ("path", "rules"),
    [("base/read-role.yaml", READS), ("overlays/repair/repair-role.yaml", REPAIRS)],
)
def test_the_labs_rights_are_those_of_the_manifests(path: str, rules: Any) -> None:
    documents = yaml.safe_load_all((MANIFESTS / path).read_text(encoding="utf-8"))
    (role,) = [one for one in documents if one["kind"] == "ClusterRole"]
    assert grants(rules) == grants(role["rules"])


def may(lab: Lab, verb: str, group: str, resource: str, namespace: str = "default") -> bool:
    name, _, sub = resource.partition("/")
    wish = {"verb": verb, "group": group, "resource": name, "subresource": sub}
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {**wish, "namespace": namespace}},
    }
    path = f"{REVIEWS}/selfsubjectaccessreviews"
    answer = lab.ask("POST", path, review, headers=AS_PETOPS)
    assert answer.status == 201
    return bool(answer.json()["status"]["allowed"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("group", "resource", "verbs"),
    [
        ("apps", "deployments", "get patch"),
        ("apps", "statefulsets", "get patch"),
        ("apps", "daemonsets", "get patch"),
        ("autoscaling", "horizontalpodautoscalers", "get list create patch delete"),
        ("", "pods/resize", "patch"),
        ("", "pods/eviction", "create"),
        ("", "pods/log", "get"),
        ("", "nodes", "get list patch"),
        ("authorization.k8s.io", "subjectaccessreviews", "create"),
        ("authentication.k8s.io", "tokenreviews", "create"),
    ],
)
def test_petops_may_do_what_its_guards_ask_for(group: str, resource: str, verbs: str) -> None:
    lab = Lab()
    for verb in verbs.split():
        assert may(lab, verb, group, resource), (verb, resource)


def test_petops_may_not_do_more() -> None:
    lab = Lab()
    for verb, group, resource in (
        ("get", "", "secrets"),
        ("create", "", "pods/exec"),
        ("delete", "", "pods"),
        ("delete", "apps", "deployments"),
        ("update", "", "nodes"),
        ("create", "rbac.authorization.k8s.io", "clusterrolebindings"),
        ("create", "coordination.k8s.io", "leases"),
    ):
        assert not may(lab, verb, group, resource), (verb, resource)
    assert may(lab, "create", "coordination.k8s.io", "leases", "petops")


def test_petops_may_ask_what_an_approver_may_do() -> None:
    lab = Lab()
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": "lab-read-only",
            "groups": ["lab:readers"],
            "resourceAttributes": {
                "verb": "patch",
                "group": "apps",
                "resource": "deployments",
                "namespace": "default",
            },
        },
    }
    answer = lab.ask("POST", f"{REVIEWS}/subjectaccessreviews", review, headers=AS_PETOPS)
    assert (answer.status, answer.json()["status"]["allowed"]) == (201, False)
