"""What the engine needs of the world, and what surfaces need of an engine."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Generic, Protocol, TypeVar

from petops.domain.change import Act, DryRun, Progress
from petops.domain.events import Entry, Event
from petops.domain.evidence import Asked, PodScope, Readings, Signal, Window
from petops.domain.facts import NodeConditions, Pod, Rollouts
from petops.domain.incident import Board
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
from petops.domain.requests import AnyRequest
from petops.domain.subject import ClusterName, Kind, Subject
from petops.domain.terrain import NodeSite, Permission, Room
from petops.domain.traces import LogLine, ServiceGraph, Trace, TraceSummary, Wanted
from petops.errors import ForbiddenError, NotThereError, SourceError

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told(Generic[T_co]):
    """An answer, with the questions that were asked for it."""

    value: T_co
    asked: tuple[Asked, ...]


class Clock(Protocol):
    """Time, so that tests can run it."""

    def now(self) -> datetime:
        """Return the present time in UTC, aware."""

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`."""


class Metrics(Protocol):
    """Numbers over time."""

    async def read(self, signal: Signal, scope: PodScope, window: Window) -> Readings:
        """Return one series a container, with the samples' own times; raise SourceError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadState:
    """A workload as it is now.

    `template` is its pod template as canonical JSON; None is 'not said'.
    """

    subject: Subject
    uid: str
    desired_replicas: int
    ready_replicas: int
    unavailable_at_most: int
    template: str
    is_rolled_out: bool
    managed_by: str = ""


UNLIMITED_BYTES: Final = 2**63 - 1
"""What a namespace without a quota leaves; no real quota comes near it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Headroom:
    """What stands around a workload. None is 'could not be found out'.

    `disruptions_allowed` is the number of its pods where no disruption budget selects them.
    `node_bytes` is the least, over the workload's nodes, of allocatable memory less the sum of
    memory requests. `quota_bytes` is what the namespace's quota leaves of limits.memory;
    UNLIMITED_BYTES without one.
    """

    disruptions_allowed: int | None
    node_bytes: int | None
    quota_bytes: int | None


RESOURCES: Final[Mapping[Kind, str]] = {
    Kind.DEPLOYMENT: "/apis/apps/v1/namespaces/{namespace}/deployments",
    Kind.STATEFUL_SET: "/apis/apps/v1/namespaces/{namespace}/statefulsets",
    Kind.DAEMON_SET: "/apis/apps/v1/namespaces/{namespace}/daemonsets",
    Kind.REPLICA_SET: "/apis/apps/v1/namespaces/{namespace}/replicasets",
    Kind.JOB: "/apis/batch/v1/namespaces/{namespace}/jobs",
    Kind.POD: "/api/v1/namespaces/{namespace}/pods",
    Kind.SERVICE: "/api/v1/namespaces/{namespace}/services",
    Kind.NODE: "/api/v1/nodes",
    Kind.AUTOSCALER: "/apis/autoscaling/v2/namespaces/{namespace}/horizontalpodautoscalers",
}
"""Where the Kubernetes API keeps each kind; what reads and what acts agree on it here."""


def object_path(subject: Subject) -> str:
    """Return the path of one object in the Kubernetes API."""
    folder = RESOURCES[subject.kind].format(namespace=subject.namespace)
    return f"{folder}/{subject.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiAnswer:
    """What an API server answered, whatever its status. `body` is JSON, or text if it was none."""

    status: int
    body: Any

    @property
    def message(self) -> str:
        """What the server says in its `Status` object; a proxy in between says it in plain text."""
        said = self.body.get("message") if isinstance(self.body, Mapping) else self.body
        return str(said or f"status {self.status}").strip()[:500]

    def failure(self, asked: str) -> SourceError | None:
        """Say what this answer to the question `asked` means if it is no success; else None."""
        if 200 <= self.status < 300:
            return None
        match self.status:
            case 401:
                return ForbiddenError(
                    "Kubernetes does not know who petops is (401): credentials missing or expired",
                    hint="does `kubectl auth whoami` work with the same kubeconfig and context?",
                )
            case 403:
                return ForbiddenError(
                    f"Kubernetes forbids it: {self.message}",
                    hint="`petops manifests` shows the role that petops needs",
                )
            case 404:
                return NotThereError(f"Kubernetes has no {asked}: {self.message}")
            case 429:
                return SourceError(
                    "Kubernetes asks for fewer requests (429)",
                    hint="ask again in a minute",
                )
            case _:
                return SourceError(f"Kubernetes answered {self.status} to {asked}: {self.message}")


class KubernetesCalls(Protocol):
    """One call to a Kubernetes API server: all that its adapters need of a client."""

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str | None = None,
    ) -> ApiAnswer:
        """Return the answer, whatever its status.

        Raise SourceError where no answer came and nothing was done, OutcomeUnknownError where a
        method that writes was sent and its answer never came.
        """


