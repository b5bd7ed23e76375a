"""How a setting is declared: its default, the variables that set it, and what it is for."""

from __future__ import annotations

from dataclasses import field
from typing import Any


def described(default: Any, *variables: str, about: str, secret: bool = False) -> Any:
    """Return a field of a section; of several variables the last one that is set wins."""
    metadata = {"variables": variables, "about": about, "secret": secret}
    return field(default=default, metadata=metadata)
