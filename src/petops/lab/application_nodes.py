"""The nodes of the lab's cluster, as an EKS managed node group names and labels them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final

from petops.domain.subject import ClusterName
from petops.lab.quantities import stamp
from petops.lab.store import Json

_ZONES: Final = ("a", "b", "c")
_NODE_AGE: Final = timedelta(days=9)


def nodes(cluster: ClusterName, start: datetime) -> Iterator[Json]:
    """Yield the nodes, as an EKS managed node group names and labels them."""
    for position, letter in enumerate(_ZONES):
        zone = f"{cluster.region}{letter}"
        address = f"10.0.{16 * position + 7}.{41 + 53 * position}"
        name = f"ip-{address.replace('.', '-')}.ec2.internal"
        instance = f"i-0{(0x3F7A91C20D5E + 0x1B3D5A7 * (position + 1)):016x}"
        created = start - _NODE_AGE + timedelta(minutes=3 * position)
        yield {
            "metadata": {
                "name": name,
                "creationTimestamp": stamp(created),
                "labels": _node_labels(name, zone, cluster.region),
                "annotations": {"node.alpha.kubernetes.io/ttl": "0"},
            },
            "spec": {"providerID": f"aws:///{zone}/{instance}"},
            "status": _node_status(name, address, created, start),
        }


def _node_labels(name: str, zone: str, region: str) -> Mapping[str, str]:
    return {
        "beta.kubernetes.io/arch": "amd64",
        "beta.kubernetes.io/instance-type": "m5.large",
        "beta.kubernetes.io/os": "linux",
        "eks.amazonaws.com/capacityType": "ON_DEMAND",
        "eks.amazonaws.com/nodegroup": "workers",
        "failure-domain.beta.kubernetes.io/region": region,
        "failure-domain.beta.kubernetes.io/zone": zone,
        "kubernetes.io/arch": "amd64",
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "node.kubernetes.io/instance-type": "m5.large",
        "topology.kubernetes.io/region": region,
        "topology.kubernetes.io/zone": zone,
    }


def _node_status(name: str, address: str, created: datetime, now: datetime) -> Json:
    conditions = (
        (
            "MemoryPressure",
            "False",
            "KubeletHasSufficientMemory",
            "kubelet has sufficient memory available",
        ),
        ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
        ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
        ("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
    )
    return {
        "capacity": {
            "cpu": "2",
            "ephemeral-storage": "83873772Ki",
            "memory": "7934716Ki",
            "pods": "29",
        },
        "allocatable": {
            "cpu": "1930m",
            "ephemeral-storage": "76224326324",
            "memory": "7244540Ki",
            "pods": "29",
        },
        "conditions": [
            {
                "type": kind,
                "status": status,
                "lastHeartbeatTime": stamp(now),
                "lastTransitionTime": stamp(created + timedelta(seconds=20)),
                "reason": reason,
                "message": message,
            }
            for kind, status, reason, message in conditions
        ],
        "addresses": [
            {"type": "InternalIP", "address": address},
            {"type": "InternalDNS", "address": name},
            {"type": "Hostname", "address": name},
        ],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
        "nodeInfo": {
            "kernelVersion": "6.1.141-155.222.amzn2023.x86_64",
            "osImage": "Amazon Linux 2023.7.20250623",
            "containerRuntimeVersion": "containerd://1.7.27",
            "kubeletVersion": "v1.32.13-eks-lab",
            "kubeProxyVersion": "v1.32.13-eks-lab",
            "operatingSystem": "linux",
            "architecture": "amd64",
        },
    }
