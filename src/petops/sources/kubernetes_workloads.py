"""A workload's JSON as facts: its revisions, its rollout, who manages it, what its strategy allows.

Pure functions, tested on recorded answers; the rules are those of the Deployment controller and of
`kubectl rollout status`.
"""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from petops.domain.change import canonical
from petops.domain.facts import Revision, Rollouts
from petops.domain.subject import Kind, Subject
from petops.ports import WorkloadState
from petops.sources.kubernetes_owners import managed_by
from petops.sources.kubernetes_shapes import (
    HASH_LABEL,
    condition,
    controller_of,
    moment,
)
from petops.sources.kubernetes_states import conditions_of

Json = Any

_REVISION: Final = "deployment.kubernetes.io/revision"
_REVISION_HISTORY: Final = "deployment.kubernetes.io/revision-history"
_CHANGE_CAUSE: Final = "kubernetes.io/change-cause"
_SCALED_UP: Final = re.compile(r"Scaled up replica set (\S+)(?: from (\d+))? to (\d+)")


def owned_by(found: Json, replica_sets: Sequence[Json]) -> list[Json]:
    """Return the ReplicaSets that the Deployment controls: their labels can be another's too."""
    uid = found["metadata"]["uid"]
    return [one for one in replica_sets if (controller_of(one) or {}).get("uid") == uid]


def rollouts_of(
    subject: Subject,
    deployment: Json,
    replica_sets: Sequence[Json],
    events: Sequence[Json],
    pods: Sequence[Json],
) -> Rollouts:
    """Return the Deployment's revisions, newest first, and when the current one began."""
    numbered = {
        _number(one): one for one in owned_by(deployment, replica_sets) if _number(one) is not None
    }
    current = current_set(deployment, list(numbered.values()))
    return Rollouts(
        subject=subject,
        revisions=tuple(
            _revision(number, one, is_current=one is current)
            for number, one in sorted(numbered.items(), key=lambda pair: pair[0] or 0, reverse=True)
            if number is not None
        ),
        current_since=None
        if current is None
        else current_since(current, numbered.values(), events, pods),
        desired=deployment["spec"].get("replicas", 1),
        conditions=conditions_of(deployment),
    )


def _number(replica_set: Json) -> int | None:
    text = str((replica_set["metadata"].get("annotations") or {}).get(_REVISION, ""))
    return int(text) if text.isdecimal() else None


def _revision(number: int, replica_set: Json, *, is_current: bool) -> Revision:
    metadata = replica_set["metadata"]
    created_at = moment(metadata["creationTimestamp"])
    assert created_at is not None, "the API server dates every object"  # noqa: S101
    containers = replica_set["spec"]["template"]["spec"]["containers"]
    return Revision(
        number=number,
        name=metadata["name"],
        created_at=created_at,
        images=tuple(one.get("image") or "" for one in containers),
        template=canonical(template_of(replica_set)),
        is_current=is_current,
        change_cause=(metadata.get("annotations") or {}).get(_CHANGE_CAUSE, ""),
        pods=int((replica_set.get("status") or {}).get("replicas") or 0),
        ready_pods=int((replica_set.get("status") or {}).get("readyReplicas") or 0),
    )


def template_of(replica_set: Json) -> Json:
    """Return the pod template as the Deployment had it, without its controller's label."""
    template = copy.deepcopy(replica_set["spec"]["template"])
    labels = (template.get("metadata") or {}).get("labels") or {}
    labels.pop(HASH_LABEL, None)
    return template


def current_set(deployment: Json, replica_sets: Sequence[Json]) -> Json | None:
    """Return the ReplicaSet of the Deployment's template, the oldest if several have it.

    Where none has it (a newer API server added fields), it is that of the Deployment's revision.
    """
    template = deployment["spec"]["template"]
    same = [one for one in replica_sets if template_of(one) == template]
    if same:
        return min(same, key=lambda one: str(one["metadata"]["creationTimestamp"]))
    said = _number(deployment)
    by_number = {_number(one) or 0: one for one in replica_sets}
    return by_number.get(said if said is not None else max(by_number, default=0))


