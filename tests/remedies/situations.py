"""Situations and circumstances to plan and guard on."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from petops.domain.change import PodTarget, canonical
from petops.domain.circumstances import Circumstances
from petops.domain.diagnosis import Finding, Verdict
from petops.domain.facts import Container, Pod, Revision, Rollouts
from petops.domain.policy import Rules
from petops.domain.subject import ClusterName, Kind, Subject
from petops.domain.terrain import Demand, NodeRoom, NodeSite, Occupant, Room
from petops.ports import WorkloadState
from petops.remedies.base import Situation

CLUSTER = ClusterName(name="shop", account="111122223333", region="us-east-1")
WEB = Subject(cluster=CLUSTER, kind=Kind.DEPLOYMENT, namespace="shop", name="web")
NODE = Subject(cluster=CLUSTER, kind=Kind.NODE, name="node-a")
NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
MIB = 1024 * 1024
TEMPLATE = {
    "spec": {
        "containers": [
            {
                "name": "app",
                "resources": {
                    "limits": {"cpu": "500m", "memory": "256Mi"},
                    "requests": {"cpu": "100m", "memory": "128Mi"},
                },
            },
            {"name": "bare"},
        ]
    }
}
SMALL = Demand(cpu_milli=100, memory_bytes=128 * MIB)


def finding(mode: str = "cpu-throttling", **more: object) -> Finding:
    values: dict[str, object] = {
        "mode": mode,
        "verdict": Verdict.SUPPORTED,
        "confidence": 0.9,
        "because": "so",
        "rows": (),
        "subject": WEB,
        "container": "app",
    }
    return Finding(**(values | more))  # type: ignore[arg-type]


def pod(number: int, **more: object) -> Pod:
    values: dict[str, object] = {
        "name": f"web-{number}",
        "uid": f"uid-{number}",
        "namespace": "shop",
        "node": "node-a",
        "phase": "Running",
        "reason": "",
        "ready": True,
        "created_at": NOW,
        "owner": WEB,
        "revision": "1",
        "containers": (Container(name="app", image="web:1", ready=True, restarts=0),),
    }
    return Pod(**(values | more))  # type: ignore[arg-type]


def workload(**more: object) -> WorkloadState:
    values: dict[str, object] = {
        "subject": WEB,
        "uid": "uid",
        "desired_replicas": 3,
        "ready_replicas": 3,
        "unavailable_at_most": 0,
        "template": canonical(TEMPLATE),
        "is_rolled_out": True,
    }
    return WorkloadState(**(values | more))  # type: ignore[arg-type]


def node_room(name: str, **more: object) -> NodeRoom:
    values: dict[str, object] = {
        "name": name,
        "cpu_milli": 2000,
        "memory_bytes": 4096 * MIB,
        "pods": 20,
        "is_open": True,
        "whole_cpu_milli": 4000,
    }
    return NodeRoom(**(values | more))  # type: ignore[arg-type]


ROOM = Room(
    nodes=(node_room("node-a"), node_room("node-b")),
    quota={},
    container_most={},
    has_scaler=False,
    resizes_in_place=False,
)


def occupant(number: int, **more: object) -> Occupant:
    found = Occupant(
        pod=PodTarget(namespace="shop", name=f"web-{number}", uid=f"uid-{number}"),
        owner="web",
        demand=SMALL,
        is_ready=True,
    )
    return replace(found, **more)  # type: ignore[arg-type]


def node(*occupants: Occupant, is_cordoned: bool = False, is_ready: bool = True) -> NodeSite:
    return NodeSite(
        subject=NODE,
        uid="node-uid",
        is_cordoned=is_cordoned,
        is_ready=is_ready,
        occupants=occupants,
    )


def situation(**more: object) -> Situation:
    values: dict[str, object] = {
        "finding": finding(),
        "workload": workload(),
        "rollouts": None,
        "now": NOW,
        "rules": Rules(),
        "room": ROOM,
    }
    return Situation(**(values | more))  # type: ignore[arg-type]


def circumstances(**more: object) -> Circumstances:
    values: dict[str, object] = {
        "now": NOW,
        "desired_replicas": 3,
        "ready_replicas": 3,
        "disruptions_allowed": 1,
        "node_headroom_bytes": 4096 * MIB,
        "room": ROOM,
        "demand": SMALL,
        "symptom_present": True,
    }
    return Circumstances(**(values | more))  # type: ignore[arg-type]


def revision(number: int, *, is_current: bool = False) -> Revision:
    return Revision(
        number=number,
        name=f"web-{number}",
        created_at=NOW,
        images=(f"web:{number}",),
        template=canonical({"spec": {"containers": [{"name": "app", "image": f"web:{number}"}]}}),
        is_current=is_current,
    )


def rollouts(current: int) -> Rollouts:
    revisions = tuple(revision(n, is_current=n == current) for n in range(current, 0, -1))
    return Rollouts(subject=WEB, revisions=revisions, current_since=NOW)
