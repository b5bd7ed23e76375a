"""What node_exporter says of a node, and the one figure that only the kubelet has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from petops.lab.exposition import Sample
from petops.lab.usage import NodeUsage

DISK: Final = (("device", "nvme0n1"),)


def node_samples(nodes: Iterable[NodeUsage]) -> Iterator[Sample]:
    """Yield a node_exporter's figures for each node; which node it is, the scrape's labels say."""
    for node in nodes:
        yield Sample("node_memory_MemTotal_bytes", (), node.memory_total_bytes)
        yield Sample("node_memory_MemAvailable_bytes", (), node.memory_available_bytes)
        yield Sample("node_disk_io_time_seconds_total", DISK, node.disk_io_seconds_total)
        yield from _processors(node)
        yield from _pressure(node)


def kubelet_samples(nodes: Iterable[NodeUsage]) -> Iterator[Sample]:
    """Yield how many pods the kubelet evicted for want of memory."""
    for node in nodes:
        signal = (("eviction_signal", "memory.available"),)
        yield Sample("kubelet_evictions", signal, node.evictions_total)


def _processors(node: NodeUsage) -> Iterator[Sample]:
    modes = (
        ("idle", node.cpu_idle_seconds_total),
        ("iowait", node.cpu_iowait_seconds_total),
        ("system", node.cpu_system_seconds_total),
        ("user", node.cpu_user_seconds_total),
    )
    for cpu in range(node.cpus):
        for mode, seconds in modes:
            labels = (("cpu", str(cpu)), ("mode", mode))
            yield Sample("node_cpu_seconds_total", labels, seconds / node.cpus)


def _pressure(node: NodeUsage) -> Iterator[Sample]:
    waiting = (
        ("cpu", node.pressure_cpu_waiting_seconds_total),
        ("io", node.pressure_io_waiting_seconds_total),
        ("memory", node.pressure_memory_waiting_seconds_total),
    )
    for resource, seconds in waiting:
        yield Sample(f"node_pressure_{resource}_waiting_seconds_total", (), seconds)