def current_since(
    replica_set: Json,
    replica_sets: Iterable[Json],
    events: Sequence[Json],
    pods: Sequence[Json],
) -> datetime | None:
    """Return when the revision began to run.

    A ReplicaSet that an undo brought back is old: then the Deployment's last event of scaling it up
    from nothing says when, or, since events live for an hour, the earliest of its pods.
    """
    metadata = replica_set["metadata"]
    if not _was_brought_back(replica_set, replica_sets):
        return moment(metadata["creationTimestamp"])
    began = [at for one in events if (at := _scaled_up_at(one, metadata["name"])) is not None]
    if began:
        return max(began)
    of_it = [one for one in pods if (controller_of(one) or {}).get("uid") == metadata["uid"]]
    return min(
        (at for one in of_it if (at := moment(one["metadata"]["creationTimestamp"]))), default=None
    )


def _was_brought_back(replica_set: Json, replica_sets: Iterable[Json]) -> bool:
    """Say whether it had an earlier revision number, or is older than a lower numbered one."""
    metadata = replica_set["metadata"]
    return bool((metadata.get("annotations") or {}).get(_REVISION_HISTORY)) or any(
        one["metadata"]["creationTimestamp"] > metadata["creationTimestamp"] for one in replica_sets
    )


def _scaled_up_at(event: Json, replica_set: str) -> datetime | None:
    """Return when this event last scaled the ReplicaSet up from nothing."""
    found = _SCALED_UP.match(event.get("message") or "")
    if event.get("reason") != "ScalingReplicaSet" or found is None or found[1] != replica_set:
        return None
    if (found[2] or "0") != "0":
        return None
    last = (event.get("series") or {}).get("lastObservedTime")
    return moment(last or event.get("lastTimestamp") or event.get("eventTime"))


def workload_of(subject: Subject, found: Json) -> WorkloadState:
    """Return a Deployment, StatefulSet, DaemonSet, ReplicaSet, Job, Pod or Node as it is now."""
    if subject.kind in NO_WORKLOADS:
        return _other_state(subject, found)
    spec, status = found["spec"], found.get("status") or {}
    desired, ready = _replicas(subject.kind, found)
    template = spec if subject.kind is Kind.POD else spec.get("template") or {}
    is_rolled_out = ROLLED_OUT[subject.kind]
    return WorkloadState(
        subject=subject,
        uid=found["metadata"]["uid"],
        desired_replicas=desired,
        ready_replicas=ready,
        unavailable_at_most=unavailable_at_most(subject.kind, spec, desired),
        template=canonical(template),
        is_rolled_out=is_rolled_out(spec, status) and _is_observed(found),
        managed_by=managed_by(found),
    )


def _other_state(subject: Subject, found: Json) -> WorkloadState:
    """Return a Node or Service, which replace no pods. `template` says if a node is cordoned."""
    cordoned = {"unschedulable": True} if found["spec"].get("unschedulable") else {}
    return WorkloadState(
        subject=subject,
        uid=found["metadata"]["uid"],
        desired_replicas=0,
        ready_replicas=0,
        unavailable_at_most=0,
        template=canonical({"spec": cordoned}),
        is_rolled_out=True,
        managed_by=managed_by(found),
    )


def _replicas(kind: Kind, found: Json) -> tuple[int, int]:
    """Return how many pods are wanted, and how many are ready. A zero is left out of a status."""
    spec, status = found["spec"], found.get("status") or {}
    match kind:
        case Kind.DAEMON_SET:
            return status.get("desiredNumberScheduled", 0), status.get("numberReady", 0)
        case Kind.JOB:
            return spec.get("parallelism", 1), status.get("ready", 0)
        case Kind.POD:
            return 1, int(condition(found, "Ready") == "True")
        case _:
            return spec.get("replicas", 1), status.get("readyReplicas", 0)


