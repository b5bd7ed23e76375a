"""The nodes of the lab's cluster, as an EKS managed node group names and labels them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from petops.domain.subject import ClusterName
from petops.lab.quantities import stamp
from petops.lab.store import Json

_ZONES: Final = ("a", "b", "c")
_NODE_AGE: Final = timedelta(days=9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """An instance type: capacity and what is left of it for pods."""

    name: str
    cpu: tuple[str, str]
    memory: tuple[str, str]
    pods: str


_MACHINES: Final = (
    Machine(name="m5.large", cpu=("2", "1930m"), memory=("7934716Ki", "7244540Ki"), pods="29"),
    Machine(name="m5.xlarge", cpu=("4", "3920m"), memory=("15944296Ki", "14927464Ki"), pods="58"),
)


def nodes(
    cluster: ClusterName, start: datetime, count: int = 3, *, large: bool = False
) -> Iterator[Json]:
    """Yield the nodes, as an EKS managed node group names and labels them."""
    machine = _MACHINES[large]
    for position in range(count):
        row, column = divmod(position, len(_ZONES))
        zone = f"{cluster.region}{_ZONES[column]}"
        last = (39 + 53 * column + row) % 250 + 2
        address = f"10.0.{16 * column + 7 + row // 250}.{last}"
        name = f"ip-{address.replace('.', '-')}.ec2.internal"
        instance = f"i-0{(0x3F7A91C20D5E + 0x1B3D5A7 * (position + 1)):016x}"
        created = start - _NODE_AGE + timedelta(minutes=3 * position)
        yield {
            "metadata": {
                "name": name,
                "creationTimestamp": stamp(created),
                "labels": _node_labels(name, zone, cluster.region, machine.name),
                "annotations": {"node.alpha.kubernetes.io/ttl": "0"},
            },
            "spec": {"providerID": f"aws:///{zone}/{instance}"},
            "status": _node_status(name, address, created, start) | _room(machine),
        }


def _room(machine: Machine) -> Json:
    fixed = {"ephemeral-storage": "83873772Ki"}
    capacity = {"cpu": machine.cpu[0], **fixed, "memory": machine.memory[0], "pods": machine.pods}
    free = {"ephemeral-storage": "76224326324"}
    room = {"cpu": machine.cpu[1], **free, "memory": machine.memory[1], "pods": machine.pods}
    return {"capacity": capacity, "allocatable": room}


def _node_labels(name: str, zone: str, region: str, machine: str) -> Mapping[str, str]:
    return {
        "beta.kubernetes.io/arch": "amd64",
        "beta.kubernetes.io/instance-type": machine,
        "beta.kubernetes.io/os": "linux",
        "eks.amazonaws.com/capacityType": "ON_DEMAND",
        "eks.amazonaws.com/nodegroup": "workers",
        "failure-domain.beta.kubernetes.io/region": region,
        "failure-domain.beta.kubernetes.io/zone": zone,
        "kubernetes.io/arch": "amd64",
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "node.kubernetes.io/instance-type": machine,
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
