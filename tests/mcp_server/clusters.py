"""Catalogues of clusters that are not there, each in another dialect."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from petops.mcp_server.question import Catalogue, Refused, Translation, translate

NOW = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
PODS = {
    "cart": ("shop", "node-a.internal", ("cart-6b9f8d7c5-2xk9p", "cart-6b9f8d7c5-7hq4z")),
    "cart-admin": ("shop", "node-b.internal", ("cart-admin-7c8d6b5f4-k2j9s",)),
    "payout": ("money", "node-b.internal", ("payout-84c9d7b6f-d5m8v",)),
    "vault": ("money", "node-a.internal", ("vault-0", "vault-1")),
}
CGROUPS = ("app", "", "POD")


def common(*, twice: bool = False) -> Catalogue:
    """Return a cluster under the names that exporters give by themselves."""
    jobs = ("cadvisor", "kubelet") if twice else ("cadvisor",)
    containers = [
        {"namespace": ns, "pod": pod, "container": name, "node": node, "job": job}
        for ns, node, pods in PODS.values()
        for pod in pods
        for name in CGROUPS
        for job in jobs
    ]
    plain = [
        {"namespace": ns, "pod": pod, "node": node}
        for ns, node, pods in PODS.values()
        for pod in pods
    ]
    limits = [{**row, "resource": kind} for row in plain for kind in ("memory", "cpu")]
    services = [
        {"namespace": ns, "service": name, "pod": pod, "code": code}
        for name, (ns, _, pods) in PODS.items()
        if name != "vault"
        for pod in pods
        for code in ("200", "503")
    ]
    nodes = [{"node": f"node-{one}.internal", "mode": "idle"} for one in "ab"]
    conditions = [
        {"node": f"node-{one}.internal", "condition": kind, "status": "true"}
        for one in "ab"
        for kind in ("Ready", "MemoryPressure", "DiskPressure")
    ]
    hpas = [{"namespace": "shop", "horizontalpodautoscaler": "cart"}]
    return of(
        {
            "container_memory_working_set_bytes": containers,
            "container_cpu_usage_seconds_total": containers,
            "container_network_receive_bytes_total": plain,
            "container_network_transmit_bytes_total": plain,
            "container_cpu_cfs_throttled_periods_total": containers,
            "container_cpu_cfs_periods_total": containers,
            "kube_pod_container_resource_limits": limits,
            "kube_pod_container_status_restarts_total": plain,
            "kube_pod_status_phase": [{**row, "phase": "Running"} for row in plain],
            "http_requests_total": services,
            "http_request_duration_seconds_bucket": services,
            "http_request_duration_seconds_count": services,
            "http_request_duration_seconds_sum": services,
            "node_memory_MemTotal_bytes": nodes,
            "node_memory_MemAvailable_bytes": nodes,
            "node_cpu_seconds_total": nodes,
            "kube_node_status_condition": conditions,
            "kube_deployment_status_replicas_available": [
                {"namespace": "shop", "deployment": "cart"}
            ],
            "kube_horizontalpodautoscaler_status_current_replicas": hpas,
            "kube_horizontalpodautoscaler_spec_max_replicas": hpas,
        }
    )


def other() -> Catalogue:
    """Return a cluster whose labels and metrics are called otherwise."""
    containers = [
        {
            "kubernetes_namespace": ns,
            "kubernetes_pod_name": pod,
            "container_name": name,
            "instance": "10.0.0.1:10250",
        }
        for ns, _, pods in PODS.values()
        for pod in pods
        for name in CGROUPS
    ]
    told = [
        {"exported_namespace": ns, "exported_pod": pod, "pod": "ksm-0", "node": node}
        for ns, node, pods in PODS.values()
        for pod in pods
    ]
    services = [
        {"job": name, "instance": f"10.0.1.{number}:8080", "status": status}
        for number, name in enumerate(("cart", "cart-admin", "payout"))
        for status in ("200", "500")
    ]
    return of(
        {
            "container_memory_working_set_bytes": containers,
            "kube_pod_container_resource_limits": [{**row, "resource": "memory"} for row in told],
            "kube_pod_info": told,
            "http_server_requests_seconds_count": services,
            "http_server_requests_seconds_bucket": services,
            "http_server_requests_seconds_sum": services,
            "node_memory_MemAvailable_bytes": [{"instance": "10.0.0.1:9100"}],
            "node_memory_MemTotal_bytes": [{"instance": "10.0.0.1:9100"}],
            "kube_node_info": [{"node": "node-a.internal", "internal_ip": "10.0.0.1"}],
        }
    )


def of(rows: Mapping[str, Sequence[Mapping[str, str]]], more: Iterable[str] = ()) -> Catalogue:
    return Catalogue.of([*rows, *more], rows)


def answered(question: str, catalogue: Catalogue) -> Translation:
    found = translate(question, catalogue, NOW)
    assert isinstance(found, Translation), found
    return found


def refused(question: str, catalogue: Catalogue) -> Refused:
    found = translate(question, catalogue, NOW)
    assert isinstance(found, Refused), found.promql
    return found
