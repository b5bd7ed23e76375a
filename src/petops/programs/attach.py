"""Finds the engine that a command speaks to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from petops.config import Loaded, Settings, state_folder
from petops.config.environment import settings_from, use_environment
from petops.errors import PetopsError, UsageError
from petops.lab.lab_state import running_lab
from petops.ports import EngineHandle
from petops.remote import RemoteEngine, connected, socket_is_alive
from petops.sources.kubernetes_calls import open_calls
from petops.sources.kubernetes_forward import forwarded

KUBERNETES = "kubernetes"
_NAMESPACE = _SERVICE = "devops-agent"
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
    """Attach to the engine at `attach`, or to the one that holds the journal here.

    `kubernetes`, or `kubernetes:NAMESPACE/SERVICE`, is the daemon in the cluster, reached through
    the API server with the user's own kubeconfig.
    """
    attach = attach or settings.daemon.attach
    if attach.partition(":")[0] == KUBERNETES:
        async with in_cluster(settings, attach.partition(":")[2]) as engine:
            yield engine
        return
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


@asynccontextmanager
async def in_cluster(settings: Settings, place: str) -> AsyncIterator[RemoteEngine]:
    """Attach to the daemon's Service by a port-forward, for as long as the block lasts."""
    namespace, _, service = place.rpartition("/")
    async with open_calls(
        kubeconfig=settings.cluster.kubeconfig, context=settings.cluster.context
    ) as calls:
        own = settings.daemon.token
        token = own or calls.own_token
        if not token:
            raise UsageError(
                "the kubeconfig's user has no token of which the daemon could learn who it is",
                hint="set PETOPS_TOKEN to one that it takes: `kubectl create token ACCOUNT`, say",
            )
        renew = None if own else calls.renewed_token
        async with (
            forwarded(calls, namespace or _NAMESPACE, service or _SERVICE) as url,
            connected(url, token, renew) as engine,
        ):
            yield engine
