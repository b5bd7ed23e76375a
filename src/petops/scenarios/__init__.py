"""Faults that can be injected, into the lab or into a cluster: one folder each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from petops.lab.programs import Behaviours
from petops.scenarios import memory_leak
from petops.scenarios.base import Scenario

CATALOGUE: Final[Mapping[str, Scenario]] = {
    scenario.name: scenario for scenario in (memory_leak.SCENARIO,)
}

BEHAVIOURS: Final[Behaviours] = {
    scenario.name: scenario.behaviour for scenario in CATALOGUE.values()
}
"""What a `World` has to be told of the scenarios' programs."""
