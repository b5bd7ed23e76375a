"""What each mode says of its symptom: there before a change, gone when the objects are well."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from petops.domain.alarm import Assessment, Category, Priority
from petops.domain.diagnosis import Finding, Verdict
from petops.domain.events import Diagnosed, StepAnswered, StepUnanswered
from petops.domain.evidence import Answer, Window
from petops.domain.subject import Kind, Subject
from petops.engine.investigation import Inquiry, Ports
from petops.errors import SourceError
from petops.lab.recorded import recorded_at
from petops.playbooks import MODES
from petops.playbooks.base import Case, CauseNow, Judgement
from petops.sources.kubernetes import KubernetesCluster
from petops.wire import event_from_json, event_to_json
from tests.adapters.fake_kubernetes_api import FakeApi
from tests.kubernetes_objects import (
    NAMESPACE,
    NOW,
    ago,
    deployment,
    ended,
    meta,
    node,
    pod,
    replica_set,
    waiting,
    world,
)
from tests.recorded import CLUSTER, RECORDINGS, RecordedMetrics, alarm
from tests.recorded import deployment as named
from tests.recorded_cases import CASES, SILENT, diagnosed_case
from tests.virtual import VirtualClock

pytestmark = pytest.mark.looptime
WEB = named(NAMESPACE, "web")
CHANGED = NOW - timedelta(seconds=100)
AWAY = SourceError("it is away")
OF_METRICS = {
    *("memory-leak", "memory-limit-too-low", "cpu-throttling"),
    *("slow-dependency", "node-cpu-starvation"),
}
OF_OBJECTS = sorted(set(MODES) - OF_METRICS)


async def judged(mode: str, api: FakeApi, finding: Finding, since: Any = None) -> Judgement:
    case = Case(
        alarm=alarm(WEB, NOW),
        assessment=Assessment(category=Category.OTHER, priority=Priority.P2, because="a test"),
        subject=finding.target,
        window=Window.before(NOW, timedelta(minutes=10)),
    )
    inquiry = Inquiry(
        case,
        Ports(metrics=SILENT, cluster=KubernetesCluster(api, CLUSTER)),
        clock=VirtualClock(),
    )
    evidence = await inquiry.ask(MODES[mode].watch_steps)
    return MODES[mode].judge(case, evidence, finding, since)


def finding(mode: str) -> Finding:
    subject = WEB
    if mode.startswith("node-") or mode == "disk-pressure":
        subject = Subject(cluster=CLUSTER, kind=Kind.NODE, name="node-a")
    if mode == "no-endpoints":
        subject = Subject(cluster=CLUSTER, kind=Kind.SERVICE, namespace=NAMESPACE, name="front")
    if mode == "job-failed":
        subject = Subject(cluster=CLUSTER, kind=Kind.JOB, namespace=NAMESPACE, name="web")
    return Finding(
        mode=mode,
        verdict=Verdict.SUPPORTED,
        confidence=0.9,
        because="a test",
        rows=(),
        subject=subject,
        container="app",
    )


def front(ready: bool) -> dict[str, Any]:
    return {
        "services": [
            {
                "metadata": meta("front"),
                "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]},
            }
        ],
        "endpointslices": [
            {
                "metadata": meta("front-x", labels={"kubernetes.io/service-name": "front"}),
                "endpoints": [{"conditions": {"ready": ready}}],
            }
        ],
    }


def job(kind: str) -> dict[str, Any]:
    said = {"type": kind, "status": "True", "reason": "x"}
    status = {"succeeded": 1} if kind == "Complete" else {"failed": 3}
    return {
        "metadata": meta("web"),
        "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": {}},
        "status": {**status, "conditions": [said]},
    }


def objects(*pods: Any, ready: bool, **more: Any) -> FakeApi:
    lists: dict[str, Any] = {
        "deployments": [deployment("web")],
        "replicasets": [replica_set("web")],
        "pods": list(pods),
        "jobs": [job("Complete" if ready else "Failed")],
        **front(ready),
    }
    return world(**(lists | more))


def scaler(reason: str) -> dict[str, Any]:
    said = {"type": "ScalingLimited", "status": "True", "reason": reason}
    return {
        "metadata": meta("web"),
        "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "web"}, "maxReplicas": 2},
        "status": {"currentReplicas": 2, "conditions": [said]},
    }


def bad(**state: Any) -> Any:
    return pod("web", ready=False, age=300, ready_ago=300, **state)


NO_NODE = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1"}
ILL: dict[str, FakeApi] = {
    "bad-rollout": objects(bad(state=waiting("CrashLoopBackOff")), ready=False),
    "crash-loop": objects(bad(state=waiting("CrashLoopBackOff"), restarts=3), ready=False),
    "disk-pressure": objects(pod("web"), ready=True, nodes=[node(DiskPressure="True")]),
    "failing-probe": objects(bad(), ready=False),
    "hpa-maxed": objects(pod("web"), ready=True, hpa=[scaler("TooManyReplicas")]),
    "image-pull": objects(bad(state=waiting("ErrImagePull")), ready=False),
    "job-failed": objects(bad(), ready=False),
    "no-endpoints": objects(pod("web"), ready=False),
    "node-memory-pressure": objects(pod("web"), ready=True, nodes=[node(MemoryPressure="True")]),
    "node-not-ready": objects(bad(), ready=False, nodes=[node(Ready="Unknown")]),
    "quota-exceeded": objects(ready=False),
    "unschedulable": objects(bad(node="", conditions=(NO_NODE,)), ready=False),
    "admission-refused": objects(ready=False),
    "pod-sandbox": objects(bad(state=waiting("ContainerCreating"), phase="Pending"), ready=False),
    "volume-mount": objects(bad(state=waiting("PodInitializing"), phase="Pending"), ready=False),
}


@pytest.mark.parametrize("mode", OF_OBJECTS)
async def test_the_symptom_is_there_and_gone_when_all_is_well(mode: str) -> None:
    before = await judged(mode, ILL[mode], finding(mode))
    assert before.symptom_gone is False
    assert before.signals
    well = objects(pod("web", age=60), ready=True)
    if mode == "job-failed":
        well.add("pods", [])
    after = await judged(mode, well, finding(mode), CHANGED)
    assert after.symptom_gone is True
    assert after.cause is CauseNow.GONE


@pytest.mark.parametrize("mode", OF_OBJECTS)
async def test_what_cannot_be_seen_is_not_judged_well(mode: str) -> None:
    api = objects(pod("web"), ready=True)
    for folder in list(api.objects):
        for name in api.objects[folder]:
            api.answers["GET", f"{folder}/{name}"] = AWAY
        api.answers["GET", folder] = AWAY
    found = await judged(mode, api, finding(mode), CHANGED)
    assert found.symptom_gone is not True
    assert found.cause is CauseNow.UNCLEAR


async def test_a_restart_after_the_change_means_that_it_goes_on() -> None:
    again = pod("web", restarts=1, last=ended("Error", 1, ago_seconds=20), age=90)
    found = await judged("crash-loop", objects(again, ready=True), finding("crash-loop"), CHANGED)
    assert found.cause is CauseNow.GOES_ON
    old = pod("web", restarts=1, last=ended("Error", 1, ago_seconds=2000), age=9000)
    found = await judged("crash-loop", objects(old, ready=True), finding("crash-loop"), CHANGED)
    assert found.cause is CauseNow.GONE


@pytest.mark.parametrize("case", CASES)
async def test_a_recorded_symptom_is_there_and_everything_survives_the_journal(case: str) -> None:
    found = await diagnosed_case(case)
    cause = found.diagnosis.cause
    assert cause is not None
    for one in found.results:
        event = (
            StepAnswered(at=NOW, answer=one)
            if isinstance(one, Answer)
            else StepUnanswered(at=NOW, unknown=one)
        )
        kind, text = event_to_json(event)
        assert event_from_json(kind, text, NOW) == event
    diagnosed = Diagnosed(at=NOW, diagnosis=found.diagnosis)
    assert event_from_json(*event_to_json(diagnosed), NOW) == diagnosed
    now = recorded_at(RECORDINGS / case)
    about = Case(
        alarm=alarm(cause.target, now),
        assessment=Assessment(category=Category.OTHER, priority=Priority.P2, because="a test"),
        subject=cause.target,
        window=Window.before(now, timedelta(hours=3)),
    )
    inquiry = Inquiry(
        about,
        Ports(metrics=RecordedMetrics(case), cluster=KubernetesCluster(FakeApi(case), CLUSTER)),
        clock=VirtualClock(),
    )
    mode = MODES[cause.mode]
    evidence = await inquiry.ask(mode.watch_steps)
    judgement = mode.judge(about, evidence, cause, None)
    over = case == "memory-pressure-after"  # recorded when it was over
    assert judgement.symptom_gone is over
    assert mode.relapse_seconds(evidence, cause) >= 60


async def test_a_dead_node_that_was_emptied_is_left_behind_once_its_pods_serve_elsewhere() -> None:
    agent = pod("agent", ready=False, controller=("DaemonSet", "agent"))
    gone = pod("web", ready=False)
    gone["metadata"]["deletionTimestamp"] = ago(60)
    dead = [node(Ready="Unknown")]
    served = deployment("web", readyReplicas=1, availableReplicas=1)
    well = objects(agent, gone, ready=True, nodes=dead, deployments=[served])
    found = await judged("node-not-ready", well, finding("node-not-ready"), CHANGED)
    assert (found.symptom_gone, found.cause) == (True, CauseNow.GOES_ON)
    assert "sent away and back: Deployment shop/web" in found.signals
    before = await judged("node-not-ready", well, finding("node-not-ready"))
    assert before.symptom_gone is False
    lacking = objects(agent, gone, ready=True, nodes=dead, deployments=[deployment("web")])
    found = await judged("node-not-ready", lacking, finding("node-not-ready"), CHANGED)
    assert found.symptom_gone is False
