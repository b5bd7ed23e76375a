"""Many workloads, five causes, and everything alarming at once: the world behind the ports.

Truth is kept beside it: whose fault each alarm is. The engine sees pods, nodes, ReplicaSets' ages
and calls only, as its ports tell them.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from petops.domain.evidence import Asked, PodScope, Readings, Signal, Window
from petops.domain.facts import Container, NodeConditions, Pod, Stop
from petops.domain.incident import Board, Incident
from petops.domain.objects import Evictions, ObjectEvents
from petops.domain.phases import Phase
from petops.domain.subject import ClusterName, Kind, Subject
from petops.domain.topology import Topology
from petops.errors import SourceError
from petops.ports import Clock, Told
from tests.engine.leaky import LeakyCluster

CLUSTER = ClusterName(name="storm", account="111122223333", region="us-east-1")
METRICS = {
    "latency": ("AWS/ApplicationELB", "TargetResponseTime"),
    "errors": ("AWS/ApplicationELB", "HTTPCode_Target_5XX_Count"),
    "availability": ("ContainerInsights", "kube_deployment_status_replicas_unavailable"),
    "node": ("ContainerInsights", "node_status_condition_ready"),
}


def workload(index: int) -> Subject:
    return Subject(
        cluster=CLUSTER, kind=Kind.DEPLOYMENT, namespace=f"team-{index % 20}", name=f"svc-{index}"
    )


def node(index: int) -> Subject:
    return Subject(cluster=CLUSTER, kind=Kind.NODE, name=f"ip-10-0-0-{index}.ec2.internal")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One event as EventBridge delivers it, when, and whose fault it is."""

    at_seconds: float
    body: str
    cause: str
    key: str


@dataclass(slots=True)
class Plan:
    """Which workload suffers from what."""

    truth: dict[Subject, str] = field(default_factory=dict)
    calls: dict[Subject, set[Subject]] = field(default_factory=dict)
    where: dict[Subject, tuple[str, str]] = field(default_factory=dict)
    down: dict[Subject, frozenset[str]] = field(default_factory=dict)
    roots: dict[str, Subject] = field(default_factory=dict)
    both: set[Subject] = field(default_factory=set)


