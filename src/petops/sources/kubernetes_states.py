"""Nodes, Services, autoscalers, quotas and Jobs as facts.

Pure functions, tested on recorded answers. What Kubernetes leaves out is None, or its own default.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from petops.domain.objects import Autoscaler, Condition, JobRun, NodeState, Quota, ServiceState
from petops.domain.quantity import exact
from petops.domain.subject import ClusterName, Kind, Subject
from petops.errors import SourceError, UsageError
from petops.sources.kubernetes_shapes import (
    MOST_TEXT,
    condition,
    is_selected,
    labels_of,
    moment,
    quantity_bytes,
    quantity_cores,
)

Json = Any

_MIB: Final = 1024 * 1024
_ZONE: Final = "topology.kubernetes.io/zone"
_SERVICE_LABEL: Final = "kubernetes.io/service-name"


def conditions_of(found: Json) -> tuple[Condition, ...]:
    """Return the conditions of an object's status."""
    said = (found.get("status") or {}).get("conditions") or ()
    return tuple(
        Condition(
            type=str(one.get("type") or ""),
            status=str(one.get("status") or ""),
            reason=str(one.get("reason") or ""),
            message=str(one.get("message") or "")[:MOST_TEXT],
            since=moment(one.get("lastTransitionTime")),
        )
        for one in said
    )


def node_of(found: Json) -> NodeState:
    """Return one node."""
    allocatable = (found.get("status") or {}).get("allocatable") or {}
    whole = quantity_bytes(allocatable.get("memory"))
    return NodeState(
        name=found["metadata"]["name"],
        created_at=moment(found["metadata"].get("creationTimestamp")),
        conditions=conditions_of(found),
        taints=tuple(str(one.get("key") or "") for one in found["spec"].get("taints") or ()),
        is_cordoned=bool(found["spec"].get("unschedulable")),
        zone=labels_of(found).get(_ZONE, ""),
        allocatable_mib=None if whole is None else whole / _MIB,
        allocatable_cores=quantity_cores(allocatable.get("cpu")),
    )


def is_in_trouble(found: Json) -> bool:
    """Say whether a node is cordoned, not ready, or short of something."""
    pressed = any(
        one.get("status") == "True" and str(one.get("type")).endswith("Pressure")
        for one in (found.get("status") or {}).get("conditions") or ()
    )
    return (
        bool(found["spec"].get("unschedulable")) or condition(found, "Ready") != "True" or pressed
    )


def in_front(
    services: Iterable[Json], slices: Sequence[Json], template: Mapping[str, str]
) -> list[Json]:
    """Return the Services that select these labels.

    Those too that have no endpoint at all and whose selector shares a label with them: a selector
    that just misses.
    """
    found = []
    for one in services:
        selector = (one.get("spec") or {}).get("selector") or {}
        shares = any(template.get(key) == value for key, value in selector.items())
        if selector and (fits(one, template) or (shares and not _ends(one, slices))):
            found.append(one)
    return found


def may_be_meant(
    service: Json, template: Mapping[str, str], others: Iterable[Mapping[str, str]]
) -> bool:
    """Say whether a selector that misses these labels can have meant them.

    Not where another workload, none of whose variants this is, has as many of its labels: those are
    an application's, which many share.
    """
    wanted = service["spec"]["selector"].items()
    own = len(wanted & template.items())
    return not any(
        len(wanted & one.items()) >= own
        for one in others
        if not (one.items() <= template.items() or template.items() <= one.items())
    )


def fits(service: Json, template: Mapping[str, str]) -> bool:
    """Say whether a Service selects pods with these labels."""
    selector = (service.get("spec") or {}).get("selector")
    return bool(selector) and is_selected(template, {"matchLabels": selector})


def service_of(
    found: Json,
    slices: Sequence[Json],
    selected: Sequence[Json],
    cluster: ClusterName,
    *,
    misses: bool,
    awaits: str = "",
) -> ServiceState:
    """Return one Service with the pods that it selects and its endpoints."""
    metadata = found["metadata"]
    ends = _ends(found, slices)
    ready = sum((end.get("conditions") or {}).get("ready") is not False for end in ends)
    return ServiceState(
        subject=Subject(
            cluster=cluster,
            kind=Kind.SERVICE,
            namespace=metadata["namespace"],
            name=metadata["name"],
        ),
        pods=len(selected),
        ready_pods=sum(condition(pod, "Ready") == "True" for pod in selected),
        ready_endpoints=ready,
        other_endpoints=len(ends) - ready,
        selector=tuple(sorted((found["spec"].get("selector") or {}).items())),
        unknown_ports=_unknown_ports(found, selected),
        shares_labels=misses,
        awaits=awaits,
    )


