"""A change is exact: its edits make it, its inverse takes it back, its digest tells it apart."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, get_args

import pytest

from petops.domain.change import (
    Act,
    Advice,
    Change,
    Cordon,
    DrainNode,
    EvictPod,
    PodTarget,
    RestartWorkload,
    ScaleOut,
    SetCpuLimit,
    SetHpa,
    SetMemoryLimit,
    Uncordon,
    UndoRollout,
    applied,
    differs,
    digest,
    edits,
    inverse,
    is_stepwise,
    own_edits,
    target,
)
from petops.domain.subject import ClusterName, Kind, Subject
from petops.domain.terrain import permissions, unplaced
from tests.remedies.situations import SMALL, node_room

CLUSTER = ClusterName(name="shop")
WEB = Subject(cluster=CLUSTER, kind=Kind.DEPLOYMENT, namespace="shop", name="web")
NODE = Subject(cluster=CLUSTER, kind=Kind.NODE, name="node-a")
POD = Subject(cluster=CLUSTER, kind=Kind.POD, namespace="shop", name="web-1")
PODS = (PodTarget(namespace="shop", name="web-1", uid="u1"),)
LIMITS = {"limits": {"cpu": "500m", "memory": "256Mi"}}
TEMPLATE = {"spec": {"containers": [{"name": "app", "resources": LIMITS}]}}
OTHER = {"spec": {"containers": [{"name": "app", "image": "web:1"}]}}
DEPLOYMENT = {"metadata": {"uid": "u"}, "spec": {"replicas": 3, "template": TEMPLATE}}
OPEN = {"metadata": {"uid": "u"}, "spec": {}}
CLOSED = {"metadata": {"uid": "u"}, "spec": {"unschedulable": True}}
HPA = {"metadata": {"uid": "u"}, "spec": {"maxReplicas": 6}}


def text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


CHANGES: list[tuple[Act, dict[str, Any]]] = [
    (
        UndoRollout(
            subject=WEB,
            uid="u",
            from_revision=2,
            to_revision=1,
            was=text(TEMPLATE),
            to=text(OTHER),
        ),
        DEPLOYMENT,
    ),
    (RestartWorkload(subject=WEB, uid="u", was=None, to="2026-11-23T03:00:00Z"), DEPLOYMENT),
    (SetMemoryLimit(subject=WEB, uid="u", container="app", was="256Mi", to="384Mi"), DEPLOYMENT),
    (SetCpuLimit(subject=WEB, uid="u", container="app", was="500m", to="1"), DEPLOYMENT),
    (ScaleOut(subject=WEB, uid="u", was=3, to=5), DEPLOYMENT),
    (SetHpa(subject=WEB, uid="u", name="web", minimum=2, was=6, to=9), HPA),
    (Cordon(subject=NODE, uid="u"), OPEN),
    (Uncordon(subject=NODE, uid="u"), CLOSED),
    (
        DrainNode(subject=NODE, uid="u", was_cordoned=False, pods=PODS, deadline_seconds=9),
        OPEN,
    ),
]
MADE = SetHpa(subject=WEB, uid="", name="web", minimum=3, was=None, to=6)
EVICTION = EvictPod(subject=POD, uid="u1", node="node-a")
IN_PLACE = SetCpuLimit(subject=WEB, uid="u", container="app", was="500m", to="1", pods=PODS)


def test_every_kind_of_change_is_looked_at_here() -> None:
    known = {type(one) for one, _ in CHANGES} | {SetHpa, EvictPod}
    assert known == set(get_args(Act))
    assert set(get_args(Change)) == set(get_args(Act)) | {Advice}


@pytest.mark.parametrize(("change", "found"), CHANGES, ids=lambda one: type(one).__name__)
def test_a_change_fits_what_it_was_planned_on_and_nothing_else(
    change: Act, found: dict[str, Any]
) -> None:
    assert differs(found, change) is None
    assert "anew" in (differs({**found, "metadata": {"uid": "v"}}, change) or "")
    after = applied(found, change)
    assert after != found
    assert "was changed at" in (differs(after, change) or "")


@pytest.mark.parametrize(("change", "found"), CHANGES, ids=lambda one: type(one).__name__)
def test_the_inverse_makes_it_as_it_was(change: Act, found: dict[str, Any]) -> None:
    back = inverse(change)
    if isinstance(change, RestartWorkload):
        assert back is None
        return
    assert back is not None
    after = applied(found, change)
    assert differs(after, back) is None
    assert applied(after, back)["spec"] == found["spec"]


def test_what_cannot_be_taken_back_has_no_inverse() -> None:
    assert inverse(EVICTION) is None
    assert inverse(Advice(subject=WEB, text="x")) is None
    drain = CHANGES[-1][0]
    assert isinstance(drain, DrainNode)
    cordoned = replace(drain, was_cordoned=True)
    assert inverse(cordoned) is None, "who cordoned it before opens it"
    assert inverse(MADE) == replace(MADE, was=6, to=None)


@pytest.mark.parametrize(
    "other",
    [
        replace(IN_PLACE, to="2"),
        replace(IN_PLACE, was="400m"),
        replace(IN_PLACE, uid="v"),
        replace(IN_PLACE, container="sidecar"),
        replace(IN_PLACE, pods=()),
        replace(IN_PLACE, pods=(replace(PODS[0], uid="u2"),)),
        replace(IN_PLACE, subject=replace(WEB, cluster=ClusterName(name="other"))),
    ],
)
def test_a_digest_is_of_one_exact_change(other: Act) -> None:
    one = digest(incident="INC-0001", change=IN_PLACE, evidence="e")
    assert one != digest(incident="INC-0001", change=other, evidence="e")
    assert one != digest(incident="INC-0002", change=IN_PLACE, evidence="e")
    assert one != digest(incident="INC-0001", change=IN_PLACE, evidence="f")
    assert one == digest(incident="INC-0001", change=IN_PLACE, evidence="e")


def test_a_drain_of_other_pods_is_another_change() -> None:
    drain = CHANGES[-1][0]
    assert isinstance(drain, DrainNode)
    more = replace(drain, pods=(*PODS, replace(PODS[0], uid="u9")))
    digests = {digest(incident="i", change=one, evidence="e") for one in (drain, more)}
    assert len(digests) == 2


def test_what_is_done_in_place_touches_no_template() -> None:
    assert own_edits(IN_PLACE) == ()
    (edit,) = edits(IN_PLACE)
    assert edit.path[:2] == ("spec", "containers")
    assert is_stepwise(IN_PLACE)
    assert not is_stepwise(replace(IN_PLACE, pods=()))


def test_an_autoscaler_is_its_own_object() -> None:
    assert str(target(MADE)) == "HorizontalPodAutoscaler shop/web"
    (edit,) = edits(MADE)
    made = json.loads(edit.to or "")
    assert (made["minReplicas"], made["maxReplicas"]) == (3, 6)
    assert made["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        (CHANGES[2][0], ["patch deployments in shop"]),
        (IN_PLACE, ["patch deployments in shop", "patch pods/resize in shop"]),
        (MADE, ["create horizontalpodautoscalers in shop"]),
        (replace(MADE, was=6, to=None), ["delete horizontalpodautoscalers in shop"]),
        (CHANGES[6][0], ["patch nodes"]),
        (CHANGES[-1][0], ["patch nodes", "create pods/eviction in shop"]),
        (EVICTION, ["create pods/eviction in shop"]),
    ],
)
def test_a_change_says_what_its_maker_must_be_allowed(change: Act, wanted: list[str]) -> None:
    assert [str(one) for one in permissions(change)] == wanted


def test_pods_are_placed_one_by_one() -> None:
    rooms = (node_room("a", cpu_milli=250), node_room("b", pods=1), node_room("c", is_open=False))
    assert unplaced([SMALL] * 3, rooms) == 0
    assert unplaced([SMALL] * 5, rooms) == 2