def planned(workloads: int) -> Plan:
    """Five causes for so many workloads: two nodes, a crash, a rollout, and a slow one.

    A few callers call two of the failing things: whose fault theirs is nobody can tell.
    """
    plan, share = Plan(), workloads // 5
    lost = {"node-3": node(3), "node-17": node(17)}
    called = {"crash": workload(2 * share), "rollout": workload(3 * share)}
    called["slow"] = workload(4 * share)
    plan.roots = {**lost, **called}
    causes = [*lost, *called]
    sound = [workload(index) for index in range(workloads, workloads + 20)]
    for index in range(workloads):
        one, cause = workload(index), causes[min(index // share, 4)]
        plan.truth[one] = cause
        plan.calls[one] = {sound[index % len(sound)]}
        healthy = node(20 + index % 20).name
        plan.where[one] = (healthy, node(40 + index % 20).name)
        if cause in lost:
            plan.where[one] = (lost[cause].name, healthy)
            plan.down[one] = frozenset({lost[cause].name})
        elif one != called[cause]:
            # Some call it through another that calls it: a path of two.
            step = called[cause] if index % 3 else workload((index // share) * share + 1)
            plan.calls[one].add(called[cause] if step == one else step)
        elif cause in {"crash", "rollout"}:
            plan.down[one] = frozenset(plan.where[one])
    for index in (4 * share + 3, 4 * share + 5, 4 * share + 7):
        plan.calls[workload(index)].add(called["crash"])
        plan.both.add(workload(index))
    for one in sound:
        plan.where[one] = (node(20).name, node(40).name)
    return plan


def events(plan: Plan, total: int, seconds: float, began: datetime, seed: int = 1) -> list[Sent]:
    """So many events over so many seconds, in no order that tells anything; some come twice."""
    rng = random.Random(seed)  # noqa: S311
    share = max(4, total // len(plan.truth))
    sent: list[Sent] = []
    for one, cause in plan.truth.items():
        sent += _of(one, cause, share, seconds, began, rng, plan)
    for cause in ("node-3", "node-17"):
        for turn in range(2):
            at = seconds * rng.random()
            sent.append(_event(plan.roots[cause], "node", "ALARM", turn, at, began, cause))
    sent.sort(key=lambda one: one.at_seconds)
    return sent[:total] if len(sent) >= total else sent


def _of(  # noqa: PLR0917
    one: Subject,
    cause: str,
    share: int,
    seconds: float,
    began: datetime,
    rng: random.Random,
    plan: Plan,
) -> Iterator[Sent]:
    """A workload's events: its alarms come, come twice, clear and come again."""
    kinds = ["latency", "errors"]
    if one in plan.down:
        kinds = ["availability", "errors"]
    if one == plan.roots.get(cause):
        kinds = ["latency"] if cause == "slow" else ["availability", "errors"]
    for number in range(share):
        kind = kinds[number % len(kinds)]
        turn = number // len(kinds)
        is_again = turn % 3 == 1 and number >= len(kinds)
        state = "OK" if turn % 3 == 2 else "ALARM"
        said = turn - 1 if is_again else turn
        at = seconds * (0.02 + 0.96 * (turn + rng.random()) / (share / len(kinds)))
        yield _event(one, kind, state, said, at, began, cause)


def _event(  # noqa: PLR0917
    one: Subject, kind: str, state: str, turn: int, at: float, began: datetime, cause: str
) -> Sent:
    namespace, metric = METRICS[kind]
    name = f"{one.name}-{kind}"
    when = (began + timedelta(seconds=turn)).isoformat()
    dimensions = {"ClusterName": CLUSTER.name}
    if one.kind is Kind.NODE:
        dimensions["NodeName"] = one.name
    else:
        dimensions |= {"Namespace": one.namespace, "Deployment": one.name}
    identity = f"{name}-{turn}-{state}"
    measured = {"metric": {"namespace": namespace, "name": metric, "dimensions": dimensions}}
    body = {
        "id": identity,
        "source": "aws.cloudwatch",
        "detail-type": "CloudWatch Alarm State Change",
        "account": CLUSTER.account,
        "region": CLUSTER.region,
        "time": when,
        "resources": [f"arn:aws:cloudwatch:us-east-1:111122223333:alarm:{name}"],
        "detail": {
            "alarmName": name,
            "state": {"value": state, "timestamp": when, "reason": "Threshold Crossed"},
            "configuration": {"metrics": [{"id": "m", "metricStat": measured}]},
        },
    }
    return Sent(at_seconds=at, body=json.dumps(body), cause=cause, key=identity)


class StormCluster(LeakyCluster):
    """`Cluster`, `Metrics` and `TopologySource` over the plan; metrics are down, as in a storm."""

    def __init__(self, clock: Clock, plan: Plan) -> None:
        super().__init__(clock)
        self._clock = clock
        self._plan = plan
        self.began = clock.now()
        self.read_topologies = 0
        self.answer_seconds = 0.05
        self.asked_at_once = 0
        self.most_at_once = 0

    @property
    def name(self) -> ClusterName:
        return CLUSTER

    async def topology(self) -> Topology:
        self.read_topologies += 1
        plan = self._plan
        changed = {plan.roots["rollout"]: self.began - timedelta(minutes=6)}
        return Topology(
            at=self._clock.now(),
            pods=dict.fromkeys(plan.where, 2),
            unready={one: dict.fromkeys(sorted(down), 1) for one, down in plan.down.items()},
            sick_nodes={plan.roots[one].name: "it is not ready" for one in ("node-3", "node-17")},
            changed_at=changed,
            calls={one: frozenset(called) for one, called in plan.calls.items()},
        )

    async def pods(self, subject: Subject) -> Told[tuple[Pod, ...]]:
        self.asked_at_once += 1
        self.most_at_once = max(self.most_at_once, self.asked_at_once)
        try:
            await self._clock.sleep(self.answer_seconds)
        finally:
            self.asked_at_once -= 1
        if subject.kind is Kind.NODE:
            on = [one for one, down in self._plan.down.items() if subject.name in down]
            found = [self._made(one, subject.name) for one in on[:50]]
        else:
            found = [self._made(subject, one) for one in self._plan.where.get(subject, ())]
        return Told(value=tuple(found), asked=(Asked(source="kubernetes", query="pods"),))

    def _made(self, owner: Subject, where: str) -> Pod:
        is_down = where in self._plan.down.get(owner, ())
        crashes = owner == self._plan.roots["crash"]
        pulls = owner == self._plan.roots["rollout"]
        waiting = "CrashLoopBackOff" if crashes else "ImagePullBackOff" if pulls else ""
        message = 'Back-off pulling image "auth:9": not found' if pulls else ""
        stop = Stop(
            pod=f"{owner.name}-{where}",
            container="app",
            reason="Error",
            exit_code=1,
            started_at=self.began - timedelta(minutes=2),
            finished_at=self.began - timedelta(minutes=1),
        )
        container = Container(
            name="app",
            image="auth:9" if pulls else "app:1",
            ready=not is_down,
            restarts=9 if crashes else 0,
            waiting=waiting,
            waiting_message=message,
            last_stop=stop if crashes else None,
            started_at=self.began - timedelta(hours=1),
        )
        return Pod(
            name=f"{owner.name}-{where}",
            uid=f"{owner.name}-{where}",
            namespace=owner.namespace,
            node=where,
            phase="Running" if not pulls else "Pending",
            reason="",
            ready=not is_down,
            created_at=self.began - timedelta(minutes=6 if pulls else 600),
            owner=owner,
            revision="r2" if pulls else "r1",
            containers=(container,),
        )

    async def nodes(self, names: Sequence[str], namespace: str) -> Told[NodeConditions]:
        del namespace
        lost = [self._plan.roots[one].name for one in ("node-3", "node-17")]
        ill = tuple(one for one in lost if not names or one in names)
        conditions = NodeConditions(
            nodes=tuple(names) or ill, short_of_memory=(), not_ready=ill, evicted_pods=()
        )
        return Told(value=conditions, asked=())

    async def events(self, about: Sequence[Subject]) -> Told[ObjectEvents]:
        del about
        return Told(value=ObjectEvents(occurrences=()), asked=())

    async def evictions(self, namespace: str) -> Told[Evictions]:
        del namespace
        return Told(value=Evictions(occurrences=()), asked=())

    async def read(self, signal: Signal, scope: PodScope, window: Window) -> Readings:
        del signal, scope, window
        raise SourceError("Prometheus does not answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of a storm."""

    opened: int
    left: int
    merged: int
    mixed: tuple[str, ...]
    missing: tuple[str, ...]
    lost: int
    largest: int


def judged(board: Board, plan: Plan, sent: Sequence[Sent]) -> Verdict:
    """Compare what stands on the board with the truth."""
    causes: dict[str, set[str]] = {}
    seen: set[str] = set()
    for one in board.incidents.values():
        seen |= one.seen_events
        causes.setdefault(_end(one, board), set()).update(_causes(one, plan))
    mixed = tuple(f"{key}: {sorted(found)}" for key, found in causes.items() if len(found) > 1)
    present = {one for found in causes.values() for one in found}
    left = [one for one in board.incidents.values() if one.phase is not Phase.JOINED]
    wanted = {one.key for one in sent}
    return Verdict(
        opened=len(board.incidents),
        left=len(left),
        merged=len(board.incidents) - len(left),
        mixed=mixed,
        missing=tuple(sorted(set(plan.truth.values()) - present)),
        lost=len(wanted - seen) - _turned_away(board),
        largest=max((len(one.alarms) for one in left), default=0),
    )


def _turned_away(board: Board) -> int:
    return board.turned_away


def _end(incident: Incident, board: Board) -> str:
    while incident.merged_into:
        incident = board.incidents[incident.merged_into]
    return incident.id


def _causes(incident: Incident, plan: Plan) -> set[str]:
    by_root = {one: cause for cause, one in plan.roots.items()}
    found = set()
    for alarm in incident.alarms.values():
        if alarm.subject is None or alarm.subject in plan.both:
            continue
        found.add(by_root.get(alarm.subject) or plan.truth[alarm.subject])
    return found


def by_cause(sent: Sequence[Sent]) -> Mapping[str, int]:
    counted: dict[str, int] = {}
    for one in sent:
        counted[one.cause] = counted.get(one.cause, 0) + 1
    return counted
