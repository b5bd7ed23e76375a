"""What actuators and site do against the lab's Kubernetes API: evictions, cordons, limits, scaling.

The lab answers as a real cluster does (its own tests hold it to recordings).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from petops.actuators.kubernetes import KubernetesActuator
from petops.domain.change import (
    Act,
    Cordon,
    DrainNode,
    EvictPod,
    PodTarget,
    ScaleOut,
    SetCpuLimit,
    SetHpa,
    SetMemoryLimit,
    Uncordon,
    inverse,
)
from petops.domain.policy import Account
from petops.domain.subject import ClusterName, Kind, Subject
from petops.domain.terrain import Permission
from petops.errors import DeniedError, OutcomeUnknownError, StaleError
from petops.lab.kubernetes_request import ApiRequest
from petops.ports import ApiAnswer
from petops.sources.kubernetes_site import KubernetesSite
from tests.lab.hand_clock import DEPLOYMENTS, PODS, Lab

pytestmark = pytest.mark.slow

CLUSTER = ClusterName(name="lab")
SITE = Subject(cluster=CLUSTER, kind=Kind.DEPLOYMENT, namespace="default", name="petsite")
HISTORY = replace(SITE, name="petadoptionshistory-py")
HPAS = "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers"


class LabCalls:
    """`KubernetesCalls` straight to the lab's API, as the user with this token."""

    def __init__(self, lab: Lab, token: str = "lab-admin") -> None:  # noqa: S107 - the lab's
        self.lab = lab
        self.token = token
        self.asked: list[tuple[str, str, Mapping[str, str]]] = []
        self.answers: dict[str, list[ApiAnswer | Exception]] = {}

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str | None = None,
    ) -> ApiAnswer:
        self.asked.append((method, path, query or {}))
        said = self.answers.get(f"{method} {path.rpartition('/')[2]}")
        if said:
            answer = said.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer
        sent = json.dumps(body).encode() if body is not None else b""
        headers = {"authorization": f"Bearer {self.token}"}
        if body is not None:
            headers["content-type"] = content_type or "application/json"
        self.lab.world.step()
        request = ApiRequest(
            method=method, path=path, query=dict(query or {}), headers=headers, body=sent
        )
        answered = self.lab.api.answer(request)
        assert isinstance(answered.body, bytes)
        text = answered.body.decode()
        try:
            return ApiAnswer(status=answered.status, body=json.loads(text))
        except ValueError:
            return ApiAnswer(status=answered.status, body=text)


@pytest.fixture
def lab() -> Lab:
    return Lab()


@pytest.fixture
def calls(lab: Lab) -> LabCalls:
    return LabCalls(lab)


@pytest.fixture
def actuator(calls: LabCalls) -> KubernetesActuator:
    return KubernetesActuator(calls)


@pytest.fixture
def site(calls: LabCalls) -> KubernetesSite:
    return KubernetesSite(calls, CLUSTER)


def the_node(lab: Lab) -> Subject:
    name = lab.pods("petsite")[0]["spec"]["nodeName"]
    return Subject(cluster=CLUSTER, kind=Kind.NODE, name=name)


def node_json(lab: Lab, node: Subject) -> Any:
    return lab.get(f"/api/v1/nodes/{node.name}")


def manager_of(found: Any, field: str) -> list[str]:
    return [
        one["manager"]
        for one in found["metadata"]["managedFields"]
        if field in json.dumps(one["fieldsV1"])
    ]


def deployment(lab: Lab, name: str) -> Any:
    return lab.get(f"{DEPLOYMENTS}/{name}")


async def done(lab: Lab, actuator: KubernetesActuator, change: Act, act: str) -> list[str]:
    """Make a change to its end, as the engine would; return what was done pod by pod."""
    await actuator.apply(change, act)
    steps: list[str] = []
    for _ in range(200):
        progress = await actuator.advance(change, act)
        steps += progress.done
        if progress.is_finished:
            return steps
        lab.pass_seconds(5)
    raise AssertionError("it never ended")


async def drain_of(lab: Lab, site: KubernetesSite, *uids: str) -> DrainNode:
    found = await site.node(the_node(lab))
    pods = tuple(one.pod for one in found.evictable if not uids or one.pod.uid in uids)
    return DrainNode(
        subject=found.subject,
        uid=found.uid,
        was_cordoned=found.is_cordoned,
        pods=pods,
        deadline_seconds=600,
    )


