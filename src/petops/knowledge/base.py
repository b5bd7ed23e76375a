"""What an organisation may bring, and what was found of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any

from petops.domain.runbook import Runbook
from petops.playbooks.base import FailureMode
from petops.remedies.base import Remedy


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnSource:
    """A source of their own; `sources.own_source(name)` gives a step what `open` yields.

    `open` gets the settings' `[[source]]` table of this name, without the name. Every call that is
    made through it needs a timeout of its own; a step has one besides.
    """

    name: str
    open: Callable[[Mapping[str, Any]], AbstractAsyncContextManager[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Knowledge:
    """What was found. `origins` says, by name, which package or file each thing comes from."""

    modes: Mapping[str, FailureMode] = field(default_factory=dict)
    remedies: Mapping[str, Remedy] = field(default_factory=dict)
    sources: Mapping[str, OwnSource] = field(default_factory=dict)
    runbooks: tuple[Runbook, ...] = ()
    origins: Mapping[str, str] = field(default_factory=dict)
    troubles: tuple[str, ...] = ()
