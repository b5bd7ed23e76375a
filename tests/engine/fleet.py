"""A small cluster behind the ports with a sick node: what draining meets, for the engine's tests.

The symptom is there as long as one of the node's pods is. `evicted` and `writes` hold every effect
that reached the cluster, so that a test sees whether one happened twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from petops.domain.change import (
    Act,
    Cordon,
    DrainNode,
    DryRun,
    EvictPod,
    PodTarget,
    Progress,
    Uncordon,
    canonical,
)
from petops.domain.diagnosis import Finding, Verdict
from petops.domain.evidence import PodScope, Readings, Signal, Window
from petops.domain.facts import AffectedPods, Pod, Rollouts
from petops.domain.policy import Account
from petops.domain.subject import ClusterName, Kind, Subject
from petops.domain.terrain import Demand, NodeRoom, NodeSite, Occupant, Permission, Room
from petops.errors import OutcomeUnknownError, SourceError, StaleError
from petops.playbooks.base import (
    Case,
    CauseNow,
    Evidence,
    FailureMode,
    Judgement,
    Sources,
    step,
)
from petops.ports import Clock, Headroom, Told, WorkloadState
from tests.recorded import CLUSTER

NODE = Subject(cluster=CLUSTER, kind=Kind.NODE, name="node-a")
MODE = "sick-node"
SMALL = Demand(cpu_milli=100, memory_bytes=64 * 1024 * 1024)


class Fleet:
    """`Cluster`, `Metrics`, `Actuator` and `Site` over a node with pods, and one with room."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.uid = "node-uid"
        self.is_cordoned = False
        self.annotation = ""
        self.pods_here = {f"uid-{n}": pod_target(n) for n in range(3)}
        self.held: set[str] = set()
        self.denied: set[str] = set()
        self.writes: list[tuple[str, str]] = []
        self.evicted: Counter[str] = Counter()
        self.fail: dict[str, list[Exception]] = {}
        self.lose_answers = 0
        self.room_nodes: tuple[NodeRoom, ...] = (
            NodeRoom(name="node-a", cpu_milli=500, memory_bytes=2**30, pods=9, is_open=True),
            NodeRoom(name="node-b", cpu_milli=4000, memory_bytes=2**33, pods=90, is_open=True),
        )

    @property
    def name(self) -> ClusterName:
        return CLUSTER

    @property
    def is_sick(self) -> bool:
        return bool(self.pods_here)

    def _raise(self, method: str) -> None:
        if self.fail.get(method):
            raise self.fail[method].pop(0)

    async def workload(self, subject: Subject) -> Told[WorkloadState]:
        self._raise("workload")
        state = WorkloadState(
            subject=subject,
            uid=self.uid,
            desired_replicas=0,
            ready_replicas=0,
            unavailable_at_most=0,
            template=canonical({}),
            is_rolled_out=True,
        )
        return Told(value=state, asked=())

    async def headroom(self, subject: Subject) -> Told[Headroom]:
        del subject
        room = Headroom(disruptions_allowed=None, node_bytes=None, quota_bytes=None)
        return Told(value=room, asked=())

    async def pods(self, subject: Subject) -> Told[tuple[Pod, ...]]:
        raise SourceError(f"{subject} has none")

    async def rollouts(self, subject: Subject) -> Told[Rollouts]:
        raise SourceError(f"{subject} has none")

    async def read(self, signal: Signal, scope: PodScope, window: Window) -> Readings:
        raise SourceError(f"{signal} of {scope} is not measured in {window}")

    async def room(self, subject: Subject) -> Room:
        del subject
        self._raise("room")
        return Room(nodes=self.room_nodes, quota={}, container_most={}, has_scaler=False)

    async def node(self, subject: Subject) -> NodeSite:
        self._raise("node")
        occupants = tuple(
            Occupant(pod=one, owner="web", demand=SMALL, is_ready=True)
            for one in self.pods_here.values()
        )
        daemon = replace(occupants[0] if occupants else _DAEMON, stays="it belongs to a DaemonSet")
        daemon = replace(daemon, pod=_DAEMON.pod)
        return NodeSite(
            subject=subject,
            uid=self.uid,
            is_cordoned=self.is_cordoned,
            is_ready=True,
            occupants=(*occupants, daemon),
        )

    async def may(self, permission: Permission, by: Account | None) -> bool:
        del permission
        self._raise("may")
        return (by.user if by else "petops") not in self.denied

    async def dry_run(self, change: Act) -> DryRun:
        self._raise("dry_run")
        return DryRun(diff=(f"+ {change.summary}",), by_server=True)

    async def changed_since(self, change: Act) -> str | None:
        self._raise("changed_since")
        if change.uid != self.uid:
            return f"{change.subject} was deleted and made anew"
        if isinstance(change, DrainNode):
            new = set(self.pods_here) - {one.uid for one in change.pods}
            return f"{len(new)} pods came to it since" if new else None
        if isinstance(change, Uncordon) and not self.is_cordoned:
            return f"{change.subject} was changed"
        return None

    async def apply(self, change: Act, act: str) -> None:
        self._raise("apply")
        if self.annotation == act:
            return
        if change.uid != self.uid:
            raise StaleError(f"{change.subject} was deleted and made anew")
        self.writes.append((act, type(change).__name__))
        self.annotation = act
        self.is_cordoned = isinstance(change, Cordon | DrainNode)
        self._lose()

    async def was_applied(self, change: Act, act: str) -> bool:
        self._raise("was_applied")
        return change.uid == self.uid and self.annotation == act

    async def advance(self, change: Act, act: str) -> Progress:
        self._raise("advance")
        assert isinstance(change, DrainNode | EvictPod)
        if self.annotation != act:
            raise StaleError("another act was begun on it")
        if not self.is_cordoned:
            raise StaleError("it was uncordoned by somebody")
        wanted = change.pods if isinstance(change, DrainNode) else ()
        left = [one for one in wanted if one.uid in self.pods_here]
        free = [one for one in left if one.uid not in self.held]
        if not free:
            blocked = f"{left[0]}: the budget web needs it" if left else ""
            return Progress(left=tuple(str(one) for one in left), blocked=blocked)
        self.evicted[free[0].uid] += 1
        del self.pods_here[free[0].uid]
        self._lose()
        rest = tuple(str(one) for one in left if one is not free[0])
        return Progress(done=(str(free[0]),), left=rest)

    def _lose(self) -> None:
        if self.lose_answers:
            self.lose_answers -= 1
            raise OutcomeUnknownError("the connection broke")


