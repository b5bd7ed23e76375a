"""The remedies that petops knows. To add one: its file, its test, and a line here."""

from collections.abc import Mapping
from types import MappingProxyType

from petops.remedies import (
    profile_memory,
    raise_memory_limit,
    restart_workload,
    undo_rollout,
)
from petops.remedies.base import Remedy

REMEDIES: Mapping[str, Remedy] = MappingProxyType(
    {
        remedy.name: remedy
        for remedy in (
            undo_rollout.REMEDY,
            restart_workload.REMEDY,
            raise_memory_limit.REMEDY,
            profile_memory.REMEDY,
        )
    }
)