async def test_a_cordon_stands_on_the_node_with_its_manager_and_act(
    lab: Lab, site: KubernetesSite, actuator: KubernetesActuator
) -> None:
    node = the_node(lab)
    cordon = Cordon(subject=node, uid=(await site.node(node)).uid)
    tried = await actuator.dry_run(cordon)
    assert tried.by_server
    assert "+  unschedulable: true" in [line.replace("   ", "  ") for line in tried.diff]
    assert not node_json(lab, node)["spec"].get("unschedulable")
    await done(lab, actuator, cordon, "act-1")
    found = node_json(lab, node)
    assert found["spec"]["unschedulable"] is True
    assert found["metadata"]["annotations"]["petops.dev/act"] == "act-1"
    assert "petops" in manager_of(found, "f:unschedulable")
    assert "was changed" in (await actuator.changed_since(cordon) or "")
    assert (await site.node(node)).is_cordoned
    back = inverse(cordon)
    assert isinstance(back, Uncordon)
    await done(lab, actuator, back, "act-2")
    assert not node_json(lab, node)["spec"].get("unschedulable")


async def test_a_drain_evicts_what_it_names_and_nothing_else(
    lab: Lab, site: KubernetesSite, calls: LabCalls, actuator: KubernetesActuator
) -> None:
    before = {one.pod.uid for one in (await site.node(the_node(lab))).occupants}
    drain = await drain_of(lab, site)
    assert drain.pods
    assert await actuator.changed_since(drain) is None
    tried = await actuator.dry_run(drain)
    assert f"- Pod {drain.pods[0]}" in tried.diff
    steps = await done(lab, actuator, drain, "act-1")
    assert sorted(steps) == sorted(str(one) for one in drain.pods), "each once"
    left = {one.pod.uid for one in (await site.node(drain.subject)).occupants}
    assert left == before - {one.uid for one in drain.pods}
    evictions = [path for method, path, _ in calls.asked if path.endswith("/eviction")]
    assert len([one for one in evictions if one]) >= len(drain.pods)
    assert await actuator.was_applied(drain, "act-1")
    assert not await actuator.was_applied(drain, "act-2")


async def test_a_dead_node_is_drained_although_nobody_there_confirms_it(
    lab: Lab, site: KubernetesSite, actuator: KubernetesActuator
) -> None:
    node = the_node(lab)
    drain = await drain_of(lab, site)
    lab.world.stop_kubelet(node.name)
    lab.pass_seconds(90)
    steps = await done(lab, actuator, drain, "act-1")
    assert sorted(steps) == sorted(str(one) for one in drain.pods), "each once"
    still = {one.pod.uid for one in (await site.node(node)).occupants}
    assert {one.uid for one in drain.pods} <= still, "its kubelet has let none of them go"


async def test_a_drain_says_what_holds_it_and_goes_on(
    lab: Lab, site: KubernetesSite, actuator: KubernetesActuator
) -> None:
    budget = "/apis/policy/v1/namespaces/default/poddisruptionbudgets/petsite"
    lab.patch(budget, {"spec": {"minAvailable": 2}})
    lab.pass_seconds(5)
    (pod,) = [one for one in lab.pods("petsite") if one["spec"]["nodeName"] == the_node(lab).name][
        :1
    ]
    drain = await drain_of(lab, site, pod["metadata"]["uid"])
    held = [one for one in (await site.node(the_node(lab))).occupants if one.budget]
    assert pod["metadata"]["uid"] in {one.pod.uid for one in held}
    await actuator.apply(drain, "act-1")
    progress = await actuator.advance(drain, "act-1")
    assert not progress.done
    assert "The disruption budget petsite needs 2 healthy pods" in progress.blocked
    lab.patch(budget, {"spec": {"minAvailable": 1}})
    lab.pass_seconds(5)
    assert (await actuator.advance(drain, "act-1")).done


async def test_a_pod_that_came_since_is_not_evicted_by_a_drain_that_does_not_name_it(
    lab: Lab, site: KubernetesSite, actuator: KubernetesActuator
) -> None:
    drain = await drain_of(lab, site)
    fewer = replace(drain, pods=drain.pods[1:])
    assert "1 pods came to" in (await actuator.changed_since(fewer) or "")


async def test_who_opens_the_node_in_the_middle_ends_the_drain(
    lab: Lab, site: KubernetesSite, actuator: KubernetesActuator
) -> None:
    drain = await drain_of(lab, site)
    await actuator.apply(drain, "act-1")
    lab.patch(f"/api/v1/nodes/{drain.subject.name}", {"spec": {"unschedulable": None}})
    with pytest.raises(StaleError, match="uncordoned by somebody"):
        await actuator.advance(drain, "act-1")


