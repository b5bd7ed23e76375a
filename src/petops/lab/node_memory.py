"""How much memory a node has left, and by which rules its kubelet acts on that."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from petops.lab.chance import Chance
from petops.lab.quantities import GIB, MIB, moment, quantity
from petops.lab.runs import Run
from petops.lab.store import Json

_RESERVED_BYTES: Final = int(0.9 * GIB)
_SWING_BYTES: Final = 40 * MIB


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRules:
    """What the kubelets are configured with, by the names of KubeletConfiguration.

    `evictionHard: {memory.available: 100Mi, nodefs.available: 10%}` is what EKS sets.
    `evictionPressureTransitionPeriod` is 5 minutes where nobody sets it; the lab's kubelets have a
    shorter one, as nobody who practises wants to wait that long.
    """

    memory_available_bytes: int = 100 * MIB
    disk_available_ratio: float = 0.1
    transition_seconds: float = 30.0


def used_bytes(run: Run, now: datetime) -> int:
    """Return the working set of a program that runs."""
    return run.behaviour.memory(run.age(now), run.program.memory_limit_bytes)[2]


def available_bytes(node: Json, runs: Iterable[Run], now: datetime, chance: Chance) -> int:
    """Return what is left of a node's memory, beside these programs and the system's own."""
    name = node["metadata"]["name"]
    total = int(quantity(node["status"]["capacity"]["memory"]))
    up = (now - moment(node["metadata"]["creationTimestamp"])).total_seconds()
    noise = int(_SWING_BYTES * chance.wobble("node", name)(up))
    used = sum(used_bytes(run, now) for run in runs)
    return max(total - _RESERVED_BYTES - used - noise, 0)
