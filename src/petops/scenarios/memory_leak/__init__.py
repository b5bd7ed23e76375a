"""A program behind petadoptionshistory-py keeps more memory every second, until it is killed."""

from __future__ import annotations

from importlib.resources import files
from typing import Final

from petops.scenarios.base import Scenario

SCENARIO: Final = Scenario(
    name="memory-leak",
    summary="petadoptionshistory-py keeps 3 MiB more every second and is killed within a minute",
    service="petadoptionshistory-py",
    diagnosis="memory-leak",
    text=(files(__package__) / "manifest.yaml").read_text(encoding="utf-8"),
)
