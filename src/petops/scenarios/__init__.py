"""Faults that can be injected, into the lab or into a cluster: one folder each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from petops.lab.programs import Behaviours
from petops.scenarios import cpu_throttling, memory_leak, node_pressure
from petops.scenarios.base import Scenario

CATALOGUE: Final[Mapping[str, Scenario]] = {
    scenario.name: scenario
    for scenario in (memory_leak.SCENARIO, cpu_throttling.SCENARIO, node_pressure.SCENARIO)
}

BEHAVIOURS: Final[Behaviours] = {
    scenario.name: scenario.behaviour for scenario in CATALOGUE.values()
}
"""What a `World` has to be told of the scenarios' programs."""
