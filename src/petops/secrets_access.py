"""Settings with their secrets read: apart from what uses them, which takes far longer to load."""

from __future__ import annotations

from collections.abc import Callable

from petops.config import Settings, read_secrets
from petops.sources.secrets_manager import is_reference, secret


async def with_secrets(settings: Settings, say: Callable[[str], None]) -> Settings:
    """Return the settings with each secret that they only name, read from where it is kept.

    What cannot be had is said and left empty: Slack's token must not keep the engine from work.
    """
    return await read_secrets(settings, secret, is_reference, say)
