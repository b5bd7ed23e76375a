"""What a kubelet says of its containers: /metrics/cadvisor and /metrics/resource.

As on a real node, each container stands there beside its pod's own cgroup and the pause container
(both with container=""), samples carry the time at which cAdvisor last looked, specifications carry
none, and a container that has ended is gone at once while Prometheus still shows its last samples.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import groupby
from typing import Final

from petops.lab.exposition import Labels, Sample, milliseconds
from petops.lab.usage import ContainerUsage, NodeUsage

PAUSE_IMAGE: Final = "registry.k8s.io/pause:3.10"
_PAUSE_MEMORY_BYTES: Final = 225_280
_PAUSE_CPU_SECONDS: Final = 0.0204
_CFS_PERIOD_MICROSECONDS: Final = 100_000
_NAMES: Final = ("container", "id", "image", "name", "namespace", "pod")


def cadvisor_samples(
    usages: Iterable[ContainerUsage], nodes: Iterable[NodeUsage] = ()
) -> Iterator[Sample]:
    """Yield what the cAdvisors of these containers' nodes show."""
    for node in nodes:
        yield from _root(node)
    for pod in _pods(usages):
        alive = [usage for usage in pod if usage.alive]
        yield from _pod_cgroup(pod, alive)
        yield from _pause(pod[-1])
        for usage in alive:
            yield from _container(usage)


def resource_samples(
    usages: Iterable[ContainerUsage], nodes: Iterable[NodeUsage] = ()
) -> Iterator[Sample]:
    """Yield /metrics/resource: the same CPU and memory, once more under other labels."""
    for usage in usages:
        if usage.alive:
            labels = _names(usage, with_container=True)
            at = milliseconds(usage.sampled_at)
            yield Sample("container_cpu_usage_seconds_total", labels, usage.cpu_seconds_total, at)
            yield Sample(
                "container_memory_working_set_bytes", labels, usage.memory_working_set_bytes, at
            )
            yield Sample("container_start_time_seconds", labels, usage.started_at.timestamp())
    for pod in _pods(usage for usage in usages if usage.alive):
        labels = _names(pod[0], with_container=False)
        at = max(milliseconds(usage.sampled_at) for usage in pod)
        cpu = sum(usage.cpu_seconds_total for usage in pod) + _PAUSE_CPU_SECONDS
        memory = sum(usage.memory_working_set_bytes for usage in pod) + _PAUSE_MEMORY_BYTES
        yield Sample("pod_cpu_usage_seconds_total", labels, cpu, at)
        yield Sample("pod_memory_working_set_bytes", labels, memory, at)
    for node in nodes:
        at = milliseconds(node.at)
        yield Sample("node_cpu_usage_seconds_total", (), _busy_seconds(node), at)
        yield Sample("node_memory_working_set_bytes", (), _used_bytes(node), at)
    yield Sample("resource_scrape_error", (), 0)


def _pods(usages: Iterable[ContainerUsage]) -> Iterator[list[ContainerUsage]]:
    def uid(usage: ContainerUsage) -> str:
        return usage.pod_uid

    return (list(pod) for _, pod in groupby(sorted(usages, key=uid), key=uid))


def _names(usage: ContainerUsage, *, with_container: bool) -> Labels:
    container = (("container", usage.container),) if with_container else ()
    return (*container, ("namespace", usage.namespace), ("pod", usage.pod))


def _container(usage: ContainerUsage) -> Iterator[Sample]:
    cgroup = f"{_pod_path(usage)}/cri-containerd-{usage.container_id}.scope"
    labels = _identity(usage, cgroup, usage.container, usage.image, usage.container_id)
    yield from _use([usage], labels)
    yield from _specification([usage], labels)


def _pod_cgroup(pod: Sequence[ContainerUsage], alive: Sequence[ContainerUsage]) -> Iterator[Sample]:
    labels = _identity(pod[-1], _pod_path(pod[-1]))
    if alive:
        yield from _use(alive, labels, extra=1)
        yield from _specification(alive, labels)


def _pause(usage: ContainerUsage) -> Iterator[Sample]:
    name = hashlib.sha256(usage.pod_uid.encode()).hexdigest()
    cgroup = f"{_pod_path(usage)}/cri-containerd-{name}.scope"
    labels = _identity(usage, cgroup, "", PAUSE_IMAGE, name)
    at = milliseconds(usage.sampled_at)
    for metric in ("usage", "working_set"):
        yield Sample(f"container_memory_{metric}_bytes", labels, _PAUSE_MEMORY_BYTES, at)
    yield Sample("container_memory_rss", labels, 40_960, at)
    yield Sample("container_memory_cache", labels, 20_480, at)
    yield Sample("container_cpu_usage_seconds_total", _with_cpu(labels), _PAUSE_CPU_SECONDS, at)
    yield Sample("container_oom_events_total", labels, 0, at)
    yield Sample("container_spec_memory_limit_bytes", labels, 0)
    on_wire = _with_interface(labels)
    received, sent = usage.network_receive_bytes_total, usage.network_transmit_bytes_total
    yield Sample("container_network_receive_bytes_total", on_wire, received, at)
    yield Sample("container_network_transmit_bytes_total", on_wire, sent, at)


