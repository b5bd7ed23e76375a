"""The environment, read and taken on: the only place that does either."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from petops.config.loading import Loaded, load
from petops.config.network import trusted


def settings_from(config: Path | None) -> Loaded:
    """Read the settings from file and environment: the only reading of either."""
    use_environment(trusted(os.environ))
    return load(config, os.environ)


def use_environment(variables: Mapping[str, str]) -> None:
    """Take on another's environment, as `eval "$(petops lab env)"` would: vendors read it too."""
    os.environ.update(variables)