class Cluster(Protocol):
    """What Kubernetes knows. Each call raises SourceError, NotThereError or ForbiddenError."""

    @property
    def name(self) -> ClusterName:
        """The cluster that this is connected to."""

    async def pods(self, subject: Subject) -> Told[tuple[Pod, ...]]:
        """Return the pods that `subject` stands for.

        Its own, or those behind it (Service, Node).
        """

    async def related_pods(self, subject: Subject) -> Told[tuple[Pod, ...]]:
        """Return the pods of other owners that serve the same Services as the subject's pods."""

    async def rollouts(self, subject: Subject) -> Told[Rollouts]:
        """Return the revisions of a Deployment."""

    async def nodes(self, names: Sequence[str], namespace: str) -> Told[NodeConditions]:
        """Return the conditions of these nodes, and the namespace's evicted pods.

        Without names: of all nodes that are cordoned, not ready or short of something.
        """

    async def workload(self, subject: Subject) -> Told[WorkloadState]:
        """Return a workload as it is now."""

    async def headroom(self, subject: Subject) -> Told[Headroom]:
        """Return what disruption budgets, nodes and quota leave."""

    async def events(self, about: Sequence[Subject]) -> Told[ObjectEvents]:
        """Return the latest events about these objects, no more than can be read at a glance."""

    async def evictions(self, namespace: str) -> Told[Evictions]:
        """Return the kubelets' evictions, in the whole cluster where that may be read."""

    async def last_words(self, pod: Subject, container: str) -> Told[LastWords]:
        """Return the end of the log of the container's last run, else of its present one."""

    async def services(self, subject: Subject) -> Told[ServiceEndpoints]:
        """Return the Services in front of a workload, or those that just miss it, or a Service."""

    async def autoscalers(self, subject: Subject) -> Told[Autoscalers]:
        """Return the autoscalers of a workload."""

    async def quotas(self, namespace: str) -> Told[Quotas]:
        """Return the namespace's quotas."""

    async def job(self, subject: Subject) -> Told[JobRun]:
        """Return a Job as its status tells."""

    async def nearby(self, namespace: str) -> Told[tuple[Pod, ...]]:
        """Return the namespace's pods, the first thousand at most."""

    async def whoami(self) -> str:
        """Return the user that Kubernetes says we are."""


class Site(Protocol):
    """What stands around a change before it is made."""

    async def room(self, subject: Subject) -> Room:
        """Return what stands around a workload or node; a part that cannot be read is None."""

    async def node(self, subject: Subject) -> NodeSite:
        """Return a node with the pods on it; raise SourceError where it cannot be read."""

    async def may(self, permission: Permission, by: Account | None) -> bool:
        """Say whether somebody may; None is petops itself. Raise SourceError where nobody tells."""


class Traces(Protocol):
    """Requests as they went through the services. Each call raises SourceError."""

    async def find(self, wanted: Wanted, window: Window) -> Told[tuple[TraceSummary, ...]]:
        """Return requests in brief."""

    async def whole(self, ids: Sequence[str]) -> Told[tuple[Trace, ...]]:
        """Return requests with all their segments; those that are gone are left out."""

    async def graph(self, window: Window) -> Told[ServiceGraph]:
        """Return who called whom, how often and how long."""


class Logs(Protocol):
    """What containers wrote."""

    async def lines(
        self, scope: PodScope, window: Window, *, containing: str = "", limit: int = 200
    ) -> Told[tuple[LogLine, ...]]:
        """Return lines of some pods, newest first; raise SourceError."""


class Actuator(Protocol):
    """Makes changes, each once."""

    async def dry_run(self, change: Act) -> DryRun:
        """Return what the change would do, by the server's word where it may be asked."""

    async def changed_since(self, change: Act) -> str | None:
        """Say in what the object differs from what the change was planned on.

        None if in nothing.
        """

    async def apply(self, change: Act, act: str) -> None:
        """Make the change and leave `act` on its object.

        Raise StaleError or SourceError where it was certainly not made, OutcomeUnknownError where
        that cannot be told.
        """

    async def was_applied(self, change: Act, act: str) -> bool:
        """Look whether the object carries `act`; raise SourceError if it cannot be read."""

    async def advance(self, change: Act, act: str) -> Progress:
        """Do the next step of a change that goes on pod by pod; say what is left.

        It looks first, so that it goes on where it was. Raises as `apply` does.
        """


class Journal(Protocol):
    """Entries, in order, for good."""

    @property
    def token(self) -> int:
        """The fencing token: above that of every engine that held the journal before.

        Once a later engine holds it, `append` raises SupersededError.
        """

    async def append(
        self, incident: str, expected: int, events: Sequence[Event]
    ) -> tuple[Entry, ...]:
        """Store events after the incident's entry number `expected`.

        Raise ConflictError if it has more.
        """

    async def read(self, after: int, limit: int = 1000) -> tuple[Entry, ...]:
        """Return up to `limit` entries with a seq above `after`, in order."""


class EngineHandle(Protocol):
    """All that a surface sees of an engine, in this process or across a network."""

    async def board(self) -> Board:
        """Return every incident as it is now."""

    def entries(self, after: int) -> AsyncIterator[Entry]:
        """Follow the journal: what stands after `after`, then what comes, without end."""

    async def submit(self, request: AnyRequest) -> Entry:
        """Return the entry that answers the request; a refusal is one too."""
