"""The changes that petops knows how to make, each exact: its object by uid, what was, what will be.

They hold values only; `change.py` says which fields each touches and what takes it back.
"""

from __future__ import annotations

from dataclasses import dataclass

from petops.domain.subject import Subject


@dataclass(frozen=True, slots=True, kw_only=True)
class PodTarget:
    """One pod by its uid: another of the same name is another pod."""

    namespace: str
    name: str
    uid: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoRollout:
    """Go back to the pod template of an earlier revision."""

    subject: Subject
    uid: str
    from_revision: int
    to_revision: int
    was: str
    to: str

    @property
    def summary(self) -> str:
        revisions = f"revision {self.from_revision} -> {self.to_revision}"
        return f"undo the rollout of {self.subject.name}: {revisions}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartWorkload:
    """Replace the workload's pods one after another, as `kubectl rollout restart` does."""

    subject: Subject
    uid: str
    was: str | None
    to: str

    @property
    def summary(self) -> str:
        return f"restart {self.subject.name}, rolling"


@dataclass(frozen=True, slots=True, kw_only=True)
class SetMemoryLimit:
    """Change one container's memory limit; `was` and `to` are Kubernetes quantities.

    With `pods` it is changed in place, in these pods, without a restart; else by a rollout.
    """

    subject: Subject
    uid: str
    container: str
    was: str
    to: str
    pods: tuple[PodTarget, ...] = ()

    @property
    def summary(self) -> str:
        name = f"{self.subject.name}/{self.container}"
        return f"change the memory limit of {name}: {self.was} -> {self.to}{_how(self.pods)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SetCpuLimit:
    """Change one container's CPU limit; `was` and `to` are Kubernetes quantities.

    With `pods` it is changed in place, in these pods, without a restart; else by a rollout.
    """

    subject: Subject
    uid: str
    container: str
    was: str
    to: str
    pods: tuple[PodTarget, ...] = ()

    @property
    def summary(self) -> str:
        name = f"{self.subject.name}/{self.container}"
        return f"change the CPU limit of {name}: {self.was} -> {self.to}{_how(self.pods)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleOut:
    """Change how many replicas a workload should have."""

    subject: Subject
    uid: str
    was: int
    to: int

    @property
    def summary(self) -> str:
        return f"scale {self.subject.name}: {self.was} -> {self.to} replicas"


@dataclass(frozen=True, slots=True, kw_only=True)
class SetHpa:
    """Make a HorizontalPodAutoscaler for `subject`, change its maximum, or take it away.

    `was` and `to` are its maximum, None where there is none. `uid` is its own, empty where it is
    yet to be made.
    """

    subject: Subject
    uid: str
    name: str
    minimum: int
    was: int | None
    to: int | None
    cpu_percent: int = 70

    @property
    def summary(self) -> str:
        if self.was is None:
            bounds = f"{self.minimum} to {self.to} replicas at {self.cpu_percent} % CPU"
            return f"create autoscaler {self.name} for {self.subject.name}: {bounds}"
        if self.to is None:
            return f"delete autoscaler {self.name} of {self.subject.name}"
        return f"change the maximum of autoscaler {self.name}: {self.was} -> {self.to} replicas"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cordon:
    """Let no new pods onto a node."""

    subject: Subject
    uid: str

    @property
    def summary(self) -> str:
        return f"cordon {self.subject.name}: no new pods are placed on it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Uncordon:
    """Let new pods onto a node again."""

    subject: Subject
    uid: str

    @property
    def summary(self) -> str:
        return f"uncordon {self.subject.name}: new pods may be placed on it again"


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainNode:
    """Cordon a node and evict exactly these pods, one after another, until the deadline.

    `was_cordoned` says whether it was closed to new pods before; then only the evictions are ours.
    Pods in the namespaces that are `spared` stay, as those of DaemonSets do.
    """

    subject: Subject
    uid: str
    was_cordoned: bool
    pods: tuple[PodTarget, ...]
    deadline_seconds: int
    spared: tuple[str, ...] = ("kube-system",)

    @property
    def summary(self) -> str:
        minutes = self.deadline_seconds / 60
        count = f"{len(self.pods)} pod{'' if len(self.pods) == 1 else 's'}"
        return f"drain {self.subject.name}: cordon it, evict {count}, within {minutes:.0f} min"


@dataclass(frozen=True, slots=True, kw_only=True)
class EvictPod:
    """Evict one pod through the Eviction API, which honours disruption budgets."""

    subject: Subject
    uid: str
    node: str = ""

    @property
    def summary(self) -> str:
        place = f" from {self.node}" if self.node else ""
        return f"evict {self.subject.namespace}/{self.subject.name}{place}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """Something that a person has to do; petops changes nothing.

    `handover` is the command to run or the difference to apply, ready to copy.
    """

    subject: Subject
    text: str
    handover: str = ""

    @property
    def summary(self) -> str:
        return self.text


Act = (
    UndoRollout
    | RestartWorkload
    | SetMemoryLimit
    | SetCpuLimit
    | ScaleOut
    | SetHpa
    | Cordon
    | Uncordon
    | DrainNode
    | EvictPod
)
Change = (
    UndoRollout
    | RestartWorkload
    | SetMemoryLimit
    | SetCpuLimit
    | ScaleOut
    | SetHpa
    | Cordon
    | Uncordon
    | DrainNode
    | EvictPod
    | Advice
)


def _how(pods: tuple[PodTarget, ...]) -> str:
    count = f"{len(pods)} running pod{'' if len(pods) == 1 else 's'}"
    return f", in place in {count}" if pods else ""
