"""Each remedy plans one exact change, or says why it does not fit."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path

import pytest

from petops import remedies
from petops.domain.change import (
    Advice,
    Change,
    Cordon,
    DrainNode,
    EvictPod,
    Risk,
    ScaleOut,
    SetCpuLimit,
    SetHpa,
    SetMemoryLimit,
    Uncordon,
    UndoRollout,
    canonical,
)
from petops.domain.objects import NodeMemory, PodMemory
from petops.domain.policy import Refusal, Rules
from petops.domain.subject import Kind
from petops.domain.terrain import Scaler
from petops.remedies import REMEDIES
from petops.remedies.base import Situation
from tests.remedies.situations import (
    NODE,
    ROOM,
    TEMPLATE,
    WEB,
    finding,
    node,
    occupant,
    pod,
    rollouts,
    situation,
    workload,
)

SCALER = Scaler(name="web", uid="hpa-uid", minimum=2, maximum=6, desired=6)


def planned(name: str, found: Situation) -> Change:
    change = REMEDIES[name].plan(found)
    assert not isinstance(change, Refusal), change
    return change


def refused(name: str, found: Situation) -> str:
    change = REMEDIES[name].plan(found)
    assert isinstance(change, Refusal)
    return str(change)


def scaled(**more: object) -> Situation:
    return situation(room=replace(ROOM, has_scaler=True, scaler=replace(SCALER, **more)))  # type: ignore[arg-type]


def test_every_remedy_has_its_own_name_and_a_risk() -> None:
    assert all(name == one.name for name, one in REMEDIES.items())
    risks = {name: one.risk for name, one in REMEDIES.items() if one.guards}
    assert risks == {
        "undo-rollout": Risk.YELLOW,
        "restart-workload": Risk.GREEN,
        "raise-memory-limit": Risk.YELLOW,
        "raise-cpu-limit": Risk.YELLOW,
        "scale-out": Risk.GREEN,
        "widen-hpa": Risk.YELLOW,
        "create-hpa": Risk.YELLOW,
        "cordon-node": Risk.GREEN,
        "uncordon-node": Risk.GREEN,
        "drain-node": Risk.RED,
        "evict-hog": Risk.YELLOW,
    }


def test_a_dead_node_is_drained_with_one_approval() -> None:
    assert REMEDIES["drain-node"].risk_for("node-not-ready") is Risk.YELLOW
    assert REMEDIES["drain-node"].risk_for("node-memory-pressure") is Risk.RED


def test_an_undo_goes_to_the_good_revision_and_not_to_the_one_before() -> None:
    about = finding(began_with_revision=4, good_revision=2)
    undo = planned("undo-rollout", situation(finding=about, rollouts=rollouts(4)))
    assert isinstance(undo, UndoRollout)
    assert (undo.from_revision, undo.to_revision) == (4, 2)
    assert "web:2" in undo.to


@pytest.mark.parametrize(
    ("about", "why"),
    [
        (finding(), "nothing says that the symptom began with a rollout"),
        (finding(began_with_revision=4), "no earlier revision"),
        (finding(began_with_revision=4, good_revision=9), "no earlier revision"),
    ],
)
def test_an_undo_without_a_good_revision_is_none(about: object, why: str) -> None:
    assert why in refused("undo-rollout", situation(finding=about, rollouts=rollouts(4)))


def test_a_cpu_limit_is_doubled_by_a_rollout_where_pods_cannot_be_resized() -> None:
    change = planned("raise-cpu-limit", situation(pods=(pod(1),)))
    assert change == SetCpuLimit(subject=WEB, uid="uid", container="app", was="500m", to="1")


def test_limits_are_raised_in_place_where_the_cluster_does_that() -> None:
    found = situation(room=replace(ROOM, resizes_in_place=True), pods=(pod(1), pod(2)))
    cpu = planned("raise-cpu-limit", found)
    memory = planned("raise-memory-limit", found)
    assert isinstance(cpu, SetCpuLimit)
    assert isinstance(memory, SetMemoryLimit)
    assert [one.uid for one in cpu.pods] == [one.uid for one in memory.pods] == ["uid-1", "uid-2"]
    assert (memory.was, memory.to) == ("256Mi", "384Mi")
    assert memory.summary.endswith("256Mi -> 384Mi, in place in 2 running pods")


@pytest.mark.parametrize(
    "container",
    [
        {"resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "1"}}},
        {"resources": {"limits": {"cpu": "1"}}},
        {
            "resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "100m"}},
            "resizePolicy": [{"resourceName": "cpu", "restartPolicy": "RestartContainer"}],
        },
    ],
    ids=["guaranteed", "no request", "restarts anyway"],
)
def test_what_cannot_keep_its_pod_is_raised_by_a_rollout(container: dict[str, object]) -> None:
    template = canonical({"spec": {"containers": [{"name": "app", **container}]}})
    found = situation(
        workload=workload(template=template),
        room=replace(ROOM, resizes_in_place=True),
        pods=(pod(1),),
    )
    change = planned("raise-cpu-limit", found)
    assert isinstance(change, SetCpuLimit)
    assert change.pods == ()


def test_pods_that_are_leaving_are_not_resized() -> None:
    pods = (pod(1), pod(2, being_deleted=True), pod(3, phase="Pending"))
    change = planned(
        "raise-cpu-limit", situation(room=replace(ROOM, resizes_in_place=True), pods=pods)
    )
    assert isinstance(change, SetCpuLimit)
    assert [one.name for one in change.pods] == ["web-1"]


@pytest.mark.parametrize("name", ["raise-cpu-limit", "raise-memory-limit"])
def test_a_limit_that_is_not_there_is_not_raised(name: str) -> None:
    assert "limit to raise" in refused(name, situation(finding=finding(container="bare")))


@pytest.mark.parametrize(("replicas", "to"), [(1, 2), (2, 3), (3, 5), (10, 15)])
def test_scaling_out_adds_half_as_many(replicas: int, to: int) -> None:
    change = planned("scale-out", situation(workload=workload(desired_replicas=replicas)))
    assert change == ScaleOut(subject=WEB, uid="uid", was=replicas, to=to)


def test_replicas_that_an_autoscaler_owns_are_left_to_it() -> None:
    assert "widen-hpa" in refused("scale-out", scaled())
    assert "widen-hpa" in refused("create-hpa", scaled())


@pytest.mark.parametrize("name", ["scale-out", "create-hpa"])
def test_what_was_scaled_to_nothing_stays_so(name: str) -> None:
    assert "on purpose" in refused(name, situation(workload=workload(desired_replicas=0)))


def test_an_autoscaler_is_made_from_now_to_twice_as_many() -> None:
    template = canonical({"spec": {"containers": [TEMPLATE["spec"]["containers"][0]]}})
    change = planned("create-hpa", situation(workload=workload(template=template)))
    assert change == SetHpa(subject=WEB, uid="", name="web", minimum=3, was=None, to=6)


def test_an_autoscaler_needs_requests_to_count_by() -> None:
    assert "bare requests no CPU" in refused("create-hpa", situation())


def test_an_autoscaler_at_its_end_is_widened() -> None:
    change = planned("widen-hpa", scaled())
    assert isinstance(change, SetHpa)
    assert (change.uid, change.was, change.to) == ("hpa-uid", 6, 9)


def test_an_autoscaler_that_is_not_at_its_end_is_left_alone() -> None:
    assert "does not hold it" in refused("widen-hpa", scaled(desired=4))
    assert "create-hpa" in refused("widen-hpa", situation())


def test_a_node_is_cordoned_once() -> None:
    assert planned("cordon-node", situation(node=node())) == Cordon(subject=NODE, uid="node-uid")
    assert "already" in refused("cordon-node", situation(node=node(is_cordoned=True)))
    assert "no node" in refused("cordon-node", situation())


def test_a_node_is_opened_when_it_is_well() -> None:
    closed = situation(node=node(is_cordoned=True))
    assert planned("uncordon-node", closed) == Uncordon(subject=NODE, uid="node-uid")
    assert "not cordoned" in refused("uncordon-node", situation(node=node()))
    sick = situation(node=node(is_cordoned=True, is_ready=False))
    assert "not ready" in refused("uncordon-node", sick)


def test_a_drain_leaves_alone_what_stays_and_what_is_protected() -> None:
    system = occupant(4)
    system = replace(system, pod=replace(system.pod, namespace="istio-system"))
    here = (
        occupant(1),
        occupant(2, stays="it belongs to a DaemonSet"),
        occupant(3, is_leaving=True),
        system,
    )
    rules = Rules(protected_namespaces=frozenset({"istio-system"}))
    change = planned("drain-node", situation(node=node(*here), rules=rules))
    assert isinstance(change, DrainNode)
    assert [one.name for one in change.pods] == ["web-1"]
    assert change.spared == ("istio-system", "kube-system")
    assert change.deadline_seconds == 900
    assert "no pods" in refused("drain-node", situation(node=node()))


def measured(*pairs: tuple[str, float]) -> NodeMemory:
    pods = tuple(
        PodMemory(pod=name, owner=WEB, used_mib=used, requested_mib=100) for name, used in pairs
    )
    return NodeMemory(nodes=("node-a",), pods=pods, unmeasured_pods=0, allocatable_mib=4096)


def test_the_hog_is_the_pod_that_takes_most_beyond_its_request() -> None:
    about = finding("node-memory-pressure", subject=NODE, culprit=WEB)
    found = situation(
        finding=about,
        node=node(occupant(1), occupant(2)),
        memory=measured(("web-9", 4000), ("web-2", 3000), ("web-1", 200)),
    )
    change = planned("evict-hog", found)
    assert isinstance(change, EvictPod)
    assert (change.subject.name, change.uid, change.node) == ("web-2", "uid-2", "node-a")
    assert change.subject.kind is Kind.POD


def test_no_pod_is_a_hog_without_a_measure() -> None:
    found = situation(node=node(occupant(1), occupant(2)))
    assert "no pod was measured" in refused("evict-hog", found)
    modest = situation(node=node(occupant(1)), memory=measured(("web-1", 50)))
    assert "no pod was measured" in refused("evict-hog", modest)
    daemon = node(occupant(1, stays="it belongs to a DaemonSet"))
    left = situation(node=daemon, memory=measured(("web-1", 900)))
    assert "left alone" in refused("evict-hog", left)


@pytest.mark.parametrize("name", [one.name for one in REMEDIES.values() if not one.guards])
def test_advice_comes_with_something_to_hand_over(name: str) -> None:
    advice = planned(name, situation())
    assert isinstance(advice, Advice)
    assert advice.text
    assert advice.handover
    assert "{" not in advice.text + advice.handover


def test_a_failure_modes_own_words_come_first() -> None:
    advice = planned("add-nodes", situation(finding=finding(advice="two m5.large in us-east-1a")))
    assert isinstance(advice, Advice)
    assert advice.text == "two m5.large in us-east-1a"


def test_every_refusal_in_the_code_says_what_would_lift_it() -> None:
    folder = Path(remedies.__file__).parent
    calls = [
        (file.name, call)
        for file in sorted(folder.glob("*.py"))
        for call in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "Refusal"
    ]
    assert len(calls) > 40
    silent = [
        f"{name}:{one.lineno}"
        for name, one in calls
        if "lift" not in {each.arg for each in one.keywords}
    ]
    assert not silent


@pytest.mark.parametrize(("names", "told"), [(("solo",), "solo"), (("a", "b"), "CONTAINER")])
def test_advice_names_the_only_container_where_the_finding_names_none(
    names: tuple[str, ...], told: str
) -> None:
    about = situation(finding=finding(container=""))
    template = canonical({"spec": {"containers": [{"name": one} for one in names]}})
    about = replace(about, workload=replace(about.workload, template=template))
    change = REMEDIES["set-requests"].plan(about)
    assert isinstance(change, Advice)
    assert f"-c {told} --requests=cpu=CPU,memory=MEMORY" in change.handover
