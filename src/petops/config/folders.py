"""Where petops keeps things on this platform."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def state_folder() -> Path:
    """Return the folder where petops keeps what it must not lose."""
    return _platform_folder("XDG_STATE_HOME", ".local/state")


def config_folder() -> Path:
    """Return the folder where a user's petops.toml stands."""
    return _platform_folder("XDG_CONFIG_HOME", ".config")


def _platform_folder(variable: str, below_home: str) -> Path:
    chosen = os.environ.get(variable, "")
    if chosen:
        return Path(chosen) / "petops"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "petops"
    return Path.home() / below_home / "petops"
