"""Faults that a manifest makes on the lab's cluster: named, and only once they are there.

The lab and the playbooks share no threshold; a good deploy is on its way in each of these worlds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from petops.domain.alarm import Category
from petops.domain.subject import Kind
from tests.lab.hand_clock import DEPLOYMENTS, Lab
from tests.lab_faults import WEB, diagnosed, rolled_out, with_environment

pytestmark = pytest.mark.looptime
Fault = Callable[[Lab], Any]


def environment(**values: str) -> Fault:
    return lambda lab: rolled_out(lab, {"env": with_environment(lab, **values)})


def container(**change: Any) -> Fault:
    return lambda lab: rolled_out(lab, change)


def failing_job(lab: Lab) -> None:
    dies = {"name": "EXITS_AFTER_SECONDS", "value": "3"}
    pod = {
        "restartPolicy": "Never",
        "containers": [{"name": "job", "image": "x:1", "env": [dies]}],
    }
    template = {"metadata": {"labels": {"app": "nightly"}}, "spec": pod}
    lab.world.apply(
        [
            {
                "apiVersion": "batch/v1",
                "kind": "Job",
                "metadata": {"name": "nightly", "namespace": "default"},
                "spec": {"backoffLimit": 1, "template": template},
            }
        ]
    )


FAULTS: dict[str, tuple[Fault, str, str | None]] = {
    "crash": (environment(EXITS_AFTER_SECONDS="3"), "bad-rollout", "undo-rollout"),
    "unready": (environment(UNREADY_AFTER_SECONDS="0"), "bad-rollout", "undo-rollout"),
    "denied": (container(image="registry.example.com/private/x:1"), "image-pull", "undo-rollout"),
    "leak": (environment(LEAK_MIB_PER_SECOND="3"), "memory-leak", "undo-rollout"),
    "job": (failing_job, "job-failed", "fix-job"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", FAULTS)
async def test_a_fault_is_named_and_stays_named(name: str) -> None:
    fault, mode, remedy = FAULTS[name]
    lab = Lab()
    fault(lab)
    about = ("nightly", Kind.JOB) if name == "job" else (WEB, Kind.DEPLOYMENT)
    for seconds in (60, 120, 420):
        lab.pass_seconds(seconds)
        found = await diagnosed(lab, *about)
        assert found.cause is not None, found.because
        assert found.cause.mode == mode, found.because
        assert found.cause.remedies[0] == remedy
        if remedy == "undo-rollout":
            assert found.cause.good_revision == 3, found.because


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
async def test_nothing_is_wrong_before_it_is(seed: int) -> None:
    lab = Lab(seed)
    names = [one["metadata"]["name"] for one in lab.get(DEPLOYMENTS)["items"]]
    for category in (Category.AVAILABILITY, Category.MEMORY, Category.LATENCY):
        for name in names:
            found = await diagnosed(lab, name, category=category)
            assert found.cause is None, found.because
            assert not found.also_broken


@pytest.mark.slow
@pytest.mark.parametrize("starts_after", ["1", "20"])
@pytest.mark.parametrize("seed", range(2))
async def test_a_good_deploy_is_never_blamed(seed: int, starts_after: str) -> None:
    lab = Lab(seed)
    rolled_out(lab, {"env": with_environment(lab, STARTS_AFTER_SECONDS=starts_after)})
    for seconds in (2, 3, 5, 5, 10, 15, 30, 60):
        lab.pass_seconds(seconds)
        found = await diagnosed(lab)
        assert found.cause is None, found.because


async def test_a_node_whose_kubelet_falls_silent() -> None:
    lab = Lab()
    (node,) = {one["spec"]["nodeName"] for one in lab.pods(WEB)[:1]}
    lab.world.stop_kubelet(node)
    lab.pass_seconds(120)
    for about in ((node, Kind.NODE), (WEB, Kind.DEPLOYMENT)):
        found = await diagnosed(lab, *about)
        assert found.cause is not None
        assert found.cause.mode == "node-not-ready"
        assert found.cause.subject is not None
        assert found.cause.subject.name == node
    lab.world.start_kubelet(node)
    lab.pass_seconds(60)
    assert (await diagnosed(lab)).cause is None


async def test_a_silent_fault_beside_a_healthy_workload_is_told() -> None:
    lab = Lab()
    failing_job(lab)
    lab.pass_seconds(120)
    found = await diagnosed(lab, "petsite")
    assert found.cause is None
    assert [(one.mode, one.subject and one.subject.name) for one in found.also_broken] == [
        ("job-failed", "nightly")
    ]
