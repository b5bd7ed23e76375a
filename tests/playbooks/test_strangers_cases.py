"""What clusters that nobody here has seen hold: other words and labels, half of the telemetry."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from petops.domain.alarm import Category
from petops.domain.diagnosis import Verdict, Weighs
from petops.domain.evidence import Asked, PodScope, Readings, Sample, Series, Signal, Window
from petops.domain.subject import Kind, Subject
from petops.playbooks import bad_rollout, crash_loop, failing_probe, memory_leak, unschedulable
from tests.kubernetes_cases import cause, diagnosed
from tests.kubernetes_objects import (
    NAMESPACE,
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
    waiting,
    world,
)
from tests.playbooks.test_others_cases import stateful, told, web
from tests.recorded import CLUSTER
from tests.request_shop import PAY, SEARCH, Shop, Wrong

pytestmark = pytest.mark.looptime
Json = Any
MIB = 1024 * 1024
POD = "web-hash1-p1"


class Lives:
    """`Metrics` of one container name: its memory, one life after the other, by seconds ago."""

    def __init__(
        self,
        mib: Callable[[float], float],
        starts: tuple[float, ...],
        *,
        until: float = 0.0,
        ids: bool = True,
    ) -> None:
        self._mib, self._starts, self._until, self._ids = mib, starts, until, ids

    async def read(self, signal: Signal, scope: PodScope, window: Window) -> Readings:
        del scope, window
        found: dict[str, list[Sample]] = {}
        if signal is Signal.MEMORY_RSS_BYTES:
            for ago_ in range(round(self._starts[0]) // 15 * 15, round(self._until) - 1, -15):
                began = min(one for one in self._starts if one >= ago_)
                at = NOW - timedelta(seconds=ago_)
                sample = Sample(at=at, value=self._mib(began - ago_) * MIB)
                found.setdefault(f"c{began}" if self._ids else "", []).append(sample)
        series = (self._series(one, tuple(samples)) for one, samples in found.items())
        return Readings(asked=Asked(source="test", query=str(signal)), series=tuple(series))

    @staticmethod
    def _series(name: str, samples: tuple[Sample, ...]) -> Series:
        labels = {"pod": POD, "container": "app"} | ({"id": name, "name": name} if name else {})
        return Series(labels=tuple(sorted(labels.items())), samples=samples)


def restarted(reason: str, *, started: float, lived: float, restarts: int = 4) -> Json:
    limit = {"resources": {"limits": {"memory": "512Mi"}}}
    return pod(
        "web",
        age=9000,
        state={"running": {"startedAt": ago(started)}},
        last=ended(reason, 137, lived=lived, ago_seconds=started),
        restarts=restarts,
        container=limit,
    )


def kill_events(last: float) -> list[Json]:
    words = "Liveness probe failed: context deadline exceeded"
    killed = "Container app failed liveness probe, will be restarted"
    return [
        event("Unhealthy", "Pod", POD, words, count=12, first=4000, last=last),
        event("Killing", "Pod", POD, killed, count=4, first=4000, last=last),
    ]


def named(kind: Kind, name: str) -> Subject:
    return Subject(cluster=CLUSTER, kind=kind, namespace=NAMESPACE, name=name)


STARTS = (3900.0, 3000.0, 2100.0, 1200.0, 300.0)


async def test_a_leak_that_a_probe_ends_near_the_limit_is_a_leak() -> None:
    """Short of memory it is too slow for its liveness probe, before the kernel kills it."""
    killed = restarted("Error", started=300, lived=900)
    api = web(killed, events=kill_events(300))
    grows = Lives(lambda age: 60 + age * 0.48, STARTS)
    found = await diagnosed(api, category=Category.MEMORY, metrics=grows)
    assert found.cause is not None
    assert found.cause.mode == memory_leak.NAME, found.because
    # The same kills far from the limit are the probe's.
    little = Lives(lambda age: 60 + age * 0.1, STARTS)
    found = await diagnosed(api, category=Category.MEMORY, metrics=little)
    assert found.cause is not None
    assert found.cause.mode == failing_probe.NAME, found.because


async def test_growth_that_was_last_measured_long_ago_is_no_leak_of_now() -> None:
    runs = pod("web", age=9000, container={"resources": {"limits": {"memory": "512Mi"}}})
    grown = Lives(lambda age: 60 + age * 0.1, (4000.0,), until=1200)
    found = await diagnosed(web(runs), category=Category.MEMORY, metrics=grown)
    assert found.cause is None
    assert "was not measured since 11:40:00Z" in told(found, memory_leak.NAME).because
    grown = Lives(lambda age: 60 + age * 0.1, (4000.0,), until=60)
    found = await diagnosed(web(runs), category=Category.MEMORY, metrics=grown)
    assert found.cause is not None, found.because


async def test_lives_whose_series_has_no_id_are_told_apart_by_their_starts() -> None:
    killed = restarted("OOMKilled", started=300, lived=900)
    saw = Lives(lambda age: 60 + age * 0.48, STARTS[-2:], ids=False)
    found = await diagnosed(web(killed), category=Category.MEMORY, metrics=saw)
    assert found.cause is not None
    assert found.cause.mode == memory_leak.NAME, found.because
    assert "in 2 of 2 lifetimes" in found.cause.rows[0].seen


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
