"""The failure modes that petops knows. To add one: its file, its test, and a line here."""

from collections.abc import Mapping
from types import MappingProxyType

from petops.playbooks import (
    admission_refused,
    bad_rollout,
    cpu_throttling,
    crash_loop,
    disk_pressure,
    failing_probe,
    hpa_maxed,
    image_pull,
    job_failed,
    memory_leak,
    memory_limit_too_low,
    no_endpoints,
    node_cpu_starvation,
    node_memory_pressure,
    node_not_ready,
    pod_sandbox,
    quota_exceeded,
    slow_dependency,
    unschedulable,
    volume_mount,
)
from petops.playbooks.base import FailureMode

MODES: Mapping[str, FailureMode] = MappingProxyType(
    {
        mode.name: mode
        for mode in (
            memory_leak.MODE,
            cpu_throttling.MODE,
            node_memory_pressure.MODE,
            bad_rollout.MODE,
            crash_loop.MODE,
            failing_probe.MODE,
            image_pull.MODE,
            unschedulable.MODE,
            hpa_maxed.MODE,
            no_endpoints.MODE,
            node_not_ready.MODE,
            disk_pressure.MODE,
            quota_exceeded.MODE,
            job_failed.MODE,
            memory_limit_too_low.MODE,
            slow_dependency.MODE,
            node_cpu_starvation.MODE,
            volume_mount.MODE,
            pod_sandbox.MODE,
            admission_refused.MODE,
        )
    }
)