def unavailable_at_most(kind: Kind, spec: Json, desired: int) -> int:
    """Return how many pods a rollout may take away at once, by the rules of the controllers."""
    strategy = spec.get("strategy") or spec.get("updateStrategy") or {}
    rolling = strategy.get("rollingUpdate") or {}
    how = strategy.get("type", "RollingUpdate")
    if kind is Kind.DEPLOYMENT:
        surge = _share(rolling.get("maxSurge", "25%"), desired, math.ceil)
        most = _share(rolling.get("maxUnavailable", "25%"), desired, math.floor)
        most = desired if how == "Recreate" else most if most or surge else 1
    elif kind in {Kind.STATEFUL_SET, Kind.DAEMON_SET} and how == "RollingUpdate":
        most = _share(rolling.get("maxUnavailable", 1), desired, math.ceil)
    else:
        most = 0  # nothing replaces its pods by itself
    return min(most, desired)


def _share(value: Json, desired: int, rounded: Callable[[float], int]) -> int:
    """Return a count or a percentage of `desired` as a count."""
    text = str(value)
    if text.endswith("%") and text[:-1].isdecimal():
        return rounded(int(text[:-1]) * desired / 100)
    return int(text) if text.isdecimal() else 0


def _is_observed(found: Json) -> bool:
    """Say whether the controller has seen the object as it is now, where it tells."""
    status = found.get("status") or {}
    if "generation" not in found["metadata"] or found["spec"].get("template") is None:
        return True
    if "parallelism" in found["spec"]:
        return True  # a Job's status has no observedGeneration
    return int(found["metadata"]["generation"]) <= int(status.get("observedGeneration", 0))


def _deployment_done(spec: Json, status: Json) -> bool:
    reasons = {one["type"]: one.get("reason") for one in status.get("conditions") or ()}
    updated = status.get("updatedReplicas", 0)
    return (
        reasons.get("Progressing") != "ProgressDeadlineExceeded"
        and updated >= spec.get("replicas", 1)
        and status.get("replicas", 0) <= updated
        and status.get("availableReplicas", 0) >= updated
    )


def _stateful_set_done(spec: Json, status: Json) -> bool:
    desired, strategy = spec.get("replicas", 1), spec.get("updateStrategy") or {}
    if status.get("readyReplicas", 0) < desired:
        return False
    held_back = (strategy.get("rollingUpdate") or {}).get("partition") or 0
    if held_back:
        return bool(status.get("updatedReplicas", 0) >= desired - held_back)
    return bool(status.get("updateRevision") == status.get("currentRevision"))


def _daemon_set_done(_spec: Json, status: Json) -> bool:
    desired = status.get("desiredNumberScheduled", 0)
    updated, available = status.get("updatedNumberScheduled", 0), status.get("numberAvailable", 0)
    return bool(updated >= desired and available >= desired)


def _replica_set_done(spec: Json, status: Json) -> bool:
    return bool(status.get("availableReplicas", 0) >= spec.get("replicas", 1))


def _is_complete(_spec: Json, status: Json) -> bool:
    said = {one["type"]: one["status"] for one in status.get("conditions") or ()}
    return "True" in {said.get("Complete"), said.get("Ready")}


NO_WORKLOADS: Final = frozenset({Kind.NODE, Kind.SERVICE})
"""What `workload_of` knows although it makes no pods: remedies and advice are about it too."""

ROLLED_OUT: Final[Mapping[Kind, Callable[[Json, Json], bool]]] = {
    Kind.DEPLOYMENT: _deployment_done,
    Kind.STATEFUL_SET: _stateful_set_done,
    Kind.DAEMON_SET: _daemon_set_done,
    Kind.REPLICA_SET: _replica_set_done,
    Kind.JOB: _is_complete,
    Kind.POD: _is_complete,
}
"""The kinds that `workload_of` knows, each with what `kubectl rollout status` waits for."""