def _ends(service: Json, slices: Sequence[Json]) -> list[Json]:
    name, namespace = service["metadata"]["name"], service["metadata"]["namespace"]
    return [
        end
        for one in slices
        if labels_of(one).get(_SERVICE_LABEL) == name
        and one["metadata"].get("namespace") == namespace
        for end in one.get("endpoints") or ()
    ]


def _unknown_ports(service: Json, pods: Sequence[Json]) -> tuple[str, ...]:
    """Return the target ports by name that none of the selected pods has."""
    named = {
        port.get("name")
        for pod in pods
        for one in pod["spec"].get("containers") or ()
        for port in one.get("ports") or ()
    }
    wanted = (port.get("targetPort") for port in service["spec"].get("ports") or ())
    return tuple(one for one in wanted if pods and isinstance(one, str) and one not in named)


def autoscaler_of(found: Json) -> Autoscaler:
    """Return one HorizontalPodAutoscaler."""
    spec, status = found["spec"], found.get("status") or {}
    return Autoscaler(
        name=found["metadata"]["name"],
        least=int(spec.get("minReplicas") or 1),
        most=int(spec.get("maxReplicas") or 0),
        now=int(status.get("currentReplicas") or 0),
        wanted=int(status.get("desiredReplicas") or 0),
        conditions=conditions_of(found),
    )


def target_of(found: Json, autoscaler: Subject) -> Subject:
    """Return what the autoscaler scales; raise SourceError where petops does not know its kind."""
    target = found["spec"].get("scaleTargetRef") or {}
    kind, name = str(target.get("kind") or ""), str(target.get("name") or "")
    try:
        return replace(autoscaler, kind=Kind(kind), name=name)
    except (ValueError, UsageError):
        raise SourceError(f"{autoscaler} scales {kind or 'nothing'} {name}".rstrip()) from None


def scales(found: Json, subject: Subject) -> bool:
    """Say whether the autoscaler is the subject's."""
    target = found["spec"].get("scaleTargetRef") or {}
    return bool(target.get("kind") == subject.kind and target.get("name") == subject.name)


def quotas_of(found: Iterable[Json]) -> tuple[Quota, ...]:
    """Return each resource of each quota."""
    quotas = []
    for one in found:
        status = one.get("status") or {}
        hard = {**(one["spec"].get("hard") or {}), **(status.get("hard") or {})}
        used = status.get("used") or {}
        quotas += [
            Quota(
                name=one["metadata"]["name"],
                resource=str(resource),
                hard=str(most),
                used=str(used.get(resource, "")),
                used_ratio=_ratio(str(used.get(resource, "")), str(most)),
            )
            for resource, most in sorted(hard.items())
        ]
    return tuple(quotas)


def _ratio(used: str, hard: str) -> float | None:
    part, whole = _number(used), _number(hard)
    return None if part is None or not whole else part / whole


def _number(text: str) -> float | None:
    """Return a quantity as a number: a count, CPUs, or bytes."""
    try:
        return float(exact(text))
    except UsageError:
        return None


def job_of(found: Json, cluster: ClusterName) -> JobRun:
    """Return one Job."""
    spec, status, metadata = found["spec"], found.get("status") or {}, found["metadata"]
    limit = spec.get("backoffLimit")
    return JobRun(
        subject=Subject(
            cluster=cluster, kind=Kind.JOB, namespace=metadata["namespace"], name=metadata["name"]
        ),
        wanted=int(spec.get("completions") or 1),
        succeeded=int(status.get("succeeded") or 0),
        failed=int(status.get("failed") or 0),
        active=int(status.get("active") or 0),
        is_suspended=bool(spec.get("suspend")),
        backoff_limit=6 if limit is None else int(limit),
        conditions=conditions_of(found),
    )
