"""What the doctor says of one thing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from petops.errors import ForbiddenError, PetopsError


class Verdict(StrEnum):
    """How one thing is. Only what is broken makes the doctor fail."""

    OK = "ok"
    WARNING = "warning"
    BROKEN = "broken"
    UNKNOWN = "unknown"  # something else is broken first
    OFF = "off"  # nothing asks for it


class Trouble(StrEnum):
    """What people come with, and which checks explain it."""

    NO_EVENTS = "no events"
    MCP_SILENT = "MCP silent"
    SLACK_SILENT = "Slack silent"
    NONE = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One line: what was looked at, what was seen, and the command or setting that mends it."""

    name: str
    verdict: Verdict
    told: str
    fix: str = ""
    trouble: Trouble = Trouble.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Checks that belong together. `look` must answer for every name, in whatever order."""

    names: tuple[str, ...]
    look: Callable[[], Awaitable[Sequence[Check]]]
    trouble: Trouble = Trouble.NONE


def ok(name: str, told: str) -> Check:
    """Return a check that found nothing wrong."""
    return Check(name=name, verdict=Verdict.OK, told=told)


def warning(name: str, told: str, fix: str = "") -> Check:
    """Return a check of something that works less well than it could."""
    return Check(name=name, verdict=Verdict.WARNING, told=told, fix=fix)


def broken(name: str, told: str, fix: str = "") -> Check:
    """Return a check of something that is needed and does not work."""
    return Check(name=name, verdict=Verdict.BROKEN, told=told, fix=fix)


def failed(name: str, exc: PetopsError, fix: str = "") -> Check:
    """Return a check that ended with an error of ours."""
    return broken(name, exc.message, fix or exc.hint or "")


def unknown(name: str, told: str) -> Check:
    """Return a check that could not be made, since something else is broken first."""
    return Check(name=name, verdict=Verdict.UNKNOWN, told=told)


def off(name: str, told: str, fix: str = "") -> Check:
    """Return a check of something that nothing asks for."""
    return Check(name=name, verdict=Verdict.OFF, told=told, fix=fix)


def is_forbidden(exc: PetopsError) -> bool:
    """Say whether a right is missing, rather than the thing itself."""
    return isinstance(exc, ForbiddenError)
