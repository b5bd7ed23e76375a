"""A small cluster behind the ports with one Deployment that leaks, for the engine's own tests."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta

from petops.domain.change import (
    Act,
    DryRun,
    Progress,
    RestartWorkload,
    SetMemoryLimit,
    UndoRollout,
    canonical,
)
from petops.domain.evidence import Asked, PodScope, Readings, Sample, Series, Signal, Window
from petops.domain.facts import Container, NodeConditions, Pod, Revision, Rollouts
from petops.domain.objects import (
    Autoscalers,
    Evictions,
    JobRun,
    LastWords,
    ObjectEvents,
    Quotas,
    ServiceEndpoints,
)
from petops.domain.policy import Account
from petops.domain.subject import ClusterName, Subject
from petops.domain.terrain import NodeRoom, NodeSite, Permission, Room
from petops.domain.whereabouts import Balancer
from petops.errors import OutcomeUnknownError, SourceError, StaleError
from petops.ports import Clock, Headroom, Told, WorkloadState
from tests.recorded import CLUSTER, deployment

MIB = 1024 * 1024
SUBJECT = deployment("shop", "checkout")
CADENCE_SECONDS = 12
GOOD = {"metadata": {}, "spec": {"containers": [{"name": "app", "image": "checkout:1"}]}}


class LeakyCluster:
    """`Cluster`, `Metrics` and `Actuator` over one Deployment with one pod.

    `fail` has, by method, the errors that its next calls raise; `acts` every change that was made.
    """

    def __init__(self, clock: Clock, *, rate_mib_per_minute: float = 120.0) -> None:
        self._clock = clock
        self.rate = rate_mib_per_minute
        self.limit_mib = 256.0
        self.base_mib = 90.0
        self.started = clock.now()
        self.rolled_out_at = clock.now()
        self.template = json.loads(json.dumps(GOOD))
        self.template["spec"]["containers"][0]["image"] = "checkout:2"
        self.template["spec"]["containers"][0]["resources"] = {"limits": {"memory": "256Mi"}}
        self.revision = 2
        self.annotation = ""
        self.uid = "uid-1"
        self.acts: list[tuple[str, Act]] = []
        self.fail: dict[str, list[Exception]] = {}
        self.lose_answer = False
        self.dry_run_refused = ""
        self.metrics_down = False
        self.managed_by = ""
        self.room_now = Room(
            nodes=(
                NodeRoom(
                    name="node-a",
                    cpu_milli=4000,
                    memory_bytes=4096 * MIB,
                    pods=50,
                    is_open=True,
                    whole_cpu_milli=8000,
                ),
            ),
            quota={},
            container_most={},
            has_scaler=False,
        )
        self.denied: set[str] = set()

    @property
    def name(self) -> ClusterName:
        return CLUSTER

    def heal(self) -> None:
        """End the leak, without a restart."""
        self.base_mib, self.rate, self.started = self._mib(self._clock.now()), 0, self._clock.now()

    def _mib(self, at: datetime) -> float:
        age = (at - self.started).total_seconds()
        return min(self.limit_mib - 1, self.base_mib + self.rate / 60 * age)

    def _pod(self) -> Pod:
        container = Container(
            name="app",
            image=self.template["spec"]["containers"][0]["image"],
            ready=True,
            restarts=0,
            started_at=self.started,
            memory_limit_bytes=int(self.limit_mib * MIB),
        )
        stamp = int(self.started.timestamp())
        return Pod(
            name=f"checkout-rev{self.revision}-{stamp}",
            uid=f"pod-{stamp}",
            namespace="shop",
            node="node-a",
            phase="Running",
            reason="",
            ready=True,
            created_at=self.started,
            owner=SUBJECT,
            revision=f"rev{self.revision}",
            containers=(container,),
        )

    def _raise(self, method: str) -> None:
        if self.fail.get(method):
            raise self.fail[method].pop(0)

    async def pods(self, subject: Subject) -> Told[tuple[Pod, ...]]:
        del subject
        self._raise("pods")
        return Told(value=(self._pod(),), asked=(Asked(source="test", query="pods"),))

    async def related_pods(self, subject: Subject) -> Told[tuple[Pod, ...]]:
        del subject
        return Told(value=(), asked=())

    async def rollouts(self, subject: Subject) -> Told[Rollouts]:
        self._raise("rollouts")
        bad = canonical(self.template)
        revisions = (
            Revision(
                number=2,
                name="checkout-rev2",
                created_at=self.rolled_out_at,
                images=("checkout:2",),
                template=bad,
                is_current=self.revision == 2,
            ),
            Revision(
                number=1,
                name="checkout-rev1",
                created_at=self.rolled_out_at - timedelta(days=1),
                images=("checkout:1",),
                template=canonical(GOOD),
                is_current=self.revision == 1,
            ),
        )
        return Told(
            value=Rollouts(subject=subject, revisions=revisions, current_since=self.rolled_out_at),
            asked=(),
        )

    async def nodes(self, names: Sequence[str], namespace: str) -> Told[NodeConditions]:
        del namespace
        conditions = NodeConditions(
            nodes=tuple(names), short_of_memory=(), not_ready=(), evicted_pods=()
        )
        return Told(value=conditions, asked=())

    async def workload(self, subject: Subject) -> Told[WorkloadState]:
        self._raise("workload")
        state = WorkloadState(
            subject=subject,
            uid=self.uid,
            desired_replicas=1,
            ready_replicas=1,
            unavailable_at_most=0,
            template=canonical(self.template),
            is_rolled_out=True,
            managed_by=self.managed_by,
        )
        return Told(value=state, asked=())

    async def headroom(self, subject: Subject) -> Told[Headroom]:
        del subject
        room = Headroom(disruptions_allowed=1, node_bytes=4096 * MIB, quota_bytes=None)
        return Told(value=room, asked=())

    async def events(self, about: Sequence[Subject]) -> Told[ObjectEvents]:
        del about
        return Told(value=ObjectEvents(occurrences=()), asked=())

    async def evictions(self, namespace: str) -> Told[Evictions]:
        del namespace
        return Told(value=Evictions(occurrences=()), asked=())

    async def last_words(self, pod: Subject, container: str) -> Told[LastWords]:
        raise SourceError(f"{pod} has no log of {container}")

    async def services(self, subject: Subject) -> Told[ServiceEndpoints]:
        del subject
        return Told(value=ServiceEndpoints(services=()), asked=())

    async def autoscalers(self, subject: Subject) -> Told[Autoscalers]:
        del subject
        return Told(value=Autoscalers(found=()), asked=())

    async def quotas(self, namespace: str) -> Told[Quotas]:
        del namespace
        return Told(value=Quotas(quotas=()), asked=())

    async def job(self, subject: Subject) -> Told[JobRun]:
        raise SourceError(f"{subject} is no Job")

    async def nearby(self, namespace: str) -> Told[tuple[Pod, ...]]:
        del namespace
        return Told(value=(), asked=())

    async def short_of_pods(self, namespace: str) -> Told[tuple[WorkloadState, ...]]:
        del namespace
        return Told(value=(), asked=())

    async def behind(self, balancer: Balancer) -> Told[tuple[Subject, ...]]:
        del balancer
        return Told(value=(), asked=())

    async def whoami(self) -> str:
        return "tester"

    async def room(self, subject: Subject) -> Room:
        del subject
        self._raise("room")
        return self.room_now

    async def node(self, subject: Subject) -> NodeSite:
        raise SourceError(f"{subject} is not in this cluster")

    async def may(self, permission: Permission, by: Account | None) -> bool:
        del permission
        self._raise("may")
        return (by.user if by else "petops") not in self.denied

    async def advance(self, change: Act, act: str) -> Progress:
        raise AssertionError(f"{change} of {act} does not go on step by step")

    async def read(self, signal: Signal, scope: PodScope, window: Window) -> Readings:
        del scope
        if self.metrics_down:
            raise SourceError("Prometheus does not answer")
        pod = self._pod()
        labels = (("container", "app"), ("id", pod.uid), ("pod", pod.name))
        samples: list[Sample] = []
        if signal is Signal.MEMORY_RSS_BYTES:
            at = max(self.started, window.start)
            while at <= window.end:
                samples.append(Sample(at=at, value=self._mib(at) * MIB))
                at += timedelta(seconds=CADENCE_SECONDS)
        series = (Series(labels=labels, samples=tuple(samples)),) if samples else ()
        return Readings(asked=Asked(source="test", query=str(signal)), series=series)

    async def dry_run(self, change: Act) -> DryRun:
        self._raise("dry_run")
        refused = self.dry_run_refused
        return DryRun(diff=(f"+ {change.summary}",), by_server=True, refused=refused)

    async def changed_since(self, change: Act) -> str | None:
        self._raise("changed_since")
        return None if change.uid == self.uid else f"{change.subject} was deleted and made anew"

    async def was_applied(self, change: Act, act: str) -> bool:
        del change
        self._raise("was_applied")
        return self.annotation == act

    async def apply(self, change: Act, act: str) -> None:
        self._raise("apply")
        if self.annotation == act:
            return
        if change.uid != self.uid:
            raise StaleError("the object changed")
        self.acts.append((act, change))
        self.annotation, self.started = act, self._clock.now()
        match change:
            case UndoRollout():
                self.template, self.revision, self.rate = json.loads(change.to), 1, 0
                self.base_mib = 60.0
            case SetMemoryLimit():
                self.limit_mib *= 1.5
            case RestartWorkload():
                pass
        if self.lose_answer:
            self.lose_answer = False
            raise OutcomeUnknownError("the connection broke")
