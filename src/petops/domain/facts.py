"""What steps answer with: typed values that the journal keeps, so that a replay can conclude again.

Units are in the names; times are aware and in UTC. `None` means that the source did not say, never
zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from petops.domain.cloud import BalancerUse, CloudUse
from petops.domain.monitoring import Monitoring
from petops.domain.objects import (
    Autoscalers,
    Condition,
    Evictions,
    JobRun,
    LastWords,
    NodeChanges,
    NodeMemory,
    NodePods,
    NodeRelief,
    NodeState,
    ObjectEvents,
    Quotas,
    ServiceEndpoints,
)
from petops.domain.performance import CpuShortage, CpuUse, RequestLatency
from petops.domain.subject import Subject
from petops.domain.tracing import LogExcerpt, ServiceMap, SlowTraces, TroubleSpot
from petops.domain.whereabouts import Whereabouts


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """One container's end, as Kubernetes recorded it."""

    pod: str
    container: str
    reason: str
    exit_code: int
    started_at: datetime | None
    finished_at: datetime | None

    @property
    def is_out_of_memory(self) -> bool:
        """The reason alone says so: exit code 137 is also a probe's kill or an eviction."""
        return self.reason == "OOMKilled"

    @property
    def lived_seconds(self) -> float | None:
        """How long the container ran, where both ends are known."""
        if self.started_at is None or self.finished_at is None:
            return None
        return (self.finished_at - self.started_at).total_seconds()


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """One container of a pod, as its status and its specification say.

    `ready_within_seconds` is how long its probes give it until it counts as failing.
    """

    name: str
    image: str
    ready: bool
    restarts: int
    started_at: datetime | None = None
    waiting: str = ""
    waiting_message: str = ""
    ready_within_seconds: float | None = None
    last_stop: Stop | None = None
    memory_limit_bytes: int | None = None
    memory_request_bytes: int | None = None
    cpu_limit_cores: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """One pod. `revision` is its pod-template hash.

    `owner` its workload, a bare pod's is itself. `unscheduled` holds the scheduler's words while it
    finds no node, `disrupted_by` who ended it (eviction API, kubelet, preemption, taint).
    """

    name: str
    uid: str
    namespace: str
    node: str
    phase: str
    reason: str
    ready: bool
    created_at: datetime
    owner: Subject
    revision: str
    containers: tuple[Container, ...]
    being_deleted: bool = False
    message: str = ""
    unscheduled: str = ""
    disrupted_by: str = ""
    ready_changed_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AffectedPods:
    """The pods that the alarm's subject stands for."""

    subject: Subject
    pods: tuple[Pod, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One value of a container's memory, at its own time."""

    at: datetime
    mib: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifetime:
    """One container's memory while that container lived; a restart begins another lifetime.

    `readings` are anonymous memory (RSS), or the working set where no RSS was served, with repeats
    of an unchanged value left out and never more than 60; `cache` the same for the page cache.
    `seen_until` is the time of the last sample, repeats included.
    """

    pod: str
    container: str
    container_id: str
    owner: Subject
    revision: str
    started_at: datetime | None
    alive: bool
    limit_mib: float | None
    seen_until: datetime
    readings: tuple[Reading, ...]
    cache: tuple[Reading, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerMemory:
    """Every container lifetime in the window that had readings; empty where none had."""

    lifetimes: tuple[Lifetime, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestLoad:
    """Requests a second over the window: the first third against the last third.

    `change_ratio` is last over first; None where no request was counted in the first third.
    """

    first_per_second: float
    last_per_second: float
    change_ratio: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """One revision of a Deployment. `template` is its pod template as canonical JSON.

    `pods` and `ready_pods` are how many of it there are now.
    """

    number: int
    name: str
    created_at: datetime
    images: tuple[str, ...]
    template: str
    is_current: bool
    change_cause: str = ""
    pods: int = 0
    ready_pods: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollouts:
    """A workload's revisions, newest first, and when the current one began to run."""

    subject: Subject
    revisions: tuple[Revision, ...]
    current_since: datetime | None
    desired: int | None = None
    conditions: tuple[Condition, ...] = ()

    @property
    def current(self) -> Revision | None:
        return next((one for one in self.revisions if one.is_current), None)

    @property
    def earlier(self) -> tuple[Revision, ...]:
        """The revisions before the current one, newest first."""
        current = self.current
        if current is None:
            return ()
        return tuple(one for one in self.revisions if one.number < current.number)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stops:
    """How the pods' containers ended, the latest end of each, and how often each restarted."""

    stops: tuple[Stop, ...]
    restarts: int

    @property
    def out_of_memory(self) -> tuple[Stop, ...]:
        return tuple(stop for stop in self.stops if stop.is_out_of_memory)


@dataclass(frozen=True, slots=True, kw_only=True)
class Siblings:
    """Pods of other owners that serve the same purpose, and how their memory moved."""

    pods: tuple[str, ...]
    lifetimes: tuple[Lifetime, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeConditions:
    """The nodes under the pods.

    Which are short of memory, which are not ready, which pods were evicted. `states` has each node
    whole.
    """

    nodes: tuple[str, ...]
    short_of_memory: tuple[str, ...]
    not_ready: tuple[str, ...]
    evicted_pods: tuple[str, ...]
    states: tuple[NodeState, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NearbyPods:
    """The namespace's pods of other owners that are not well."""

    pods: tuple[Pod, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnFact:
    """What a step of an organisation's own found: a sentence, and figures and words by name."""

    summary: str
    numbers: tuple[tuple[str, float], ...] = ()
    words: tuple[tuple[str, str], ...] = ()

    def number(self, name: str) -> float | None:
        """Return a figure; None where the step did not give it."""
        return dict(self.numbers).get(name)

    def word(self, name: str) -> str:
        """Return a word, empty where the step did not give it."""
        return dict(self.words).get(name, "")


Fact = (
    AffectedPods
    | ContainerMemory
    | RequestLoad
    | Rollouts
    | Stops
    | Siblings
    | NodeConditions
    | CpuUse
    | RequestLatency
    | NearbyPods
    | ObjectEvents
    | Evictions
    | LastWords
    | ServiceEndpoints
    | Autoscalers
    | Quotas
    | JobRun
    | NodeMemory
    | SlowTraces
    | ServiceMap
    | TroubleSpot
    | LogExcerpt
    | OwnFact
    | NodeRelief
    | CloudUse
    | BalancerUse
    | Monitoring
    | NodePods
    | Whereabouts
    | NodeChanges
    | CpuShortage
)
