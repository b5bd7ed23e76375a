"""What kube-state-metrics says of the cluster's objects.

Every function takes one object as the API server gives it. `EXPORTED` is the catalogue.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from petops.lab.exposition import Labels, Sample
from petops.lab.kube_state_pods import pod_samples
from petops.lab.quantities import quantity

Json = Mapping[str, Any]

_TRUTHS: Final = ("true", "false", "unknown")
_UNITS: Final = {"cpu": "core", "memory": "byte", "ephemeral-storage": "byte", "pods": "integer"}


def kube_state_samples(objects: Callable[[str], Iterable[Json]]) -> Iterator[Sample]:
    """Yield the metrics of all objects; `objects` returns those of a resource."""
    for resource, export in EXPORTED.items():
        for item in objects(resource):
            yield from export(item)


def _labels(item: Json, kind: str) -> Labels:
    return (("namespace", item["metadata"]["namespace"]), (kind, item["metadata"]["name"]))


def _created(item: Json, metric: str, labels: Labels) -> Iterator[Sample]:
    if created := item["metadata"].get("creationTimestamp"):
        at = datetime.fromisoformat(created).timestamp()
        yield Sample(f"kube_{metric}_created", labels, at)


def _numbers(
    prefix: str, labels: Labels, values: Json, names: Mapping[str, str]
) -> Iterator[Sample]:
    """Yield a metric for each name; zeros too, which the API server leaves out."""
    for key, metric in names.items():
        yield Sample(f"kube_{prefix}_{metric}", labels, values.get(key) or 0)


def _conditions(metric: str, labels: Labels, conditions: Sequence[Json]) -> Iterator[Sample]:
    for condition in conditions:
        for status in _TRUTHS:
            own = (*labels, ("condition", condition["type"]), ("status", status))
            yield Sample(metric, own, int(condition["status"].lower() == status))


def _deployment(item: Json) -> Iterator[Sample]:
    labels = _labels(item, "deployment")
    spec, status = item["spec"], item.get("status", {})
    yield from _created(item, "deployment", labels)
    yield Sample("kube_deployment_spec_replicas", labels, spec.get("replicas", 1))
    yield Sample("kube_deployment_spec_paused", labels, int(bool(spec.get("paused"))))
    generation = item["metadata"].get("generation", 1)
    yield Sample("kube_deployment_metadata_generation", labels, generation)
    names = {
        "replicas": "replicas",
        "readyReplicas": "replicas_ready",
        "availableReplicas": "replicas_available",
        "unavailableReplicas": "replicas_unavailable",
        "updatedReplicas": "replicas_updated",
        "observedGeneration": "observed_generation",
    }
    yield from _numbers("deployment_status", labels, status, names)
    conditions = status.get("conditions", ())
    yield from _conditions("kube_deployment_status_condition", labels, conditions)


def _replica_set(item: Json) -> Iterator[Sample]:
    labels = _labels(item, "replicaset")
    yield from _created(item, "replicaset", labels)
    owners = item["metadata"].get("ownerReferences") or [{}]
    for owner in owners:
        own = (
            *labels,
            ("owner_kind", owner.get("kind", "")),
            ("owner_name", owner.get("name", "")),
            ("owner_is_controller", str(bool(owner.get("controller"))).lower() if owner else ""),
        )
        yield Sample("kube_replicaset_owner", own, 1)
    yield Sample("kube_replicaset_spec_replicas", labels, item["spec"].get("replicas", 1))
    names = {"replicas": "replicas", "readyReplicas": "ready_replicas"}
    yield from _numbers("replicaset_status", labels, item.get("status", {}), names)


def _stateful_set(item: Json) -> Iterator[Sample]:
    labels = _labels(item, "statefulset")
    yield Sample("kube_statefulset_replicas", labels, item["spec"].get("replicas", 1))
    names = {"replicas": "replicas", "readyReplicas": "replicas_ready"}
    yield from _numbers("statefulset_status", labels, item.get("status", {}), names)


def _daemon_set(item: Json) -> Iterator[Sample]:
    names = {
        "desiredNumberScheduled": "desired_number_scheduled",
        "numberReady": "number_ready",
        "numberUnavailable": "number_unavailable",
    }
    labels = _labels(item, "daemonset")
    yield from _numbers("daemonset_status", labels, item.get("status", {}), names)


def _job(item: Json) -> Iterator[Sample]:
    labels = _labels(item, "job_name")
    names = {"active": "active", "failed": "failed", "succeeded": "succeeded"}
    yield from _numbers("job_status", labels, item.get("status", {}), names)


def _node(item: Json) -> Iterator[Sample]:
    labels: Labels = (("node", item["metadata"]["name"]),)
    status = item.get("status", {})
    info = status.get("nodeInfo", {})
    own = (*labels, ("kubelet_version", info.get("kubeletVersion", "")))
    yield Sample("kube_node_info", own, 1)
    yield from _created(item, "node", labels)
    unschedulable = int(bool(item.get("spec", {}).get("unschedulable")))
    yield Sample("kube_node_spec_unschedulable", labels, unschedulable)
    for taint in item.get("spec", {}).get("taints") or ():
        names = (("key", taint["key"]), ("value", taint.get("value", "")))
        yield Sample("kube_node_spec_taint", (*labels, *names, ("effect", taint["effect"])), 1)
    yield from _conditions("kube_node_status_condition", labels, status.get("conditions", ()))
    for metric in ("allocatable", "capacity"):
        for resource, amount in status.get(metric, {}).items():
            unit = _UNITS.get(resource, "byte" if resource.startswith("hugepages-") else "integer")
            own = (*labels, ("resource", resource.replace("-", "_")), ("unit", unit))
            yield Sample(f"kube_node_status_{metric}", own, quantity(amount))


def _autoscaler(item: Json) -> Iterator[Sample]:
    labels = _labels(item, "horizontalpodautoscaler")
    spec, status = item["spec"], item.get("status", {})
    target = spec["scaleTargetRef"]
    own = (
        *labels,
        ("scaletargetref_kind", target["kind"]),
        ("scaletargetref_name", target["name"]),
    )
    yield Sample("kube_horizontalpodautoscaler_info", own, 1)
    names = {"minReplicas": "min_replicas", "maxReplicas": "max_replicas"}
    spec = {"minReplicas": 1, **spec}
    yield from _numbers("horizontalpodautoscaler_spec", labels, spec, names)
    names = {"currentReplicas": "current_replicas", "desiredReplicas": "desired_replicas"}
    yield from _numbers("horizontalpodautoscaler_status", labels, status, names)
    conditions = status.get("conditions", ())
    yield from _conditions("kube_horizontalpodautoscaler_status_condition", labels, conditions)
    for metric in spec.get("metrics") or ():
        if resource := metric.get("resource"):
            wanted = resource["target"]
            if (percent := wanted.get("averageUtilization")) is not None:
                kind = (("metric_name", resource["name"]), ("metric_target_type", "utilization"))
                name = "kube_horizontalpodautoscaler_spec_target_metric"
                yield Sample(name, (*labels, *kind), percent)


def _disruption_budget(item: Json) -> Iterator[Sample]:
    labels = _labels(item, "poddisruptionbudget")
    names = {
        "currentHealthy": "current_healthy",
        "desiredHealthy": "desired_healthy",
        "disruptionsAllowed": "pod_disruptions_allowed",
        "expectedPods": "expected_pods",
        "observedGeneration": "observed_generation",
    }
    yield from _created(item, "poddisruptionbudget", labels)
    yield from _numbers("poddisruptionbudget_status", labels, item.get("status", {}), names)


def _quota(item: Json) -> Iterator[Sample]:
    labels = _labels(item, "resourcequota")
    status = item.get("status", {})
    for kind in ("hard", "used"):
        for resource, amount in status.get(kind, {}).items():
            own = (*labels, ("resource", resource), ("type", kind))
            yield Sample("kube_resourcequota", own, quantity(amount))


EXPORTED: Final[Mapping[str, Callable[[Json], Iterator[Sample]]]] = {
    "pods": pod_samples,
    "deployments": _deployment,
    "replicasets": _replica_set,
    "statefulsets": _stateful_set,
    "daemonsets": _daemon_set,
    "jobs": _job,
    "nodes": _node,
    "horizontalpodautoscalers": _autoscaler,
    "poddisruptionbudgets": _disruption_budget,
    "resourcequotas": _quota,
}