async def test_a_pod_is_evicted_by_its_uid_once(
    lab: Lab, calls: LabCalls, actuator: KubernetesActuator
) -> None:
    pod = lab.pods("petsite")[0]
    metadata = pod["metadata"]
    subject = replace(SITE, kind=Kind.POD, name=metadata["name"])
    evict = EvictPod(subject=subject, uid=metadata["uid"], node=pod["spec"]["nodeName"])
    assert (await actuator.dry_run(evict)).by_server
    assert not await actuator.was_applied(evict, "act-1")
    assert await done(lab, actuator, evict, "act-1") == [f"default/{metadata['name']}"]
    assert await actuator.was_applied(evict, "act-1")
    assert "was deleted" in (await actuator.changed_since(evict) or "")
    sent = [path for method, path, query in calls.asked if path.endswith("eviction")]
    assert len(sent) == 2, "a dry run and the eviction"
    with pytest.raises(StaleError, match="gone"):
        await actuator.apply(replace(evict, uid="another"), "act-2")
    assert len([1 for _, path, _ in calls.asked if path.endswith("eviction")]) == 2


async def test_an_eviction_that_a_budget_forbids_is_refused_when_tried(
    lab: Lab, actuator: KubernetesActuator
) -> None:
    budget = "/apis/policy/v1/namespaces/default/poddisruptionbudgets/petsite"
    lab.patch(budget, {"spec": {"minAvailable": 2}})
    lab.pass_seconds(5)
    pod = lab.pods("petsite")[0]["metadata"]
    subject = replace(SITE, kind=Kind.POD, name=pod["name"])
    tried = await actuator.dry_run(EvictPod(subject=subject, uid=pod["uid"]))
    assert "needs 2 healthy pods" in tried.refused


async def test_an_eviction_whose_answer_was_lost_is_found_by_looking(
    lab: Lab, calls: LabCalls, actuator: KubernetesActuator
) -> None:
    pod = lab.pods("petsite")[0]["metadata"]
    subject = replace(SITE, kind=Kind.POD, name=pod["name"])
    evict = EvictPod(subject=subject, uid=pod["uid"])
    calls.answers["POST eviction"] = [OutcomeUnknownError("the connection broke")]
    await actuator.apply(evict, "act-1")
    lost = await actuator.advance(evict, "act-1")
    assert lost.blocked
    assert not lost.done
    assert (await actuator.advance(evict, "act-1")).done


async def test_limits_change_in_place_without_a_restart(
    lab: Lab, site: KubernetesSite, actuator: KubernetesActuator
) -> None:
    room = await site.room(SITE)
    assert room.resizes_in_place is True
    found = deployment(lab, "petsite")
    (container,) = found["spec"]["template"]["spec"]["containers"]
    was = container["resources"]["limits"]["memory"]
    pods = tuple(
        PodTarget(namespace="default", name=one["metadata"]["name"], uid=one["metadata"]["uid"])
        for one in lab.pods("petsite")
    )
    raised = SetMemoryLimit(
        subject=SITE,
        uid=found["metadata"]["uid"],
        container=container["name"],
        was=was,
        to="2Gi",
        pods=pods,
    )
    tried = await actuator.dry_run(raised)
    assert tried.by_server, tried
    assert not tried.refused
    steps = await done(lab, actuator, raised, "act-1")
    assert len(steps) == len(pods)
    lab.pass_seconds(5)
    now = lab.pods("petsite")
    assert {one["metadata"]["uid"] for one in now} == {one.uid for one in pods}
    limits = [one["spec"]["containers"][0]["resources"]["limits"]["memory"] for one in now]
    assert limits == ["2Gi"] * len(pods)
    after = deployment(lab, "petsite")
    assert after["spec"] == found["spec"], "the template is as it was"
    assert after["metadata"]["annotations"]["petops.dev/act"] == "act-1"
    back = inverse(raised)
    assert back is not None
    assert await actuator.changed_since(back) is None
    assert len(await done(lab, actuator, back, "act-2")) == len(pods)


async def test_limits_and_replicas_change_by_a_patch_of_the_workload(
    lab: Lab, actuator: KubernetesActuator
) -> None:
    found = deployment(lab, HISTORY.name)
    (container,) = found["spec"]["template"]["spec"]["containers"]
    uid = found["metadata"]["uid"]
    was = container["resources"]["limits"]["cpu"]
    more = SetCpuLimit(subject=HISTORY, uid=uid, container=container["name"], was=was, to="3")
    await done(lab, actuator, more, "act-1")
    count = found["spec"]["replicas"]
    out = ScaleOut(subject=HISTORY, uid=uid, was=count, to=count + 2)
    await done(lab, actuator, out, "act-2")
    after = deployment(lab, HISTORY.name)
    (container,) = after["spec"]["template"]["spec"]["containers"]
    assert container["resources"]["limits"]["cpu"] == "3"
    assert after["spec"]["replicas"] == count + 2
    assert "petops" in manager_of(after, "f:replicas")
    with pytest.raises(StaleError):
        await actuator.apply(out, "act-3")


