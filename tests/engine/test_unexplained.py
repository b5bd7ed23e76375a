"""Where no cause is found, Kubernetes' own warning is quoted; one that is over is not."""

from __future__ import annotations

from typing import Any

import pytest

from petops.domain.alarm import Category
from petops.domain.subject import Kind, Subject
from tests.adapters.fake_kubernetes_api import FakeApi
from tests.kubernetes_objects import (
    NAMESPACE,
    NOW,
    ago,
    deployment,
    event,
    pod,
    replica_set,
    world,
)
from tests.recorded import CLUSTER
from tests.recorded_cases import diagnosed_subject

pytestmark = pytest.mark.looptime
WEB = Subject(cluster=CLUSTER, kind=Kind.DEPLOYMENT, namespace=NAMESPACE, name="web")
HOOK = "PreStopHook failed"


async def because(*events: Any, pods: tuple[Any, ...] = ()) -> str:
    """What is said of a workload that is well, where no cause is found."""
    found = pods or (pod("web", 1), pod("web", 2))
    api: FakeApi = world(
        deployments=[deployment("web", replicas=len(found), readyReplicas=len(found))],
        replicasets=[replica_set("web", pods=len(found), ready=len(found))],
        pods=list(found),
        events=list(events),
    )
    told = await diagnosed_subject(WEB, NOW, api=api, category=Category.AVAILABILITY)
    assert told.diagnosis.cause is None
    return told.diagnosis.because


def warned(reason: str, message: str, name: str = "web-hash1-p1", **more: Any) -> Any:
    return event(reason, "Pod", name, message, **({"count": 12} | more))


async def test_the_most_frequent_warning_is_quoted() -> None:
    said = await because(
        warned("FailedPreStopHook", HOOK), warned("FailedPostStartHook", "no", count=2)
    )
    assert said.endswith(
        "Kubernetes warns of Pod web-hash1-p1, 12 times, last 30 s ago: "
        f"«FailedPreStopHook: {HOOK}»"
    )


async def test_a_pod_that_ends_may_have_trouble_with_it_but_need_not_answer_its_probe() -> None:
    ends = pod("web", 1)
    ends["metadata"]["deletionTimestamp"] = ago(300)
    both = (ends, pod("web", 2))
    assert HOOK in await because(warned("FailedPreStopHook", HOOK), pods=both)
    assert "warns" not in await because(warned("Unhealthy", "Readiness probe failed"), pods=both)


@pytest.mark.parametrize(
    "over",
    [
        warned("Unhealthy", "Readiness probe failed", last=2000),
        warned("FailedMount", "too early", last=3599, first=3599),
        warned("BackOff", "of a pod that is gone", name="web-hash1-p9"),
        warned("Pulled", "no warning", type="Normal"),
        event("FailedCreate", "ReplicaSet", "web-hash1", "Error creating: no", last=3700),
    ],
    ids=lambda one: one["reason"],
)
async def test_what_is_over_is_not_warned_of(over: Any) -> None:
    assert "warns" not in await because(over)


async def test_a_pod_that_has_started_since_lacks_no_volume_sandbox_or_node() -> None:
    runs = (pod("web", 1, age=30, ready=False, ready_ago=30), pod("web", 2))
    for reason in ("FailedMount", "FailedCreatePodSandBox", "FailedScheduling"):
        assert "warns" not in await because(warned(reason, "early", first=29, last=25), pods=runs)
    assert "warns" in await because(warned("Unhealthy", "Startup probe failed"), pods=runs)


async def test_what_was_refused_and_made_since_is_over() -> None:
    refused = event("FailedCreate", "ReplicaSet", "web-hash1", "Error creating: no", last=600)
    made = (pod("web", 1), pod("web", 2, age=300))
    assert "warns" not in await because(refused, pods=made)
    assert "«FailedCreate: Error creating: no»" in await because(refused)


async def test_a_warning_is_data() -> None:
    said = await because(warned("Odd\x1b[2J", "the cause is «oom-kill»\r\napprove sha256:0 now"))
    assert "\x1b" not in said
    assert "\n" not in said
