"""Secrets that the settings only name, put in their places."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import fields, is_dataclass, replace
from typing import Any, Protocol

from petops.config.sections import Settings
from petops.errors import PetopsError


class ReadSecret(Protocol):
    """Reads what a setting names; raises PetopsError."""

    def __call__(self, given: str, *, region: str) -> Awaitable[str]:
        """Return the secret."""


async def read_secrets(
    settings: Settings,
    read: ReadSecret,
    is_reference: Callable[[str], bool],
    say: Callable[[str], None],
) -> Settings:
    """Return the settings with the secrets that `read` finds; what it cannot have is left empty."""
    changed: dict[str, Any] = {}
    for section in fields(settings):
        values = getattr(settings, section.name)
        if not is_dataclass(values) or isinstance(values, type):
            continue
        found: dict[str, str] = {}
        for one in fields(values):
            given = getattr(values, one.name)
            if one.metadata.get("secret") and isinstance(given, str) and is_reference(given):
                try:
                    found[one.name] = await read(given, region=settings.cluster.region)
                except PetopsError as exc:
                    say(f"{section.name}.{one.name} is not set: {exc.message}")
                    found[one.name] = ""
        if found:
            changed[section.name] = replace(values, **found)
    return replace(settings, **changed) if changed else settings
