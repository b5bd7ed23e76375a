"""Questions that a Prometheus can answer, by what it holds. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from petops.mcp_server.question.catalogue import Catalogue

_NEEDS = (
    ("container_memory_working_set_bytes", "memory usage of {name} over the last hour"),
    ("container_memory_working_set_bytes", "which pods are above 80% of their memory limit?"),
    ("container_cpu_usage_seconds_total", "top 5 pods by cpu"),
    ("container_cpu_cfs_throttled_periods_total", "is {name} being throttled?"),
    ("kube_pod_container_status_restarts_total", "which pods restarted in the last hour?"),
    ("http_requests_total", "request rate of {name} over the past 2h"),
    ("http_requests_total", "error rate per service"),
    ("http_request_duration_seconds_count", "p95 latency of {name} since 09:00"),
    ("http_request_duration_seconds_count", "which service is the slowest?"),
    ("container_memory_working_set_bytes", "memory of {name} now vs an hour ago"),
    ("container_memory_working_set_bytes", "detect anomalies in memory usage"),
    ("node_memory_MemAvailable_bytes", "how much memory is each node using?"),
    ("kube_node_status_condition", "which nodes are not ready?"),
    ("container_network_receive_bytes_total", "network in for {name}"),
    ("kube_deployment_status_replicas_available", "available replicas for {name}"),
    ("kube_horizontalpodautoscaler_spec_max_replicas", "which HPA is at its max replicas?"),
    ("kube_pod_status_phase", "how many pods are running?"),
)


def suggestions(catalogue: Catalogue, most: int = 5) -> tuple[str, ...]:
    """Return questions for which the metrics are there, with names that are there."""
    found = []
    for number, (metric, text) in enumerate(_NEEDS):
        if metric not in catalogue.metrics:
            continue
        names = _names(catalogue, metric)
        if "{name}" not in text:
            found.append(text)
        elif names:
            found.append(text.format(name=names[number % len(names)]))
    return tuple(found[:most])


def _names(catalogue: Catalogue, name: str) -> Sequence[str]:
    """Return the workloads that a metric tells of, in order."""
    metric = catalogue.metrics[name]
    label = metric.label("service") or metric.label("deployment")
    known = metric.labels[label] if label is not None else catalogue.pods_of
    ordered = catalogue.ordered["service"]
    return list(islice((one for one in ordered if one in known), len(_NEEDS)))
