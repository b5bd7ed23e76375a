"""What other organisations' clusters hold: the cause, or none, and rows that are true."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest

from petops.domain.alarm import Category
from petops.domain.diagnosis import Diagnosis, Finding, Weighs
from petops.domain.evidence import Asked, PodScope, Readings, Sample, Series, Signal, Window
from petops.domain.subject import Kind, Subject
from petops.playbooks import bad_rollout, cpu_throttling, crash_loop, no_endpoints
from tests.adapters.fake_kubernetes_api import FakeApi
from tests.kubernetes_cases import cause, diagnosed, subject
from tests.kubernetes_objects import (
    NAMESPACE,
    NOW,
    ago,
    deployment,
    ended,
    event,
    meta,
    node,
    pod,
    replica_set,
    template,
    waiting,
    world,
)
from tests.recorded import CLUSTER

pytestmark = pytest.mark.looptime
Json = Any
MIB = 1024 * 1024


def told(found: Diagnosis, mode: str) -> Finding:
    """What was concluded of a mode, as a cause or as a rival."""
    every = (*([found.cause] if found.cause else []), *found.rivals)
    return next(one for one in every if one.mode == mode)


def web(*pods: Json, **more: Json) -> FakeApi:
    lists: dict[str, Json] = {
        "deployments": [deployment("web", replicas=len(pods), readyReplicas=len(pods))],
        "replicasets": [replica_set("web", pods=len(pods), ready=len(pods))],
        "pods": list(pods),
    }
    return world(**(lists | more))


def stateful(name: str, ready: int) -> Json:
    return {
        "metadata": meta(name),
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": name}},
            "template": template(name, 1),
        },
        "status": {"replicas": 2, "readyReplicas": ready},
    }


def service(name: str, **selector: str) -> Json:
    ports = [{"port": 80, "targetPort": 8080}]
    return {"metadata": meta(name), "spec": {"selector": selector, "ports": ports}}


def with_sidecar(one: Json, **status: Json) -> Json:
    """Add a second container, which restarted often and long ago, and runs."""
    one["spec"]["containers"].append({"name": "proxy", "image": "registry/proxy:1"})
    one["status"]["containerStatuses"].append(
        {
            "name": "proxy",
            "ready": True,
            "restartCount": 40,
            "state": {"running": {"startedAt": ago(80_000)}},
            "lastState": {"terminated": ended("Error", 1, ago_seconds=80_010)},
            **status,
        }
    )
    return one


async def test_the_last_line_is_that_of_the_container_that_ends() -> None:
    """The one that restarted oftener did so long ago, and what it said then is not the reason."""
    loops = pod("web", ready=False, restarts=9, state=waiting("CrashLoopBackOff"))
    loops["status"]["containerStatuses"][0]["lastState"] = {"terminated": ended("Error", 2)}
    api = web(with_sidecar(loops))
    name = loops["metadata"]["name"]
    api.logs = {f"{name}_app_previous": "no flag -x\n", f"{name}_proxy_previous": "old trouble\n"}
    found = await cause(api, crash_loop.NAME)
    assert "«no flag -x»" in found.because
    del api.logs[f"{name}_app_previous"]
    found = await cause(api, crash_loop.NAME)
    assert "old trouble" not in str(found.rows)


async def test_a_quota_that_refused_before_the_pods_came_refuses_no_more() -> None:
    refusal = (
        'create Pod db-1 in StatefulSet db failed error: pods "db-1" is forbidden: exceeded quota: '
        "compute, requested: limits.memory=1Gi, used: limits.memory=8Gi, limited: limits.memory=8Gi"
    )
    said = event("FailedCreate", "StatefulSet", "db", refusal, count=9, first=900, last=600)
    db = Subject(cluster=CLUSTER, kind=Kind.STATEFUL_SET, namespace=NAMESPACE, name="db")
    of_db = ("StatefulSet", "db")
    first = pod("db", 0, controller=of_db)

    def api(*pods: Json) -> FakeApi:
        return world(statefulsets=[stateful("db", len(pods))], pods=list(pods), events=[said])

    found = await diagnosed(api(first), db)
    assert found.cause is not None
    assert found.cause.mode == "quota-exceeded"
    found = await diagnosed(api(first, pod("db", 1, controller=of_db, age=500)), db)
    assert found.cause is None, found.because


def job(**status: Json) -> Json:
    spec = {"selector": {"matchLabels": {"app": "nightly"}}, "backoffLimit": 4, "template": {}}
    return {"metadata": meta("nightly"), "spec": spec, "status": status}


async def test_one_failed_try_whose_successor_runs_is_no_failed_job() -> None:
    of_job = ("Job", "nightly")
    tried = pod("nightly", 1, phase="Failed", ready=False, controller=of_job)
    tried["status"]["containerStatuses"][0]["state"] = {"terminated": ended("Error", 1)}
    runs = pod("nightly", 2, age=600, controller=of_job)
    about = subject(Kind.JOB, "nightly")
    once = await diagnosed(world(jobs=[job(failed=1, active=1)], pods=[tried, runs]), about)
    assert once.cause is None, once.because
    again = await diagnosed(world(jobs=[job(failed=3, active=1)], pods=[tried, runs]), about)
    assert again.cause is not None
    assert again.cause.mode == "job-failed"


async def test_a_restart_of_last_week_hides_no_probe_that_fails_now() -> None:
    unready = pod("web", ready=False, ready_ago=1200, restarts=1, age=700_000)
    status = unready["status"]["containerStatuses"][0]
    status["state"] = {"running": {"startedAt": ago(600_000)}}
    status["lastState"] = {"terminated": ended("Error", 137, ago_seconds=600_001)}
    found = await cause(web(unready, pod("web", 2)), "failing-probe")
    assert found.subject == subject()
    status["state"] = {"running": {"startedAt": ago(30)}}
    status["lastState"] = {"terminated": ended("Error", 1, ago_seconds=31)}
    late = await diagnosed(web(unready, pod("web", 2)))
    assert late.cause is None or late.cause.mode != "failing-probe"


async def test_an_image_of_another_processor_is_not_said_to_be_missing() -> None:
    words = 'failed to pull and unpack image "a/b:1": no match for platform in manifest: not found'
    waits = pod("web", ready=False, phase="Pending", state=waiting("ErrImagePull", words))
    found = await cause(web(waits), "image-pull")
    assert "kind of processor" in found.because
    assert "architecture" in found.advice


def empty_front(*more: Json, alone: bool = False) -> FakeApi:
    """A worker that was scaled to nothing behind a Service, beside a web that is well."""

    def named(made: Json) -> Json:
        for labels in (made["metadata"].setdefault("labels", {}), *_template_labels(made)):
            labels["app.kubernetes.io/instance"] = "shop"
        return made

    serves = service("web", app="web", **{"app.kubernetes.io/instance": "shop"})
    empty = service("worker", app="worker", **{"app.kubernetes.io/instance": "shop"})
    workloads = [named(deployment("web", readyReplicas=1)), *map(named, more)]
    if not alone:
        workloads.append(named(deployment("cart")))
    ends = {"metadata": meta("web-x", labels={"kubernetes.io/service-name": "web"})}
    ends["endpoints"] = [{"conditions": {"ready": True}}]
    return web(
        named(pod("web")), deployments=workloads, services=[serves, empty], endpointslices=[ends]
    )


def _template_labels(made: Json) -> list[dict[str, str]]:
    template = made["spec"].get("template")
    return [template["metadata"]["labels"]] if template else []


async def test_a_service_whose_workload_was_scaled_to_nothing_has_a_right_selector() -> None:
    api = empty_front(deployment("worker", replicas=0))
    for about in (subject(Kind.SERVICE, "worker"), subject(), subject(name="worker")):
        found = await diagnosed(api, about)
        assert found.cause is None, (about, found.because)
    found = await diagnosed(api, subject(Kind.SERVICE, "worker"))
    assert "Deployment worker has no pods" in told(found, no_endpoints.NAME).because


async def test_labels_that_a_whole_application_has_tie_no_service_to_one_of_its_parts() -> None:
    found = await diagnosed(empty_front())
    assert found.cause is None, found.because
    about = await diagnosed(empty_front(), subject(Kind.SERVICE, "worker"))
    assert about.cause is not None, "an alarm about the Service itself means it"
    assert about.cause.mode == no_endpoints.NAME


async def test_what_is_left_of_pods_that_were_evicted_last_week_is_no_eviction() -> None:
    low = "The node was low on resource: memory. Threshold quantity: 100Mi, available: 92Mi. "
    dead = [
        pod("web", 90 + number, phase="Failed", ready=False, age=400_000, ready_ago=399_000)
        for number in range(3)
    ]
    for one in dead:
        one["status"] |= {"reason": "Evicted", "message": low}
    api = web(pod("web"), *dead, nodes=[node(MemoryPressure="True")])
    found = await cause(api, "node-memory-pressure", subject(Kind.NODE, "node-a"))
    assert "evicted" not in found.because
    assert any(row.seen == "nothing was evicted so far" for row in found.rows)


async def test_evictions_for_disk_count_for_a_while_after_the_condition_went() -> None:
    low = "The node was low on resource: ephemeral-storage. Threshold quantity: 3Gi. "
    said = event("Evicted", "Pod", "web-hash1-p9", low, first=400, last=400)
    said["source"] = {"host": "node-a"}
    found = await cause(web(pod("web"), events=[said]), "disk-pressure")
    assert found.subject == subject(Kind.NODE, "node-a")
    assert "was short of disk" in found.because
    said["firstTimestamp"] = said["lastTimestamp"] = ago(1500)
    assert (await diagnosed(web(pod("web"), events=[said]))).cause is None
    own = said | {"message": 'Usage of EmptyDir volume "cache" exceeds the limit "1Gi". '}
    own["lastTimestamp"] = ago(60)
    assert (await diagnosed(web(pod("web"), events=[own]))).cause is None


async def test_an_alarm_about_an_autoscaler_is_about_what_it_scales() -> None:
    limited = {"type": "ScalingLimited", "status": "True", "reason": "TooManyReplicas"}
    scaler = {
        "metadata": meta("scaler"),
        "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "web"}, "maxReplicas": 1},
        "status": {"currentReplicas": 1, "desiredReplicas": 1, "conditions": [limited]},
    }
    about = subject(Kind.AUTOSCALER, "scaler")
    assert (await cause(web(pod("web"), hpa=[scaler]), "hpa-maxed", about)).subject == subject()
    scaler["spec"]["scaleTargetRef"] = {"kind": "Rollout", "name": "web"}
    found = await diagnosed(web(pod("web"), hpa=[scaler]), about)
    assert found.cause is None
    assert "scales Rollout web" in str(found.rivals)


async def test_room_is_not_advised_where_the_scheduler_wants_something_else() -> None:
    def waits(words: str) -> Json:
        said = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
        said["message"] = words
        return pod("web", 9, node="", phase="Pending", ready=False, conditions=(said,))

    odd = await cause(web(pod("web"), waits("0/3 nodes are available: 3 odd.")), "unschedulable")
    assert odd.remedies == ("undo-rollout", "fix-scheduling")
    full = "0/3 nodes are available: 3 node(s) exceed max volume count. preemption: none"
    found = await cause(web(pod("web"), waits(full)), "unschedulable")
    assert "too many volumes" in found.because
    assert "add-nodes" in found.remedies


async def test_a_revision_whose_elders_were_not_kept_is_not_called_the_first() -> None:
    api = web(
        pod("web", revision=7, ready=False, ready_ago=900, age=900),
        deployments=[deployment("web", revision=7)],
        replicasets=[replica_set("web", 7, age=900)],
    )
    found = told(await diagnosed(api), bad_rollout.NAME)
    assert "nothing was kept" in found.because
    assert [row.weighs for row in found.rows] == [Weighs.NOT_MEASURED]
    first = told(await diagnosed(web(pod("web"))), bad_rollout.NAME)
    assert "is the first" in first.because


class Counted:
    """`Metrics` of one container, each signal a function of the seconds before now."""

    def __init__(self, **signals: Callable[[float], float]) -> None:
        self._signals: Mapping[str, Callable[[float], float]] = signals
        self.until = 0.0
        self.many = 240

    async def read(self, signal: Signal, scope: PodScope, window: Window) -> Readings:
        value = self._signals.get(str(signal).replace("-", "_"))
        labels = {"namespace": scope.namespace, "pod": "web-hash1-p1", "container": "app"}
        samples = tuple(
            Sample(at=NOW - timedelta(seconds=ago_), value=value(ago_))
            for ago_ in (self.until + 15 * (self.many - 1 - index) for index in range(self.many))
            if value is not None
        )
        series = (Series(labels=tuple(sorted(labels.items())), samples=samples),) if samples else ()
        return Readings(asked=Asked(source="test", query=str(signal)), series=series)


def throttled(lately: float, earlier: float = 0.0) -> Counted:
    """A container of which so much is throttled in the last ten minutes, and before."""

    def waited(ago_: float) -> float:
        return 10 * (earlier * min(3600 - ago_, 3000) + lately * max(0.0, 600 - ago_))

    return Counted(
        cpu_periods_total=lambda ago_: 10 * (3600 - ago_) + 1,
        cpu_throttled_periods_total=waited,
        cpu_seconds_total=lambda ago_: 0.49 * (3600 - ago_),
    )


async def of_throttling(metrics: Counted) -> Finding:
    api = web(pod("web", container={"resources": {"limits": {"cpu": "500m"}}}))
    found = await diagnosed(api, category=Category.CPU, metrics=metrics)
    return told(found, cpu_throttling.NAME)


async def test_counters_that_ended_half_an_hour_ago_say_nothing_of_now() -> None:
    now = throttled(0.8)
    assert "80%" in (await of_throttling(now)).because
    for stale in (throttled(0.8), throttled(0.0)):
        stale.until = 1800.0
        found = await of_throttling(stale)
        assert str(found.verdict) == "undecided", found.because
        assert all(row.weighs is not Weighs.AGAINST for row in found.rows)


async def test_a_whole_life_that_was_calm_does_not_refute_the_last_minutes() -> None:
    once = throttled(0.8)
    once.many = 1
    found = await of_throttling(once)
    assert str(found.verdict) == "undecided"
    assert "over its whole life" in found.rows[0].seen


async def test_a_container_that_does_not_run_is_not_throttled_for_its_past() -> None:
    idle = Counted(
        cpu_periods_total=lambda ago_: 900.0,
        cpu_throttled_periods_total=lambda ago_: 800.0,
        cpu_seconds_total=lambda ago_: 50.0,
    )
    assert "is not throttled: 0%" in (await of_throttling(idle)).because


async def test_memory_that_grows_with_the_requests_is_not_called_a_leak() -> None:
    """Nobody was killed, and nothing that shares the load tells load from leak."""
    api = web(pod("web", age=8000), pod("web", 2, age=8000))

    def grows(rate: Callable[[float], float]) -> Counted:
        return Counted(
            memory_rss_bytes=lambda ago_: (60 + (3600 - ago_) / 30) * MIB, requests_total=rate
        )

    steady = await diagnosed(
        api, category=Category.MEMORY, metrics=grows(lambda ago_: 5 * (3600 - ago_))
    )
    assert steady.cause is not None, steady.because
    rising = await diagnosed(
        api, category=Category.MEMORY, metrics=grows(lambda ago_: (3600 - ago_) ** 2 / 100)
    )
    assert rising.cause is None
    assert "load or a leak" in rising.because
