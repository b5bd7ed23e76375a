"""Kubernetes' JSON as facts: pods, containers, how they stopped, whose they are.

Pure functions, tested on recorded answers. What Kubernetes leaves out is None, never zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from petops.domain.facts import Container, Pod, Stop
from petops.domain.quantity import bytes_of, exact
from petops.domain.subject import ClusterName, Kind, Subject
from petops.errors import UsageError

Json = Any

HASH_LABEL: Final = "pod-template-hash"
_NEVER_BEFORE: Final = datetime(2000, 1, 1, tzinfo=UTC)  # a start that failed is dated 1970-01-01
_UNRECORDED: Final = "ContainerStatusUnknown"
MOST_TEXT: Final = 1000
"""Characters of a message that are kept: a status may hold a kilobyte and more."""


def quantity_bytes(text: Json) -> int | None:
    """Return a quantity in whole bytes; None for what is none."""
    if not isinstance(text, str | int) or isinstance(text, bool):
        return None
    try:
        return bytes_of(str(text))
    except UsageError:
        return None


def quantity_cores(text: Json) -> float | None:
    """Return a quantity of CPU in cores; None where there is none, or none that can be read."""
    try:
        return None if text is None else float(exact(str(text)))
    except UsageError:
        return None


def moment(text: Json) -> datetime | None:
    """Return a time in UTC; None for what is absent, unreadable or Kubernetes' zero time."""
    if not isinstance(text, str):
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return at.astimezone(UTC) if at > _NEVER_BEFORE else None


def controller_of(found: Json) -> Json | None:
    """Return the owner reference that controls the object."""
    references = found["metadata"].get("ownerReferences") or ()
    return next((one for one in references if one.get("controller")), None)


def labels_of(found: Json) -> Mapping[str, str]:
    """Return the object's labels."""
    labels: Mapping[str, str] = found["metadata"].get("labels") or {}
    return labels


def is_selected(labels: Mapping[str, str], selector: Json) -> bool:
    """Say whether a selector selects these labels: an empty one all, an absent one nothing."""
    if selector is None:
        return False
    wanted = selector.get("matchLabels") or {}
    return all(labels.get(key) == value for key, value in wanted.items()) and all(
        _holds(labels, one) for one in selector.get("matchExpressions") or ()
    )


def _holds(labels: Mapping[str, str], expression: Json) -> bool:
    value, among = labels.get(expression["key"]), expression.get("values") or ()
    match expression["operator"]:
        case "In":
            return value in among
        case "NotIn":
            return value not in among
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case _:
            return False


def selector_text(selector: Json) -> str:
    """Return a label selector as a query's `labelSelector` says it."""
    parts = [f"{key}={value}" for key, value in (selector.get("matchLabels") or {}).items()]
    for one in selector.get("matchExpressions") or ():
        among = ",".join(one.get("values") or ())
        parts.append(
            {
                "In": f"{one['key']} in ({among})",
                "NotIn": f"{one['key']} notin ({among})",
                "Exists": one["key"],
            }.get(one["operator"], f"!{one['key']}")
        )
    return ",".join(parts)


def mounts(pod: Json, claim: str) -> bool:
    """Say whether a pod has a volume of this PersistentVolumeClaim, an ephemeral one included."""
    own = f"{pod['metadata']['name']}-"
    for volume in pod["spec"].get("volumes") or ():
        named = (volume.get("persistentVolumeClaim") or {}).get("claimName")
        if named == claim or (volume.get("ephemeral") and f"{own}{volume['name']}" == claim):
            return True
    return False


def owner_of(found: Json, replica_sets: Mapping[str, Json], cluster: ClusterName) -> Subject:
    """Return the workload that a pod belongs to; a pod that none controls is its own.

    `replica_sets` are those known, by uid. One that has vanished meanwhile was named after its
    Deployment and the pods' template hash.
    """
    metadata = found["metadata"]
    itself = Subject(
        cluster=cluster, kind=Kind.POD, namespace=metadata["namespace"], name=metadata["name"]
    )
    controller = controller_of(found)
    if controller is None:
        return itself
    kind, name = controller["kind"], controller["name"]
    if kind == Kind.REPLICA_SET:
        known = replica_sets.get(controller["uid"])
        stem, dash, last = name.rpartition("-")
        above = None if known is None else controller_of(known)
        if above is not None and above["kind"] == Kind.DEPLOYMENT:
            kind, name = above["kind"], above["name"]
        elif known is None and dash and last == labels_of(found).get(HASH_LABEL):
            kind, name = Kind.DEPLOYMENT, stem
    try:
        return Subject(cluster=cluster, kind=Kind(kind), namespace=metadata["namespace"], name=name)
    except (ValueError, UsageError):
        return itself  # of a kind that petops does not speak about; a static pod's is its Node


def pods_of(
    found: Iterable[Json], replica_sets: Iterable[Json], cluster: ClusterName
) -> tuple[Pod, ...]:
    """Return pods, in the order of their names."""
    known = {one["metadata"]["uid"]: one for one in replica_sets}
    pods = (pod_of(one, owner_of(one, known, cluster)) for one in found)
    return tuple(sorted(pods, key=lambda pod: (pod.namespace, pod.name)))


