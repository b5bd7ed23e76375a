"""Evictions and PodDisruptionBudgets, as a real API server answered."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.lab.hand_clock import PODS, Lab

pytestmark = pytest.mark.slow

API = Path(__file__).parent.parent / "recordings" / "api"
BUDGET = "/apis/policy/v1/namespaces/default/poddisruptionbudgets/petsite"


def recorded(name: str) -> Any:
    return json.loads((API / f"{name}.json").read_text())["response"]


def evict(lab: Lab, pod: str, query: str = "", **options: object) -> Any:
    body: dict[str, Any] = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": pod, "namespace": "default"},
    }
    if options:
        body["deleteOptions"] = options
    return lab.ask("POST", f"{PODS}/{pod}/eviction{query}", body)


def names(lab: Lab) -> list[str]:
    return [pod["metadata"]["name"] for pod in lab.pods("petsite")]


def test_an_eviction_succeeds_and_uses_the_budget_up() -> None:
    lab = Lab()
    first, second = names(lab)
    done = evict(lab, first)
    assert (done.status, done.json()) == (201, recorded("eviction-success")["body"])
    pod = lab.get(f"{PODS}/{first}")
    assert pod["status"]["conditions"][-1]["reason"] == "EvictionByEvictionAPI"
    blocked = evict(lab, second)
    expected = recorded("eviction-blocked-by-pdb")
    text = json.dumps(expected["body"]).replace("budget search needs 2", "budget petsite needs 1")
    assert blocked.status == expected["status"]
    answer = blocked.json()
    assert answer["details"]["causes"][0]["reason"] == "DisruptionBudget"
    assert {**answer, "details": None} == {**json.loads(text), "details": None}
    lab.pass_seconds(10)
    assert len(names(lab)) == 2
    assert lab.get(BUDGET)["status"]["disruptionsAllowed"] == 1


@pytest.mark.slow
def test_a_dry_run_evicts_nothing_and_uses_nothing() -> None:
    lab = Lab()
    first, second = names(lab)
    assert evict(lab, first, "?dryRun=All").status == 201
    assert evict(lab, second, "?dryRun=All").status == 201
    assert lab.get(BUDGET)["status"]["disruptionsAllowed"] == 1
    lab.pass_seconds(5)
    assert names(lab) == [first, second]


def test_a_wrong_uid_is_refused_and_still_uses_the_budget() -> None:
    lab = Lab()
    first, second = names(lab)
    wrong = evict(lab, first, preconditions={"uid": "00000000-0000-0000-0000-000000000000"})
    expected = recorded("eviction-stale-precondition")
    assert wrong.status == expected["status"]
    assert wrong.json()["reason"] == expected["body"]["reason"]
    assert "the UID in the precondition (00000000-0000-" in wrong.json()["message"]
    assert evict(lab, second).status == 429


def test_a_pod_that_is_not_there_cannot_be_evicted() -> None:
    answer = evict(Lab(), "nope")
    assert (answer.status, answer.json()) == (404, recorded("eviction-no-such-pod")["body"])


def test_a_delete_with_the_wrong_uid_is_refused() -> None:
    lab = Lab()
    pod = names(lab)[0]
    answer = lab.ask("DELETE", f"{PODS}/{pod}", {"preconditions": {"uid": "x"}})
    expected = recorded("delete-pod-wrong-uid")
    assert answer.status == expected["status"]
    assert answer.json()["message"].startswith(
        f'Operation cannot be fulfilled on Pod "{pod}": the UID'
    )
    assert answer.json()["details"] == {"name": pod, "kind": "Pod"}
