"""A program behind payforadoption-go wants more CPU than its limit gives, and answers slowly."""

from __future__ import annotations

from dataclasses import replace
from importlib.resources import files
from typing import Final

from petops.lab.programs import Behaviour, Program, ordinary
from petops.scenarios.base import Scenario

_MOST_CORES: Final = 1.0  # the program burns in one thread


def behaviour(program: Program) -> Behaviour:
    """Burn `BURN_CORES` until the program's time is over."""
    usual = ordinary(program)
    burns = min(max(program.number("BURN_CORES", 0.26), 0.0), _MOST_CORES)
    lasts = program.lasts_seconds

    def cpu_cores(seconds: float) -> float:
        busy = usual.listens_after <= seconds < lasts
        return usual.cpu_cores(seconds) + (burns if busy else 0.0)

    return replace(usual, cpu_cores=cpu_cores)


SCENARIO: Final = Scenario(
    name="cpu-throttling",
    summary="a pod behind payforadoption-go wants a third more CPU than its limit, and is slow",
    service="payforadoption-go",
    diagnosis="cpu-throttling",
    text=(files(__package__) / "manifest.yaml").read_text(encoding="utf-8"),
    behaviour=behaviour,
)
