"""What clusters that nobody here has seen hold: other words and labels, half of the telemetry."""

from __future__ import annotations

from typing import Any

import pytest

from petops.domain.diagnosis import Verdict, Weighs
from petops.domain.subject import Kind, Subject
from petops.playbooks import bad_rollout, crash_loop, failing_probe, unschedulable
from tests.kubernetes_cases import cause, diagnosed
from tests.kubernetes_objects import (
    NAMESPACE,
    ago,
    deployment,
    ended,
    event,
    meta,
    node,
    owner,
    pod,
    replica_set,
    waiting,
    world,
)
from tests.playbooks.test_others_cases import stateful, told, web
from tests.recorded import CLUSTER
from tests.request_shop import PAY, SEARCH, Shop, Wrong

pytestmark = pytest.mark.looptime
Json = Any
POD = "web-hash1-p1"


def named(kind: Kind, name: str) -> Subject:
    return Subject(cluster=CLUSTER, kind=kind, namespace=NAMESPACE, name=name)


NODES = "0/3 nodes are available: "


@pytest.mark.parametrize(
    ("words", "said", "remedies"),
    [
        (NODES + "3 Too many pods.", "too many pods", ("undo-rollout", "add-nodes")),
        (NODES + "3 Insufficient cpu.", "CPU", ("undo-rollout", "add-nodes", "lower-requests")),
        (
            NODES + "1 node(s) were unschedulable, 2 node(s) had volume node affinity conflict.",
            "its volume is elsewhere",
            ("undo-rollout", "fix-scheduling"),
        ),
        (
            NODES + "3 node(s) didn't find available persistent volumes to bind.",
            "claim that is not bound",
            ("undo-rollout", "fix-scheduling"),
        ),
        (
            NODES + "3 node(s) didn't satisfy existing pods anti-affinity rules.",
            "its pod affinity rules",
            ("undo-rollout", "fix-scheduling"),
        ),
        (
            'persistentvolumeclaim "data" not found',
            "claim that does not exist",
            ("undo-rollout", "fix-scheduling"),
        ),
    ],
)
async def test_what_is_advised_follows_what_the_scheduler_lacks(
    words: str, said: str, remedies: tuple[str, ...]
) -> None:
    no = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": words}
    waits = pod("web", node="", ready=False, phase="Pending", conditions=(no,))
    found = await cause(web(waits), unschedulable.NAME)
    assert said in found.because
    assert found.remedies == remedies


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            "Readiness probe errored and resulted in unknown state: command timed out after 2s",
            "does not answer in time",
        ),
        (
            'Readiness probe failed: service unhealthy (responded with "NOT_SERVING")',
            "answers NOT_SERVING",
        ),
    ],
)
async def test_a_probe_fails_in_the_words_of_every_kubelet(words: str, said: str) -> None:
    unready = pod("web", ready=False, ready_ago=900)
    told_ = event("Unhealthy", "Pod", POD, words, count=9)
    found = await cause(web(unready, events=[told_]), failing_probe.NAME)
    assert said in found.because
    assert any(row.step == "object-events" and row.weighs is Weighs.FOR for row in found.rows)


async def test_what_a_runtime_wraps_many_times_is_quoted_from_its_end() -> None:
    words = (
        "failed to create task: " + "OCI runtime create failed: " * 9 + 'exec: "/srv": not found'
    )
    broken = pod("web", ready=False, state=waiting("RunContainerError", words))
    found = await cause(web(broken), crash_loop.NAME)
    assert 'exec: "/srv": not found»' in found.because


async def test_a_container_that_its_hook_ends_is_in_a_loop_of_its_own_making() -> None:
    loops = pod(
        "web", ready=False, state=waiting("CrashLoopBackOff"), last=ended("Error", 137), restarts=6
    )
    hook = event("FailedPostStartHook", "Pod", POD, "PostStartHook failed", count=6)
    found = await cause(web(loops, events=[hook]), crash_loop.NAME)
    assert any("its postStart hook failed 6 times" in row.seen for row in found.rows)
    by_nobody = await diagnosed(web(loops))
    assert by_nobody.cause is None


async def test_an_alarm_about_one_new_pod_does_not_say_that_its_elders_are_none() -> None:
    loops = pod(
        "web",
        revision=2,
        age=400,
        ready=False,
        state=waiting("CrashLoopBackOff"),
        last=ended("Error", 1),
        restarts=6,
    )
    api = web(
        loops,
        pod("web", 2),
        pod("web", 3),
        deployments=[deployment("web", replicas=3, revision=2, readyReplicas=2)],
        replicasets=[replica_set("web", 2, age=400), replica_set("web", pods=2, ready=2)],
    )
    for about in (named(Kind.DEPLOYMENT, "web"), named(Kind.POD, "web-hash2-p1")):
        found = await cause(api, bad_rollout.NAME, about)
        assert "2 pods of revision 1 are ready" in {row.seen for row in found.rows}


async def test_an_eviction_is_dated_and_its_hog_named_by_what_every_kubelet_leaves() -> None:
    """No annotation of the event, and of the pod's conditions only that of its disruption."""
    words = (
        "The node was low on resource: memory. Threshold quantity: 100Mi, available: 21904Ki. "
        "Container app was using 5611020Ki, request is 0, has larger consumption of memory. "
    )
    gone = pod("web", 9, age=300_000, ready=False, phase="Failed", reason="Evicted", message=words)
    by_kubelet = {"type": "DisruptionTarget", "status": "True", "reason": "TerminationByKubelet"}
    gone["status"]["conditions"] = [{**by_kubelet, "lastTransitionTime": ago(120)}]
    kubelet: Json = {"source": {"component": "kubelet", "host": "node-a"}}
    name = gone["metadata"]["name"]
    said = event("Evicted", "Pod", name, words, first=120, last=120, **kubelet)
    api = web(gone, pod("web", 2, age=110), nodes=[node()], events=[said])
    found = await cause(api, "node-memory-pressure")
    assert "evicted 1 of its pods" in found.because
    assert "5480 MiB" in found.because


