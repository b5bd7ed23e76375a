"""What the lab's telemetry is made of: samples of containers, of what they answer, and of nodes.

`World.usage()`, `World.traffic()` and `World.nodes_usage()` return these for the present,
`World.history(at)`, `World.traffic_history(at)` and `World.nodes_history(at)` for a moment of the
steady hour before the world began. Counters run on from history into the present. A container's
sample is refreshed every 10 to 15 s only, as cAdvisor does: `sampled_at` says when, and everything
in it stands as of that moment.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

DURATION_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds in seconds of the request duration histogram; `+Inf` is `requests_total`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerUsage:
    """One container's life so far, as cAdvisor saw it at `sampled_at`.

    `container_id` is the bare id (no `containerd://`), new with every restart; counters begin again
    with it. Network counters belong to the pod (they outlive a restart) and are the same for all
    its containers. `owner_kind` and `owner_name` are the pod's controller (`ReplicaSet`),
    `service_app` its label `app`.
    """

    namespace: str
    pod: str
    pod_uid: str
    container: str
    container_id: str
    image: str
    node: str
    owner_kind: str
    owner_name: str
    service_app: str
    sampled_at: datetime
    started_at: datetime
    memory_rss_bytes: int
    memory_cache_bytes: int
    memory_working_set_bytes: int
    memory_usage_bytes: int
    cpu_seconds_total: float
    cfs_periods_total: int
    cfs_throttled_periods_total: int
    cfs_throttled_seconds_total: float
    memory_limit_bytes: int | None
    cpu_limit_cores: float | None
    network_receive_bytes_total: int
    network_transmit_bytes_total: int
    alive: bool
    cpu_waiting_seconds_total: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceTraffic:
    """What one pod of a service has answered since its program started.

    `duration_counts` are cumulative counts for `DURATION_BUCKETS`, in order; `requests_total` is
    also the histogram's count. `errors_total` are the requests of those that ended in a 5xx.
    """

    namespace: str
    service: str
    pod: str
    container: str
    node: str
    at: datetime
    requests_total: int
    errors_total: int
    duration_counts: tuple[int, ...]
    duration_seconds_sum: float


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeUsage:
    """One node, as its node_exporter sees it. Counters count since the node booted."""

    node: str
    at: datetime
    cpus: int
    memory_total_bytes: int
    memory_available_bytes: int
    cpu_idle_seconds_total: float
    cpu_user_seconds_total: float
    cpu_system_seconds_total: float
    cpu_iowait_seconds_total: float
    disk_io_seconds_total: float
    pressure_cpu_waiting_seconds_total: float
    pressure_memory_waiting_seconds_total: float
    pressure_io_waiting_seconds_total: float
    evictions_total: int
