"""Settings with their secrets read: apart from what uses them, which takes far longer to load.

An engine reads at once what lies at hand and what it cannot begin without; what is kept further
away is waited for only by what needs it, so that nobody's absence keeps the engine from work.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from petops.config import Settings, named, read_secrets
from petops.errors import PetopsError
from petops.sources.aws_calls import HASTY
from petops.sources.secrets_manager import FILE, is_reference, secret

Say = Callable[[str], None]

_PAUSES: Final = (1.0, 5.0, 15.0, 60.0)


async def with_secrets(settings: Settings, say: Say) -> Settings:
    """Return the settings with each secret that they only name, read from where it is kept.

    What cannot be had is said and left empty: Slack's token must not keep the engine from work.
    """
    return await read_secrets(settings, secret, _is_any, _emptied(say))


async def with_secrets_at_hand(settings: Settings, say: Say) -> Settings:
    """Return the settings with what lies in files read, and what the journal needs.

    The journal's address is waited for: without it an engine would keep a journal of its own. The
    rest still names where it is kept; `when_read` is for what needs it.
    """
    settings = await when_read(settings, "journal", say)
    return await read_secrets(settings, secret, _is_in_a_file, _emptied(say))


def is_read(settings: Settings, section: str) -> bool:
    """Say whether a section has no secret that is still to be read."""
    return not any(named(settings, _of(section)))


async def when_read(
    settings: Settings,
    section: str,
    say: Say,
    *,
    pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
) -> Settings:
    """Return the settings once each secret of a section could be read; say what it waits for."""
    failures, told = 0, ""

    def failed(name: str, exc: PetopsError) -> str:
        nonlocal told
        if exc.message != told:
            told = exc.message
            say(f"{name} is not there yet: {exc.message}; petops keeps trying")
        raise exc

    while True:
        try:
            return await read_secrets(settings, _soon, _of(section), failed)
        except PetopsError:
            await pause(_PAUSES[min(failures, len(_PAUSES) - 1)])
            failures += 1


async def _soon(given: str, *, region: str) -> str:
    """Read a secret, or fail soon: it is tried again, and who ends waits for calls under way."""
    return await secret(given, region=region, patience=HASTY)


def _emptied(say: Say) -> Callable[[str, PetopsError], str]:
    def failed(name: str, exc: PetopsError) -> str:
        say(f"{name} is not set: {exc.message}")
        return ""

    return failed


def _is_any(section: str, given: str) -> bool:
    del section
    return is_reference(given)


def _is_in_a_file(section: str, given: str) -> bool:
    del section
    return given.startswith(FILE)


def _of(wanted: str) -> Callable[[str, str], bool]:
    def chosen(section: str, given: str) -> bool:
        return section == wanted and is_reference(given)

    return chosen
