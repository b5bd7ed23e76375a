"""Figures of a small cluster, for tests of what is made from them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from petops.lab.usage import DURATION_BUCKETS, ContainerUsage, NodeUsage, ServiceTraffic

MIB = 1024**2
NOW = datetime(2026, 11, 23, 7, 0, 0, tzinfo=UTC)
NODE = "ip-10-0-1-11.ec2.internal"

USAGE = ContainerUsage(
    namespace="default",
    pod="petsite-7f74966dfb-fgn44",
    pod_uid="87b34153-6097-4e02-901c-d42b54312b5c",
    container="petsite",
    container_id="08465ce850d23f064fce50a29096ac35c973b75dbb6d611e9bd6e065674183e0",
    image="111122223333.dkr.ecr.us-east-1.amazonaws.com/petsite:1.0",
    node=NODE,
    owner_kind="ReplicaSet",
    owner_name="petsite-7f74966dfb",
    service_app="petsite",
    sampled_at=NOW - timedelta(seconds=4),
    started_at=NOW - timedelta(hours=3),
    memory_rss_bytes=60 * MIB,
    memory_cache_bytes=10 * MIB,
    memory_working_set_bytes=64 * MIB,
    memory_usage_bytes=70 * MIB,
    cpu_seconds_total=100.5,
    cfs_periods_total=1000,
    cfs_throttled_periods_total=10,
    cfs_throttled_seconds_total=0.5,
    memory_limit_bytes=128 * MIB,
    cpu_limit_cores=0.5,
    network_receive_bytes_total=10_000,
    network_transmit_bytes_total=20_000,
    alive=True,
)
NODE_USAGE = NodeUsage(
    node=NODE,
    at=NOW,
    cpus=2,
    memory_total_bytes=8192 * MIB,
    memory_available_bytes=4096 * MIB,
    cpu_idle_seconds_total=1000.0,
    cpu_user_seconds_total=200.0,
    cpu_system_seconds_total=40.0,
    cpu_iowait_seconds_total=4.0,
    disk_io_seconds_total=12.0,
    pressure_cpu_waiting_seconds_total=1.0,
    pressure_memory_waiting_seconds_total=2.0,
    pressure_io_waiting_seconds_total=3.0,
    evictions_total=0,
)
TRAFFIC = ServiceTraffic(
    namespace="default",
    service="petsite",
    pod=USAGE.pod,
    container="petsite",
    node=NODE,
    at=NOW,
    requests_total=100,
    errors_total=3,
    duration_counts=tuple(min(100, 10 * (n + 1)) for n in range(len(DURATION_BUCKETS))),
    duration_seconds_sum=4.5,
)
POD = {
    "metadata": {
        "name": USAGE.pod,
        "namespace": "default",
        "uid": USAGE.pod_uid,
        "labels": {"app": "petsite"},
        "ownerReferences": [
            {"kind": "ReplicaSet", "name": "petsite-7f74966dfb", "controller": True}
        ],
    },
    "spec": {"containers": [{"name": "petsite"}], "nodeName": NODE},
    "status": {"phase": "Running", "containerStatuses": [{"name": "petsite", "restartCount": 0}]},
}


@dataclass
class Objects:
    """Objects by resource, in place of the store."""

    held: dict[str, list[dict[str, Any]]]

    def objects(self, resource: str, namespace: str = "") -> Iterator[dict[str, Any]]:
        return iter(self.held.get(resource, ()))


@dataclass
class Figures:
    """A world of one pod, whose memory and restarts tests set; history is like the present."""

    now: datetime = NOW
    usages: list[ContainerUsage] = field(default_factory=lambda: [USAGE])
    node: NodeUsage = NODE_USAGE
    store: Objects = field(
        default_factory=lambda: Objects(
            {
                "pods": [POD],
                "deployments": [
                    {
                        "metadata": {"name": "petsite", "namespace": "default"},
                        "spec": {"replicas": 1},
                    }
                ],
                "services": [
                    {
                        "metadata": {"name": "service-petsite", "namespace": "default"},
                        "spec": {"selector": {"app": "petsite"}},
                    }
                ],
                "nodes": [
                    {
                        "metadata": {"name": NODE},
                        "spec": {"providerID": "aws:///us-east-1a/i-0abc"},
                    }
                ],
            }
        )
    )

    def pass_time(self, seconds: float, *, working_set_mib: float = 64, cores: float = 0.1) -> None:
        """Let cAdvisor look again, `seconds` later."""
        self.now += timedelta(seconds=seconds)
        self.usages = [
            replace(
                each,
                sampled_at=self.now,
                memory_working_set_bytes=int(working_set_mib * MIB),
                cpu_seconds_total=each.cpu_seconds_total + seconds * cores,
            )
            for each in self.usages
        ]
        self.node = replace(self.node, at=self.now)

    def restart(self) -> None:
        """Count one more restart of the pod's container."""
        status = {"name": "petsite", "restartCount": 1}
        pod = {**POD, "status": {"phase": "Running", "containerStatuses": [status]}}
        self.store.held["pods"] = [pod]

    def usage(self) -> Sequence[ContainerUsage]:
        return self.usages

    def traffic(self) -> Sequence[ServiceTraffic]:
        return [TRAFFIC]

    def nodes_usage(self) -> Sequence[NodeUsage]:
        return [self.node]

    def history(self, at: datetime) -> Sequence[ContainerUsage]:
        seconds = (self.now - at).total_seconds()
        return [
            replace(each, sampled_at=at, cpu_seconds_total=each.cpu_seconds_total - 0.001 * seconds)
            for each in self.usages
        ]

    def traffic_history(self, at: datetime) -> Sequence[ServiceTraffic]:
        return [replace(TRAFFIC, at=at)]

    def silent_nodes(self) -> frozenset[str]:
        return frozenset()

    def nodes_history(self, at: datetime) -> Sequence[NodeUsage]:
        return [replace(self.node, at=at)]