def _use(usages: Sequence[ContainerUsage], labels: Labels, *, extra: int = 0) -> Iterator[Sample]:
    """Yield what one cgroup used; `extra` counts the pause containers in it."""
    at = max(milliseconds(usage.sampled_at) for usage in usages)
    pause_bytes = extra * _PAUSE_MEMORY_BYTES
    rss = sum(usage.memory_rss_bytes for usage in usages)
    cache = sum(usage.memory_cache_bytes for usage in usages)
    usage_bytes = sum(usage.memory_usage_bytes for usage in usages) + pause_bytes
    working_set = sum(usage.memory_working_set_bytes for usage in usages) + pause_bytes
    cpu = sum(usage.cpu_seconds_total for usage in usages) + extra * _PAUSE_CPU_SECONDS
    yield Sample("container_memory_rss", labels, rss, at)
    yield Sample("container_memory_cache", labels, cache, at)
    yield Sample("container_memory_usage_bytes", labels, usage_bytes, at)
    yield Sample("container_memory_working_set_bytes", labels, working_set, at)
    yield Sample("container_cpu_usage_seconds_total", _with_cpu(labels), cpu, at)
    yield Sample("container_oom_events_total", labels, 0, at)
    waiting = max(usage.cpu_waiting_seconds_total for usage in usages)
    yield Sample("container_pressure_cpu_waiting_seconds_total", labels, waiting, at)
    capped = [usage for usage in usages if usage.cpu_limit_cores is not None]
    if capped and len(capped) == len(usages):
        periods = max(usage.cfs_periods_total for usage in capped)
        throttled = max(usage.cfs_throttled_periods_total for usage in capped)
        seconds = sum(usage.cfs_throttled_seconds_total for usage in capped)
        yield Sample("container_cpu_cfs_periods_total", labels, periods, at)
        yield Sample("container_cpu_cfs_throttled_periods_total", labels, throttled, at)
        yield Sample("container_cpu_cfs_throttled_seconds_total", labels, seconds, at)


def _specification(usages: Sequence[ContainerUsage], labels: Labels) -> Iterator[Sample]:
    """Yield limits and start: these carry no time, so they vanish with their container."""
    memory = [usage.memory_limit_bytes for usage in usages]
    limit = 0 if None in memory else sum(each or 0 for each in memory)
    yield Sample("container_spec_memory_limit_bytes", labels, limit)
    yield Sample("container_spec_cpu_period", labels, _CFS_PERIOD_MICROSECONDS)
    cores = [usage.cpu_limit_cores for usage in usages]
    if None not in cores:
        quota = sum(each or 0 for each in cores) * _CFS_PERIOD_MICROSECONDS
        yield Sample("container_spec_cpu_quota", labels, round(quota))
    started = min(usage.started_at for usage in usages)
    yield Sample("container_start_time_seconds", labels, int(started.timestamp()))


def _root(node: NodeUsage) -> Iterator[Sample]:
    labels = _labels(("", "/", "", "", "", ""))
    at = milliseconds(node.at)
    for metric in ("usage", "working_set"):
        yield Sample(f"container_memory_{metric}_bytes", labels, _used_bytes(node), at)
    yield Sample("container_cpu_usage_seconds_total", _with_cpu(labels), _busy_seconds(node), at)
    yield Sample("container_spec_memory_limit_bytes", labels, node.memory_total_bytes)
    yield Sample("machine_cpu_cores", (), node.cpus)
    yield Sample("machine_memory_bytes", (), node.memory_total_bytes)


def _busy_seconds(node: NodeUsage) -> float:
    return node.cpu_user_seconds_total + node.cpu_system_seconds_total


def _used_bytes(node: NodeUsage) -> int:
    return node.memory_total_bytes - node.memory_available_bytes


def _identity(
    usage: ContainerUsage, cgroup: str, container: str = "", image: str = "", name: str = ""
) -> Labels:
    return _labels((container, cgroup, image, name, usage.namespace, usage.pod))


@lru_cache(maxsize=20_000)
def _labels(values: tuple[str, ...]) -> Labels:
    """Pair the names with values; remembered, so that equal labels are one object."""
    return tuple(zip(_NAMES, values, strict=True))


@lru_cache(maxsize=20_000)
def _with_cpu(labels: Labels) -> Labels:
    return (labels[0], ("cpu", "total"), *labels[1:])


@lru_cache(maxsize=20_000)
def _with_interface(labels: Labels) -> Labels:
    return (*labels[:3], ("interface", "eth0"), *labels[3:])


def _pod_path(usage: ContainerUsage) -> str:
    """Return the pod's cgroup as EKS nodes lay it out (version 2, systemd)."""
    limited = usage.memory_limit_bytes is not None or usage.cpu_limit_cores is not None
    quality = "burstable" if limited else "besteffort"
    uid = usage.pod_uid.replace("-", "_")
    return f"/kubepods.slice/kubepods-{quality}.slice/kubepods-{quality}-pod{uid}.slice"
