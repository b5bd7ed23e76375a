"""What the dashboard is given beside engines, since a surface may not reach it by itself.

Each may be missing: then its screen is not there, and says so where somebody asks for it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from petops.domain.events import Event
from petops.domain.evidence import Series
from petops.domain.facts import Fact
from petops.domain.incident import Incident
from petops.domain.subject import Subject
from petops.tui.plots import Plot


class Spoken(Protocol):
    """One line of a told event; `style` is a rich style that repeats what the text says."""

    @property
    def text(self) -> str: ...

    @property
    def depth(self) -> int: ...

    @property
    def style(self) -> str: ...


Tell = Callable[[Event], Sequence[Spoken]]
"""Tells an event as a person would: the first line says it, the rest is detail."""

Summarise = Callable[[Fact], str]
"""Says what a step answered, in a few words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A fault that can be injected: its name, what it does, what it runs."""

    name: str
    summary: str
    target: Subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Injected:
    """A fault that is at work, and when it ends by itself."""

    name: str
    target: str
    expires: datetime | None


class Chaos(Protocol):
    """Faults on one cluster, which may be a lab. Each call raises PetopsError."""

    async def faults(self) -> Sequence[Fault]:
        """Return what can be injected."""

    async def status(self) -> Sequence[Injected]:
        """Return what is injected now."""

    async def inject(self, name: str) -> str:
        """Inject a fault; return what was done, in a sentence."""

    async def clean(self, name: str) -> str:
        """Take a fault back; return what was done, in a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """An answer to a question in words: the query that was made of it, and what it returned."""

    query: str
    because: str
    series: tuple[Series, ...]
    unit: str = ""
    trouble: str = ""


Ask = Callable[[str], Awaitable[Told]]
"""Answers a question in words; raises PetopsError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How one integration fares: ok, warning, broken, unknown, or off where nothing asks for it."""

    name: str
    verdict: str
    says: str
    hint: str = ""


Charts = Callable[[Incident], Awaitable[Sequence[Plot]]]
"""Reads what the incident's workload did over time, by way of MCP; raises PetopsError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """A failure mode by its name, and what it is."""

    name: str
    title: str


Export = Callable[[Incident], Awaitable[str]]
"""Writes an incident's record to a file; returns where. Raises PetopsError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting, secrets masked."""

    name: str
    value: str
    origin: str
    about: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """All of it."""

    tell: Tell
    summarise: Summarise
    ask: Ask | None = None
    chaos: Chaos | None = None
    export: Export | None = None
    charts: Charts | None = None
    causes: tuple[Cause, ...] = ()
    settings: tuple[Setting, ...] = ()
    hint: str = ""
    missing: Mapping[str, str] = field(default_factory=dict)
    """Why something was not given, by its name: ask, chaos, charts."""