def pod_target(number: int) -> PodTarget:
    return PodTarget(namespace="shop", name=f"web-{number}", uid=f"uid-{number}")


_DAEMON = Occupant(
    pod=PodTarget(namespace="shop", name="agent", uid="uid-agent"),
    owner="agent",
    demand=SMALL,
    is_ready=True,
)


def sick_node(fleet: Fleet, remedies: Sequence[str]) -> FailureMode:
    """A failure mode that always concludes that the node is sick, and watches its pods."""

    @step("Which pods are on the node?")
    async def pods_on_node(case: Case, sources: Sources) -> AffectedPods:
        del case, sources
        fleet._raise("pods")
        return AffectedPods(subject=NODE, pods=())

    def conclude(case: Case, evidence: Evidence) -> Finding:
        del case, evidence
        return Finding(
            mode=MODE,
            verdict=Verdict.SUPPORTED,
            confidence=0.9,
            because="the node is sick",
            rows=(),
            subject=NODE,
            remedies=tuple(remedies),
        )

    def judge(case: Case, evidence: Evidence, finding: Finding, since: object) -> Judgement:
        del case, evidence, finding, since
        gone = not fleet.is_sick
        return Judgement(
            symptom_gone=gone,
            cause=CauseNow.GONE if gone else CauseNow.GOES_ON,
            signals=(f"{len(fleet.pods_here)} pods on it",),
        )

    return FailureMode(
        name=MODE,
        title="a sick node",
        suspect=lambda _: True,
        steps=(pods_on_node,),
        conclude=conclude,
        watch_steps=(pods_on_node,),
        judge=judge,
        relapse_seconds=lambda *_: 60.0,
        watched="its pods",
    )
