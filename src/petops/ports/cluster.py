"""What the engine asks of Kubernetes, and what acts on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from petops.domain.change import Act, DryRun, Progress
from petops.domain.facts import NodeConditions, Pod, Rollouts
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
from petops.domain.terrain import NodeSite, Permission, Room
from petops.domain.whereabouts import Balancer
from petops.ports.answers import Told


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

    async def short_of_pods(self, namespace: str) -> Told[tuple[WorkloadState, ...]]:
        """Return the namespace's workloads that lack pods of their newest revision."""

    async def behind(self, balancer: Balancer) -> Told[tuple[Subject, ...]]:
        """Return the Services behind a load balancer."""

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
