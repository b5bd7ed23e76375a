"""Secrets that the settings only name, put in their places."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any, Protocol

from petops.config.sections import Settings
from petops.errors import PetopsError

Wanted = Callable[[str, str], bool]
"""Whether a section's value is to be read: `wanted(section, given)`."""


class ReadSecret(Protocol):
    """Reads what a setting names; raises PetopsError."""

    def __call__(self, given: str, *, region: str) -> Awaitable[str]:
        """Return the secret."""


async def read_secrets(
    settings: Settings,
    read: ReadSecret,
    wanted: Wanted,
    failed: Callable[[str, PetopsError], str],
) -> Settings:
    """Return the settings with the secrets that `read` finds.

    What cannot be had is left as `failed` says, who is told the setting's name; it may raise.
    """
    changed: dict[str, dict[str, Any]] = {}
    for section, name, given in named(settings, wanted):
        try:
            found = await read(given, region=settings.cluster.region)
        except PetopsError as exc:
            found = failed(f"{section}.{name}", exc)
        changed.setdefault(section, {})[name] = found
    parts: dict[str, Any] = {
        section: replace(getattr(settings, section), **found) for section, found in changed.items()
    }
    return replace(settings, **parts)


def named(settings: Settings, wanted: Wanted) -> Iterator[tuple[str, str, str]]:
    """Yield section, name and value of each secret setting that is wanted."""
    for section in fields(settings):
        values = getattr(settings, section.name)
        if not is_dataclass(values) or isinstance(values, type):
            continue
        for one in fields(values):
            given = getattr(values, one.name)
            is_secret = one.metadata.get("secret") and isinstance(given, str)
            if is_secret and wanted(section.name, given):
                yield section.name, one.name, given