async def test_an_alarm_about_a_pod_that_was_replaced_is_about_those_that_took_its_place() -> None:
    loops = pod(
        "web", ready=False, state=waiting("CrashLoopBackOff"), last=ended("Error", 1), restarts=6
    )
    for gone in ("web-hash1-zzzzz", "web-hash0-zzzzz"):
        found = await cause(web(loops), crash_loop.NAME, named(Kind.POD, gone))
        assert found.subject == named(Kind.DEPLOYMENT, "web")
    other = await diagnosed(web(loops), named(Kind.POD, "db-hash1-zzzzz"))
    assert other.cause is None
    assert any("not found" in one for one in other.blind)


async def test_what_application_signals_calls_a_service_may_be_the_workload() -> None:
    loops = pod(
        "web", ready=False, state=waiting("CrashLoopBackOff"), last=ended("Error", 1), restarts=6
    )
    found = await cause(web(loops), crash_loop.NAME, named(Kind.SERVICE, "web"))
    assert found.subject == named(Kind.DEPLOYMENT, "web")


async def test_of_a_node_that_went_silent_nothing_is_said_to_be_well() -> None:
    """Its conditions are all unknown: neither pressure nor the lack of it."""
    gone = node("node-a", Ready="Unknown", MemoryPressure="Unknown", DiskPressure="Unknown")
    away = pod("web", ready=False, ready_ago=120)
    found = await diagnosed(web(away, nodes=[gone]))
    for mode in ("node-memory-pressure", "disk-pressure"):
        assert told(found, mode).verdict is Verdict.UNDECIDED
    both = web(away, pod("web", 2, node="node-b"), nodes=[gone, node("node-b")])
    pressure = told(await diagnosed(both), "node-memory-pressure")
    assert pressure.verdict is Verdict.REFUTED
    assert "no MemoryPressure on node-b; not known of node-a" in pressure.because


async def test_revisions_that_are_not_compared_are_not_said_to_be_none() -> None:
    of_db = ("StatefulSet", "db")
    loops = pod(
        "db",
        1,
        controller=of_db,
        ready=False,
        state=waiting("CrashLoopBackOff"),
        last=ended("Error", 1),
        restarts=6,
    )
    api = world(statefulsets=[stateful("db", 1)], pods=[pod("db", 0, controller=of_db), loops])
    found = told(await diagnosed(api, named(Kind.STATEFUL_SET, "db")), bad_rollout.NAME)
    assert (found.verdict, "Deployments only" in found.because) == (Verdict.UNDECIDED, True)


async def test_container_insights_call_the_pods_of_a_job_by_its_cron_job() -> None:
    def of_nightly(name: str, age: float, **status: Json) -> Json:
        made = meta(name, age=age, ownerReferences=owner("CronJob", "nightly"))
        spec = {"selector": {"matchLabels": {"app": name}}, "template": {}}
        return {"metadata": made, "spec": spec, "status": status}

    failed = [{"type": "Failed", "status": "True", "lastTransitionTime": ago(60)}]
    jobs = [
        of_nightly("nightly-2", 900, failed=3, conditions=failed),
        of_nightly("nightly-1", 90_000, succeeded=1),
    ]
    tried = pod("nightly-2", phase="Failed", ready=False, controller=("Job", "nightly-2"))
    tried["status"]["containerStatuses"][0]["state"] = {"terminated": ended("Error", 1)}
    api = world(jobs=jobs, pods=[tried])
    found = await cause(api, "job-failed", named(Kind.DEPLOYMENT, "nightly"))
    assert found.subject == named(Kind.JOB, "nightly-2")


async def test_a_service_that_fits_no_pod_is_not_said_to_miss_pods_that_are_well() -> None:
    lost = {"metadata": meta("lost"), "spec": {"selector": {"app": "lost"}, "ports": []}}
    found = await cause(
        web(pod("web"), services=[lost]), "no-endpoints", named(Kind.SERVICE, "lost")
    )
    assert "what it is for, or the selector" in found.advice
    assert "are well" not in str([row.statement for row in found.rows])


@pytest.mark.slow
async def test_a_node_that_filled_up_is_told_where_no_kubelet_counts_waiting() -> None:
    """Kubelets before 1.34 export neither pressure nor run queues."""
    starved = Shop(wrong=Wrong(seconds={PAY: 0.4}, node_cores=1.9))
    found = await starved.diagnosed(PAY)
    assert found.cause is not None, found.because
    assert (found.cause.mode, found.cause.confidence) == ("node-cpu-starvation", 0.55)
    assert found.cause.culprit == starved.subject(SEARCH)
    roomy = await Shop(wrong=Wrong(seconds={PAY: 0.4})).diagnosed(PAY)
    assert "node-cpu-starvation" not in {
        one.mode for one in (roomy.cause, *roomy.also_broken) if one
    }
    calm = await Shop(wrong=Wrong(node_cores=1.9)).diagnosed(PAY)
    assert calm.cause is None, calm.because