async def test_an_autoscaler_is_made_widened_and_taken_away(
    lab: Lab, site: KubernetesSite, actuator: KubernetesActuator
) -> None:
    assert (await site.room(HISTORY)).has_scaler is False
    made = SetHpa(subject=HISTORY, uid="", name=HISTORY.name, minimum=1, was=None, to=4)
    assert (await actuator.dry_run(made)).by_server
    await done(lab, actuator, made, "act-1")
    await actuator.apply(made, "act-1")  # the same act again changes nothing
    assert await actuator.was_applied(made, "act-1")
    found = lab.get(f"{HPAS}/{HISTORY.name}")
    assert found["metadata"]["annotations"]["petops.dev/act"] == "act-1"
    assert found["spec"]["maxReplicas"] == 4
    assert "is there already" in (await actuator.changed_since(made) or "")
    with pytest.raises(StaleError, match="already"):
        await actuator.apply(made, "act-2")
    scaler = (await site.room(HISTORY)).scaler
    assert scaler is not None
    wider = replace(made, uid=scaler.uid, was=4, to=6)
    await done(lab, actuator, wider, "act-3")
    assert (await site.room(HISTORY)).scaler == replace(scaler, maximum=6)
    narrower = inverse(wider)
    assert narrower is not None
    await done(lab, actuator, narrower, "act-4")
    gone = inverse(made)
    assert gone is not None
    await done(lab, actuator, gone, "act-5")
    assert (await site.room(HISTORY)).has_scaler is False
    assert await actuator.was_applied(gone, "act-5")


async def test_an_autoscaler_of_others_is_not_taken_away(
    lab: Lab, site: KubernetesSite, actuator: KubernetesActuator
) -> None:
    (scaled,) = {one["spec"]["scaleTargetRef"]["name"] for one in lab.get(HPAS)["items"]}
    subject = replace(SITE, name=scaled)
    scaler = (await site.room(subject)).scaler
    assert scaler is not None
    gone = SetHpa(subject=subject, uid="", name=scaler.name, minimum=1, was=scaler.maximum, to=None)
    with pytest.raises(StaleError, match="not made by petops"):
        await actuator.apply(gone, "act-1")


async def test_who_may_what_is_asked_of_kubernetes(lab: Lab, site: KubernetesSite) -> None:
    patch = Permission(verb="patch", group="apps", resource="deployments", namespace="default")
    assert await site.may(patch, None)
    assert not await site.may(patch, Account(user="lab-read-only", groups=("lab:readers",)))
    reader = KubernetesSite(LabCalls(lab, "lab-read-only"), CLUSTER)
    assert not await reader.may(patch, None)


async def test_a_read_only_petops_computes_the_difference(lab: Lab) -> None:
    actuator = KubernetesActuator(LabCalls(lab, "lab-read-only"))
    found = deployment(lab, HISTORY.name)
    count = found["spec"]["replicas"]
    out = ScaleOut(subject=HISTORY, uid=found["metadata"]["uid"], was=count, to=count + 1)
    tried = await actuator.dry_run(out)
    assert not tried.by_server
    assert not tried.refused
    assert tried.note
    assert tried.diff


async def test_the_room_of_a_node_is_what_its_pods_leave(lab: Lab, site: KubernetesSite) -> None:
    room = await site.room(SITE)
    assert room.why == {}
    assert room.nodes is not None
    assert len(room.nodes) == len(lab.get("/api/v1/nodes")["items"])
    assert all(0 < one.cpu_milli < one.whole_cpu_milli for one in room.nodes)
    occupants = (await site.node(the_node(lab))).occupants
    assert {one.owner for one in occupants} >= {"petsite"}


async def test_a_webhook_that_rejects_is_final(
    lab: Lab, calls: LabCalls, actuator: KubernetesActuator
) -> None:
    found = deployment(lab, HISTORY.name)
    body = {"message": 'admission webhook "x" denied the request: no'}
    calls.answers[f"PATCH {HISTORY.name}"] = [ApiAnswer(status=400, body=body)]
    count = found["spec"]["replicas"]
    out = ScaleOut(subject=HISTORY, uid=found["metadata"]["uid"], was=count, to=count + 1)
    with pytest.raises(DeniedError, match="denied"):
        await actuator.apply(out, "act-1")


def test_the_lab_has_what_these_tests_speak_of(lab: Lab) -> None:
    assert lab.get(PODS)["items"]
    assert lab.get(HPAS)["items"]