def pod_of(found: Json, owner: Subject) -> Pod:
    """Return one pod."""
    metadata, spec, status = found["metadata"], found["spec"], found.get("status") or {}
    return Pod(
        name=metadata["name"],
        uid=metadata["uid"],
        namespace=metadata["namespace"],
        node=spec.get("nodeName") or "",
        phase=status.get("phase") or "",
        reason=status.get("reason") or "",
        ready=condition(found, "Ready") == "True",
        created_at=moment(metadata["creationTimestamp"]) or _NEVER_BEFORE,
        owner=owner,
        revision=labels_of(found).get(HASH_LABEL, ""),
        containers=_containers(metadata["name"], spec, status),
        being_deleted=bool(metadata.get("deletionTimestamp")),
        message=str(status.get("message") or "")[:MOST_TEXT],
        unscheduled=_unscheduled(found),
        disrupted_by=_reason(found, "DisruptionTarget", "True"),
        ready_changed_at=ready_changed_at(found),
    )


def condition(found: Json, kind: str) -> str | None:
    """Return the status of one of the object's conditions."""
    said: str | None = _condition(found, kind).get("status")
    return said


def _unscheduled(found: Json) -> str:
    """Return the scheduler's words while it finds no node for the pod; empty otherwise."""
    said = _condition(found, "PodScheduled")
    if said.get("status") != "False" or said.get("reason") != "Unschedulable":
        return ""
    return str(said.get("message") or said["reason"])[:MOST_TEXT]


def _reason(found: Json, kind: str, status: str) -> str:
    said = _condition(found, kind)
    return str(said.get("reason") or "") if said.get("status") == status else ""


def ready_changed_at(found: Json) -> datetime | None:
    """Return when the pod last became ready, or ceased to be."""
    told = _condition(found, "Ready") or _condition(found, "DisruptionTarget")
    return moment(told.get("lastTransitionTime"))


def _condition(found: Json, kind: str) -> Json:
    said = (found.get("status") or {}).get("conditions") or ()
    return next((one for one in said if one["type"] == kind), {})


def ready_within_seconds(container: Json) -> float | None:
    """Return how long a container's probes give it before it counts as failing; None without."""
    startup, readiness = container.get("startupProbe"), container.get("readinessProbe")
    if startup is None and readiness is None:
        return None
    return float(sum(_patience(one) for one in (startup, readiness) if one is not None))


def _patience(probe: Json) -> int:
    """Return the seconds until a probe that always fails has failed for good."""
    failures = int(probe.get("failureThreshold") or 3)
    period = int(probe.get("periodSeconds") or 10)
    return int(probe.get("initialDelaySeconds") or 0) + failures * period


def _containers(pod: str, spec: Json, status: Json) -> tuple[Container, ...]:
    """Return the containers, and of those that initialise the ones that stay or had trouble."""
    said = {
        one["name"]: one
        for key in ("initContainerStatuses", "containerStatuses")
        for one in status.get(key) or ()
    }
    early = [one for one in spec.get("initContainers") or () if _is_of_interest(one, said)]
    every = [*early, *spec["containers"]]
    return tuple(_container(pod, one, said.get(one["name"]) or {}) for one in every)


def _is_of_interest(spec: Json, said: Mapping[str, Json]) -> bool:
    if spec.get("restartPolicy") == "Always":
        return True  # a sidecar
    status = said.get(spec["name"])
    if status is None:
        return False
    ended = (status.get("state") or {}).get("terminated")
    return status["restartCount"] > 0 or ended is None or ended["exitCode"] != 0


def _container(pod: str, spec: Json, status: Json) -> Container:
    state = status.get("state") or {}
    asked_for = status.get("resources") or spec.get("resources") or {}
    return Container(
        name=spec["name"],
        image=spec.get("image") or "",
        ready=bool(status.get("ready")),
        restarts=status.get("restartCount") or 0,
        started_at=moment((state.get("running") or {}).get("startedAt")),
        waiting=(state.get("waiting") or {}).get("reason") or "",
        waiting_message=str((state.get("waiting") or {}).get("message") or "")[:MOST_TEXT],
        ready_within_seconds=ready_within_seconds(spec),
        last_stop=last_stop(pod, status),
        memory_limit_bytes=quantity_bytes((asked_for.get("limits") or {}).get("memory")),
        memory_request_bytes=quantity_bytes((asked_for.get("requests") or {}).get("memory")),
        cpu_limit_cores=quantity_cores((asked_for.get("limits") or {}).get("cpu")),
    )


def last_stop(pod: str, status: Json) -> Stop | None:
    """Return the latest end that Kubernetes recorded for a container.

    An eviction can leave an end of which nothing is known; the one before it is better then.
    """
    now = (status.get("state") or {}).get("terminated")
    before = (status.get("lastState") or {}).get("terminated")
    ended = before if now is None or (before and now.get("reason") == _UNRECORDED) else now
    if ended is None:
        return None
    return Stop(
        pod=pod,
        container=status["name"],
        reason=ended.get("reason") or "",
        exit_code=ended["exitCode"],
        started_at=moment(ended.get("startedAt")),
        finished_at=moment(ended.get("finishedAt")),
    )


def requested_bytes(found: Json) -> int:
    """Return the memory that the scheduler reserves for a pod; nothing once it has ended."""
    if (found.get("status") or {}).get("phase") in {"Succeeded", "Failed"}:
        return 0
    spec = found["spec"]
    early = spec.get("initContainers") or ()
    staying = [one for one in early if one.get("restartPolicy") == "Always"]
    running = sum(_request(one) for one in (*spec["containers"], *staying))
    starting = max((_request(one) for one in early), default=0)
    overhead = quantity_bytes((spec.get("overhead") or {}).get("memory")) or 0
    return max(running, starting) + overhead


def _request(container: Json) -> int:
    resources = container.get("resources") or {}
    return quantity_bytes((resources.get("requests") or {}).get("memory")) or 0
