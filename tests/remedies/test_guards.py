"""Each guard refuses for its one reason, says what would lift it, and says when it cannot tell."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from petops.domain.change import (
    Change,
    Cordon,
    DrainNode,
    EvictPod,
    GuardResult,
    PodTarget,
    RestartWorkload,
    ScaleOut,
    SetCpuLimit,
    SetHpa,
    SetMemoryLimit,
)
from petops.domain.freezes import Freeze
from petops.domain.policy import Identity, Rules
from petops.domain.subject import Kind, Subject
from petops.domain.terrain import Demand, Room, Scaler
from petops.remedies import REMEDIES
from petops.remedies.base import checked, objections
from petops.remedies.guards import ALWAYS
from tests.remedies.situations import (
    CLUSTER,
    MIB,
    NODE,
    NOW,
    ROOM,
    WEB,
    circumstances,
    node,
    node_room,
    occupant,
)

RESTART = RestartWorkload(subject=WEB, uid="uid", was=None, to="2026-11-23T03:00:00Z")
MEMORY = SetMemoryLimit(subject=WEB, uid="uid", container="app", was="256Mi", to="384Mi")
CPU = SetCpuLimit(subject=WEB, uid="uid", container="app", was="500m", to="1")
SCALE = ScaleOut(subject=WEB, uid="uid", was=3, to=5)
WIDEN = SetHpa(subject=WEB, uid="h", name="web", minimum=2, was=6, to=9)
CREATE = SetHpa(subject=WEB, uid="", name="web", minimum=3, was=None, to=6)
CORDON = Cordon(subject=NODE, uid="node-uid")
PODS = tuple(PodTarget(namespace="shop", name=f"web-{n}", uid=f"uid-{n}") for n in (1, 2))
DRAIN = DrainNode(subject=NODE, uid="node-uid", was_cordoned=False, pods=PODS, deadline_seconds=900)
POD = Subject(cluster=CLUSTER, kind=Kind.POD, namespace="shop", name="web-1")
EVICT = EvictPod(subject=POD, uid="uid-1", node="node-a")
HERE = node(occupant(1), occupant(2))
SCALER = Scaler(name="web", uid="h", minimum=2, maximum=6, desired=6)
FULL = replace(ROOM, nodes=(node_room("node-a"), node_room("node-b", memory_bytes=0)))
ALICE = Identity(user="alice", channel="slack")

CONTENT: list[tuple[str, Change, dict[str, object]]] = [
    ("restart-workload", RESTART, {}),
    ("restart-workload", RESTART, {"unavailable_at_most": 1, "approver": ALICE}),
    ("raise-memory-limit", MEMORY, {}),
    ("raise-memory-limit", replace(MEMORY, pods=PODS), {"unavailable_at_most": 3}),
    ("raise-cpu-limit", CPU, {}),
    ("scale-out", SCALE, {}),
    ("widen-hpa", WIDEN, {"room": replace(ROOM, has_scaler=True, scaler=SCALER)}),
    ("create-hpa", CREATE, {}),
    ("cordon-node", CORDON, {}),
    ("drain-node", DRAIN, {"node": HERE}),
    ("evict-hog", EVICT, {"node": HERE}),
]

REFUSED: list[tuple[str, Change, dict[str, object], str, str]] = [
    ("restart-workload", RESTART, {"changed_since": "x"}, "unchanged-object", "new proposal"),
    (
        "restart-workload",
        replace(RESTART, subject=replace(WEB, namespace="kube-system")),
        {},
        "unprotected-namespace",
        "settings",
    ),
    ("restart-workload", RESTART, {"dry_run_refused": "no"}, "accepted-dry-run", "refused: no"),
    ("restart-workload", RESTART, {"symptom_present": False}, "symptom-still-there", "gone"),
    ("restart-workload", RESTART, {"acts_on_workload": 3}, "hourly-budget", "to web within"),
    ("restart-workload", RESTART, {"acts_in_cluster": 6}, "hourly-budget", "in the cluster"),
    ("restart-workload", RESTART, {"managed_by": "Flux x"}, "not-owned-by-gitops", "repository"),
    (
        "restart-workload",
        RESTART,
        {"rules": Rules(freezes=(Freeze(name="xmas", end=NOW + timedelta(hours=1)),))},
        "outside-freezes",
        "2026-11-23 04:00Z",
    ),
    ("restart-workload", RESTART, {"lacks": "patch deployments"}, "petops-is-permitted", "grant"),
    (
        "restart-workload",
        RESTART,
        {"approver": ALICE, "approver_lacks": "patch deployments in shop"},
        "approver-is-permitted",
        "[[person]]",
    ),
    (
        "restart-workload",
        RESTART,
        {"approver": ALICE, "approver_lacks": None},
        "approver-is-permitted",
        "could not be found out",
    ),
    (
        "restart-workload",
        RESTART,
        {"ready_replicas": 1, "desired_replicas": 1, "unavailable_at_most": 1},
        "stays-available",
        "scale out first",
    ),
    (
        "restart-workload",
        RESTART,
        {"unavailable_at_most": 1, "disruptions_allowed": 0},
        "within-disruption-budget",
        "add a replica",
    ),
    ("raise-memory-limit", replace(MEMORY, to="1Gi"), {}, "grows-at-most-twofold", "twice"),
    ("raise-memory-limit", MEMORY, {"node_headroom_bytes": 64 * MIB}, "fits-nodes", "add a node"),
    (
        "raise-memory-limit",
        MEMORY,
        {"room": replace(ROOM, quota={"limits.memory": 200 * MIB})},
        "fits-quota",
        "384 MiB are needed",
    ),
    (
        "raise-memory-limit",
        MEMORY,
        {"room": replace(ROOM, quota={"requests.memory": 200 * MIB}), "demand_grows": True},
        "fits-quota",
        "requests.memory",
    ),
    (
        "raise-memory-limit",
        MEMORY,
        {"room": replace(ROOM, container_most={"memory": 300 * MIB})},
        "within-limit-ranges",
        "300 MiB a container",
    ),
    (
        "raise-cpu-limit",
        CPU,
        {"room": replace(ROOM, container_most={"cpu": 800})},
        "within-limit-ranges",
        "800m a container",
    ),
    ("raise-cpu-limit", replace(CPU, was="4", to="8"), {}, "fits-nodes", "the largest 4"),
    (
        "raise-cpu-limit",
        CPU,
        {
            "demand_grows": True,
            "room": replace(ROOM, nodes=(node_room("node-a", cpu_milli=400),)),
        },
        "fits-nodes",
        "its request grows",
    ),
    (
        "raise-cpu-limit",
        CPU,
        {"room": replace(ROOM, quota={"limits.cpu": 1000})},
        "fits-quota",
        "leaves 1 of limits.cpu, 1500m are needed",
    ),
    (
        "scale-out",
        SCALE,
        {"room": replace(ROOM, has_scaler=True, scaler=SCALER)},
        "no-autoscaler-owns-it",
        "widen-hpa",
    ),
    (
        "scale-out",
        SCALE,
        {"demand": Demand(cpu_milli=1, memory_bytes=3072 * MIB), "room": FULL},
        "room-for-new-pods",
        "1 of 2 pods",
    ),
    ("scale-out", SCALE, {"room": replace(ROOM, quota={"pods": 1})}, "fits-quota", "1 of pods"),
    ("create-hpa", CREATE, {"room": replace(ROOM, scaler=SCALER, has_scaler=True)},
     "autoscaler-as-planned", "widen-hpa"),
    ("widen-hpa", WIDEN, {}, "autoscaler-as-planned", "create-hpa"),
    ("widen-hpa", replace(WIDEN, to=20), {}, "grows-at-most-twofold", "twice"),
    (
        "cordon-node",
        CORDON,
        {"room": replace(ROOM, nodes=(node_room("node-a"), node_room("b", is_open=False)))},
        "leaves-an-open-node",
        "add a node",
    ),
    ("drain-node", DRAIN, {"node": HERE, "draining": "node-b"}, "one-node-at-a-time", "wait"),
    ("drain-node", DRAIN, {"node": HERE, "room": FULL}, "drained-pods-find-room", "add nodes"),
    (
        "drain-node",
        DRAIN,
        {"node": node(occupant(1, has_empty_dir=True), occupant(2))},
        "no-data-in-empty-dirs",
        "drain_empty_dir",
    ),
    (
        "drain-node",
        replace(DRAIN, pods=(replace(PODS[0], namespace="kube-system"),)),
        {"node": HERE},
        "unprotected-namespace",
        "kube-system",
    ),
    (
        "drain-node",
        DRAIN,
        {"node": node(occupant(1, budget="web"), occupant(2))},
        "budgets-let-go-now",
        "shop/web-1 by web",
    ),
    (
        "evict-hog",
        EVICT,
        {"node": node(occupant(1, budget="web"))},
        "budgets-let-go-now",
        "add a replica",
    ),
    (
        "evict-hog",
        EVICT,
        {"node": node(occupant(1, stays="it belongs to a DaemonSet"))},
        "pod-may-go",
        "DaemonSet",
    ),
    ("evict-hog", EVICT, {"node": HERE, "room": FULL}, "drained-pods-find-room", "add nodes"),
]  # fmt: skip

UNKNOWN: list[tuple[str, Change, dict[str, object], str]] = [
    ("restart-workload", RESTART, {"symptom_present": None}, "symptom-still-there"),
    ("restart-workload", RESTART, {"lacks": None}, "petops-is-permitted"),
    (
        "restart-workload",
        RESTART,
        {"disruptions_allowed": None, "unavailable_at_most": 1},
        "within-disruption-budget",
    ),
    ("raise-memory-limit", MEMORY, {"node_headroom_bytes": None}, "fits-nodes"),
    ("raise-memory-limit", MEMORY, {"room": Room()}, "fits-quota"),
    ("raise-memory-limit", MEMORY, {"room": Room()}, "within-limit-ranges"),
    ("raise-cpu-limit", CPU, {"room": Room()}, "fits-nodes"),
    ("scale-out", SCALE, {"room": Room()}, "no-autoscaler-owns-it"),
    ("scale-out", SCALE, {"room": Room()}, "room-for-new-pods"),
    ("widen-hpa", WIDEN, {"room": Room()}, "autoscaler-as-planned"),
    ("cordon-node", CORDON, {"room": Room()}, "leaves-an-open-node"),
    ("drain-node", DRAIN, {}, "drained-pods-find-room"),
    ("drain-node", DRAIN, {}, "no-data-in-empty-dirs"),
    ("drain-node", DRAIN, {}, "budgets-let-go-now"),
    ("evict-hog", EVICT, {}, "pod-may-go"),
]


def said(remedy: str, change: Change, around: dict[str, object]) -> dict[str, GuardResult]:
    results = checked(REMEDIES[remedy].guards, change, circumstances(**around))
    return {one.name: one for one in results}


@pytest.mark.parametrize(("remedy", "change", "around"), CONTENT)
def test_where_nothing_stands_against_it_every_guard_is_content(
    remedy: str, change: Change, around: dict[str, object]
) -> None:
    assert [one for one in said(remedy, change, around).values() if not one.ok or one.why] == []


@pytest.mark.parametrize(("remedy", "change", "around", "guard", "words"), REFUSED)
def test_a_refusal_says_why_and_what_would_lift_it(
    remedy: str, change: Change, around: dict[str, object], guard: str, words: str
) -> None:
    results = said(remedy, change, around)
    assert not results[guard].ok
    assert words in results[guard].why
    others = [one.name for one in results.values() if not one.ok and one.name != guard]
    assert others in ([], ["budgets-let-go-now"], ["room-for-new-pods"], ["autoscaler-as-planned"])


@pytest.mark.parametrize(("remedy", "change", "around", "guard"), UNKNOWN)
def test_what_could_not_be_found_out_is_said_and_is_not_called_content(
    remedy: str, change: Change, around: dict[str, object], guard: str
) -> None:
    result = said(remedy, change, around)[guard]
    assert not result.known
    assert result.why.startswith("could not be found out")


def test_some_guards_only_mark_an_offer_and_refuse_its_approval() -> None:
    now = circumstances(lacks="patch deployments", acts_in_cluster=9)
    results = checked(ALWAYS, RESTART, now)
    assert not objections(ALWAYS, results, deciding=False)
    names = [one.name for one in objections(ALWAYS, results, deciding=True)]
    assert names == ["hourly-budget", "petops-is-permitted"]


def test_a_budget_that_holds_a_pod_now_does_not_refuse_a_drain() -> None:
    guards = REMEDIES["drain-node"].guards
    held = node(occupant(1, budget="web"), occupant(2))
    results = checked(guards, DRAIN, circumstances(node=held))
    assert not objections(guards, results, deciding=True)


def test_taking_back_needs_no_symptom_and_no_budget() -> None:
    now = circumstances(symptom_present=False, acts_in_cluster=99, takes_back=True)
    assert not objections(ALWAYS, checked(ALWAYS, RESTART, now), deciding=True)
