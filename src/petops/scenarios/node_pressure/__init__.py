"""A program fills the memory of the node that it lands on, until the kubelet has to evict pods."""

from __future__ import annotations

import math
from dataclasses import replace
from importlib.resources import files
from typing import Final

from petops.lab.programs import Behaviour, Program, ordinary
from petops.lab.quantities import MIB
from petops.scenarios.base import Scenario

_BASE_MIB: Final = 14.0


def behaviour(program: Program) -> Behaviour:
    """Fill until little is available on the node; end once the time is over."""
    usual = ordinary(program)
    rate = max(program.number("FILL_MIB_PER_SECOND", 96.0), 0.0)
    keep = max(program.number("KEEP_AVAILABLE_MIB", 50.0), 0.0)
    lasts = program.lasts_seconds
    room = max(program.node_available() / MIB - keep, 0.0)

    def rss_bytes(seconds: float) -> float:
        fills = usual.listens_after <= seconds < lasts
        filled = min(rate * (math.floor(seconds) + 1), room) if fills else 0.0
        return (_BASE_MIB + filled) * MIB

    return replace(
        usual,
        rss_bytes=rss_bytes,
        most_bytes=math.inf,
        exits_after=lasts if math.isfinite(lasts) else None,
        exit_code=0,
    )


SCENARIO: Final = Scenario(
    name="node-pressure",
    summary="batch-importer-fill takes a node's memory within a minute, and pods are evicted there",
    service="",
    diagnosis="node-memory-pressure",
    text=(files(__package__) / "manifest.yaml").read_text(encoding="utf-8"),
    behaviour=behaviour,
)
