"""The remedies that petops knows. To add one: its file, its test, and a line here."""

from collections.abc import Mapping
from types import MappingProxyType

from petops.remedies import (
    advice,
    cordon_node,
    create_hpa,
    drain_node,
    evict_hog,
    profile_memory,
    raise_cpu_limit,
    raise_memory_limit,
    restart_workload,
    scale_out,
    uncordon_node,
    undo_rollout,
    widen_hpa,
)
from petops.remedies.base import Remedy

REMEDIES: Mapping[str, Remedy] = MappingProxyType(
    {
        remedy.name: remedy
        for remedy in (
            undo_rollout.REMEDY,
            restart_workload.REMEDY,
            raise_memory_limit.REMEDY,
            raise_cpu_limit.REMEDY,
            scale_out.REMEDY,
            widen_hpa.REMEDY,
            create_hpa.REMEDY,
            cordon_node.REMEDY,
            uncordon_node.REMEDY,
            drain_node.REMEDY,
            evict_hog.REMEDY,
            profile_memory.REMEDY,
            *advice.REMEDIES,
        )
    }
)
