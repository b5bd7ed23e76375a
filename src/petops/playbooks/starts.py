"""Pods that have a node and are held before their first container, and what the kubelet says of it.

Pure. That a pod is held is its own status; why is in events alone, which count as long as nothing
that only happens later has happened since.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from petops.domain.facts import NodeConditions, Pod
from petops.domain.objects import Occurrence
from petops.domain.subject import Subject
from petops.playbooks.base import Ledger
from petops.playbooks.pod_trouble import PATIENCE_SECONDS
from petops.playbooks.steps.workloads import node_conditions

CREATING: Final = frozenset({"ContainerCreating", "PodInitializing"})
VOLUME_REASONS: Final = frozenset({"FailedMount", "FailedAttachVolume", "FailedMapVolume"})
SANDBOX_REASONS: Final = frozenset({"FailedCreatePodSandBox", "NetworkNotReady"})
# A kubelet that has said the same often says it every five minutes only.
RECENT: Final = timedelta(minutes=10)
SURE_SECONDS: Final = 90.0

_STARTED: Final = frozenset({"Pulling", "Pulled", "Created", "Started", "AddedInterface"})
# What only happens once it is done: containers come after the sandbox, that after the volumes.
_AFTER_SANDBOX: Final = _STARTED
_AFTER_VOLUMES: Final = _STARTED | {"FailedCreatePodSandBox"}
_ATTACHED: Final = "SuccessfulAttachVolume"
_QUOTED: Final = re.compile(r'"[^"]*(?:"|$)')
_COMBINED: Final = re.compile(r"^\(combined from similar events\): ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A pod that is held, and what Kubernetes said of it that still counts, latest first."""

    pod: Pod
    said: tuple[Occurrence, ...]

    def seconds(self, now: datetime) -> float:
        """Return for how long it has been said; since the pod was made where nothing is dated."""
        first = min((one.first_at for one in self.said if one.first_at), default=None)
        since = max(self.pod.created_at, first or self.pod.created_at)
        return max(0.0, (now - since).total_seconds())


def is_held(pod: Pod) -> bool:
    """Say whether a pod has a node, and none of its containers has begun there."""
    if not pod.node or pod.ready or pod.being_deleted:
        return False
    creating = [one.waiting in CREATING for one in pod.containers]
    idle = all(one.started_at is None and one.waiting in {"", *CREATING} for one in pod.containers)
    return idle and (any(creating) or pod.phase == "Pending")


def plain(message: str) -> str:
    """Return a kubelet's message without what is in quotes there: the names of objects."""
    return _QUOTED.sub('""', _COMBINED.sub("", message))


def held_by_volumes(
    pods: Iterable[Pod], events: Sequence[Occurrence], now: datetime
) -> tuple[Held, ...]:
    """Return the pods of which Kubernetes says that a volume of theirs is not there."""
    attached = [one for one in events if one.reason == _ATTACHED]
    left = [
        one
        for one in events
        if one.reason in VOLUME_REASONS
        and not (
            one.reason == "FailedAttachVolume" and any(_is_attached(one, at) for at in attached)
        )
    ]
    return _held(pods, left, _last(events, _AFTER_VOLUMES), now)


def held_by_sandbox(
    pods: Iterable[Pod], events: Sequence[Occurrence], now: datetime
) -> tuple[Held, ...]:
    """Return the pods of which the kubelet says that it cannot make their sandbox."""
    wanted = [one for one in events if one.reason in SANDBOX_REASONS]
    return _held(pods, wanted, _last(events, _AFTER_SANDBOX), now)


def weight(seconds: float) -> float:
    """Return what being held for so long weighs: a few seconds are part of every start."""
    return 0.5 if seconds >= SURE_SECONDS else 0.35 if seconds >= PATIENCE_SECONDS else 0.2


def consequences(modes: tuple[str, ...], pods: Iterable[Pod], owner: Subject) -> tuple[str, ...]:
    """Return what follows from pods being held.

    A Job's failure does not where tries of it ran and ended with an error: that is another fault.
    """
    ran = any(
        one.last_stop is not None and one.last_stop.exit_code != 0
        for pod in pods
        if pod.owner == owner
        for one in pod.containers
    )
    return tuple(mode for mode in modes if not (ran and mode == "job-failed"))


def node_row(ledger: Ledger, held: Sequence[Held]) -> None:
    """Write whether the nodes under the held pods are ready: else the fault is the node's."""
    statement, refuted_if = "the nodes that hold them are ready", "the node itself is not ready"
    nodes: NodeConditions | None = ledger.evidence.fact(node_conditions)
    under = sorted({one.pod.node for one in held})
    if nodes is None:
        ledger.not_measured(node_conditions, statement, refuted_if=refuted_if)
        return
    down = [name for name in under if name in nodes.not_ready]
    if down:
        seen = f"not ready: {', '.join(down[:5])}"
        ledger.opposes(node_conditions, 0.2, statement, seen=seen, refuted_if=refuted_if)
    else:
        seen = f"ready: {', '.join(under[:5])}"
        ledger.supports(node_conditions, 0.05, statement, seen=seen, refuted_if=refuted_if)


def _is_attached(failed: Occurrence, attached: Occurrence) -> bool:
    """Say whether the volume that could not be attached to a pod's node was, afterwards."""
    same = failed.name == attached.name and _volume(failed) == _volume(attached)
    at, then = failed.last_at, attached.last_at
    return same and (at is None or then is None or then >= at)


def _volume(one: Occurrence) -> str:
    found = _QUOTED.search(one.message)
    return found[0] if found else ""


def _last(events: Iterable[Occurrence], reasons: frozenset[str]) -> dict[str, datetime]:
    """Return by the name of a pod when something of this kind last happened to it."""
    found: dict[str, datetime] = {}
    for one in events:
        if one.kind == "Pod" and one.reason in reasons and one.last_at is not None:
            found[one.name] = max(one.last_at, found.get(one.name, one.last_at))
    return found


def _held(
    pods: Iterable[Pod], failed: Sequence[Occurrence], done: dict[str, datetime], now: datetime
) -> tuple[Held, ...]:
    found = []
    for pod in pods:
        said = [
            one
            for one in reversed(failed)
            if one.kind == "Pod" and one.name == pod.name and _counts(one, pod, done.get(pod.name))
        ]
        goes_on = any(one.last_at is None or now - one.last_at <= RECENT for one in said)
        if goes_on and is_held(pod):
            found.append(Held(pod=pod, said=tuple(said)))
    return tuple(found)


def _counts(one: Occurrence, pod: Pod, done: datetime | None) -> bool:
    """Say whether an event is about this pod as it is: a name may have had another before.

    However old it is: that a volume is attached elsewhere is said once, and what follows from it
    again and again.
    """
    if one.last_at is None:
        return True
    is_over = done is not None and one.last_at <= done
    return one.last_at >= pod.created_at and not is_over
