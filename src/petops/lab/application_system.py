"""What runs in kube-system of an EKS cluster: CoreDNS, and on every node the CNI and kube-proxy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from petops.lab.store import Json

NAMESPACE: Final = "kube-system"
_API_SERVERS: Final = ("10.0.18.201", "10.0.34.77")
_REGISTRY: Final = "602401143452.dkr.ecr.us-east-1.amazonaws.com/eks"


def system() -> Iterator[Json]:
    """Yield the workloads."""
    yield _workload(
        "Deployment",
        "coredns",
        f"{_REGISTRY}/coredns:v1.11.4-eksbuild.2",
        {"requests": {"cpu": "100m", "memory": "70Mi"}, "limits": {"memory": "170Mi"}},
        {"k8s-app": "kube-dns", "eks.amazonaws.com/component": "coredns"},
        replicas=2,
    )
    selector = {"k8s-app": "kube-dns"}
    labels = {
        **selector,
        "eks.amazonaws.com/component": "kube-dns",
        "kubernetes.io/cluster-service": "true",
        "kubernetes.io/name": "CoreDNS",
    }
    ports = [
        {"name": "dns", "port": 53, "protocol": "UDP", "targetPort": 53},
        {"name": "dns-tcp", "port": 53, "protocol": "TCP", "targetPort": 53},
        {"name": "metrics", "port": 9153, "targetPort": 9153},
    ]
    yield {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "kube-dns", "namespace": NAMESPACE, "labels": labels},
        "spec": {"clusterIP": "172.20.0.10", "selector": selector, "ports": ports},
    }
    for name, image, cpu in (
        ("aws-node", "amazon-k8s-cni:v1.19.2-eksbuild.1", "50m"),
        ("kube-proxy", "kube-proxy:v1.32.0-minimal-eksbuild.2", "100m"),
    ):
        yield _workload(
            "DaemonSet",
            name,
            f"{_REGISTRY}/{image}",
            {"requests": {"cpu": cpu, "memory": "40Mi"}},
            {"k8s-app": name},
        )


def api_server(namespace: str) -> Iterator[tuple[str, Json]]:
    """Yield where the Service `kubernetes` leads: the API server's addresses in the network."""
    metadata: Json = {"name": "kubernetes", "namespace": namespace}
    port = {"name": "https", "port": 443, "protocol": "TCP"}
    unmirrored = {"endpointslice.kubernetes.io/skip-mirror": "true"}
    addresses = [{"ip": one} for one in _API_SERVERS]
    yield (
        "endpoints",
        {
            "metadata": {**metadata, "labels": unmirrored},
            "subsets": [{"addresses": addresses, "ports": [port]}],
        },
    )
    places = [{"addresses": [one], "conditions": {"ready": True}} for one in _API_SERVERS]
    yield (
        "endpointslices",
        {
            "metadata": {**metadata, "labels": {"kubernetes.io/service-name": "kubernetes"}},
            "addressType": "IPv4",
            "endpoints": places,
            "ports": [port],
        },
    )


def classes() -> Iterator[Json]:
    """Yield the classes that an EKS cluster comes with."""
    yield {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": "gp2"},
        "provisioner": "kubernetes.io/aws-ebs",
        "parameters": {"fsType": "ext4", "type": "gp2"},
        "reclaimPolicy": "Delete",
        "volumeBindingMode": "WaitForFirstConsumer",
    }
    for name, value in (
        ("system-cluster-critical", 2_000_000_000),
        ("system-node-critical", 2_000_001_000),
    ):
        yield {
            "apiVersion": "scheduling.k8s.io/v1",
            "kind": "PriorityClass",
            "metadata": {"name": name},
            "value": value,
            "preemptionPolicy": "PreemptLowerPriority",
            "description": "Used for system critical pods.",
        }


def _workload(
    kind: str, name: str, image: str, resources: Mapping[str, Any], labels: Json, **spec: Any
) -> Json:
    critical = "system-cluster-critical" if kind == "Deployment" else "system-node-critical"
    pod: Json = {
        "priorityClassName": critical,
        "containers": [{"name": name, "image": image, "resources": dict(resources)}],
    }
    if kind == "DaemonSet":
        pod |= {"hostNetwork": True, "tolerations": [{"operator": "Exists"}]}
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels},
        "spec": {
            **spec,
            "selector": {"matchLabels": {"k8s-app": labels["k8s-app"]}},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }
