"""Finds the engine that a command speaks to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from petops.config import Loaded, Settings, state_folder
from petops.config.environment import settings_from, use_environment
from petops.errors import PetopsError
from petops.lab.lab_state import running_lab
from petops.ports import EngineHandle
from petops.remote import connected, socket_is_alive

NO_ENGINE_HINT = "start one with `petops daemon`, or with `petops lab up` to try it out"


def settings_here(config: Path | None) -> Loaded:
    """Return the settings; those of the running lab where no cluster is set and no engine runs.

    Standard variables win: with KUBECONFIG or PETOPS_JOURNAL set, or an engine at work on the usual
    journal, the lab is never spoken to by mistake.
    """
    loaded = settings_from(config)
    settings = loaded.settings
    is_set = settings.cluster.kubeconfig or settings.journal.path or settings.cluster.context
    if is_set or socket_is_alive(settings.socket_path):
        return loaded
    lab = running_lab(lab_folder())
    if lab is None or not lab.is_ready:
        return loaded
    use_environment(lab.environment)
    return settings_from(config)


def lab_folder() -> Path:
    """Return where this user's lab keeps its state."""
    return state_folder() / "lab"


@asynccontextmanager
async def found_engine(settings: Settings, attach: str | None) -> AsyncIterator[EngineHandle]:
    """Attach to the engine at `attach`, or to the one that holds the journal here."""
    if attach:
        async with connected(attach, settings.daemon.token) as engine:
            yield engine
        return
    if not socket_is_alive(settings.socket_path):
        raise PetopsError(
            f"no engine holds the journal {settings.journal_path}", hint=NO_ENGINE_HINT
        )
    async with connected(settings.socket_path) as engine:
        yield engine
