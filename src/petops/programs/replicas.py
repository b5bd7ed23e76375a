"""One of several replicas: it serves at once, and leads once it holds the Lease."""

from __future__ import annotations

import asyncio
import socket
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

from petops.app import Myself, SystemClock, alarm_mapping, connected, running_engine
from petops.config import Settings
from petops.daemon.standby import Standby, Switch
from petops.errors import JournalError, PetopsError, SupersededError
from petops.journal.postgres import PostgresJournal
from petops.ports import Journal, KubernetesCalls
from petops.programs import surfaces
from petops.programs.daemon import (
    Beside,
    Say,
    about_engine,
    drained,
    log_entries,
    opened_journal,
    traced,
    working,
)
from petops.secrets_access import with_secrets_at_hand
from petops.sources.kubernetes import KubernetesCluster
from petops.sources.kubernetes_calls import open_calls
from petops.sources.kubernetes_lease import Held, KubernetesLease

_NAMESPACE: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_AGAIN_SECONDS: Final = 1.0


async def run_replica(settings: Settings, say: Say, *, json_lines: bool = False) -> None:
    """Serve until cancelled; lead whenever the Lease is ours."""
    settings = await with_secrets_at_hand(settings, say)
    async with AsyncExitStack() as stack:
        calls = await stack.enter_async_context(
            open_calls(
                kubeconfig=settings.cluster.kubeconfig, context=settings.cluster.context, seconds=4
            )
        )
        lease = _lease(settings, calls)
        shared = None
        if settings.journal.url:
            shared = await stack.enter_async_context(
                PostgresJournal.open_read_only(settings.journal.url)
            )
        switch = Switch(Standby(shared, lambda: lease.leader.address if lease.leader else ""))
        beside = Beside(leads=False)
        cluster = connected(settings, calls)
        myself = Myself(KubernetesCluster(calls, cluster), "socket")
        learning = asyncio.create_task(myself.learn())
        stack.callback(learning.cancel)
        served = await surfaces.opened(
            stack,
            settings,
            switch,
            mapping=await alarm_mapping(settings),
            myself=myself,
            calls=calls,
            about=about_engine(settings, cluster),
            beside=beside,
            doors=beside.doors,
            say=say,
            http=True,
        )
        say(f"replica   {settings.daemon.replica or socket.gethostname()}")
        say(f"API       {served.url}")
        say("ready; waiting for the Lease")
        floor = shared.latest_token if shared is not None else None
        while True:
            async with lease.held(say, floor) as held:
                await _lead(settings, held, switch, beside, say, json_lines=json_lines)
            await asyncio.sleep(_AGAIN_SECONDS)


async def _lead(
    settings: Settings,
    held: Held,
    switch: Switch,
    beside: Beside,
    say: Say,
    *,
    json_lines: bool,
) -> None:
    """Do the leader's work until the Lease is lost; what goes wrong ends this turn of leading."""
    try:
        async with AsyncExitStack() as stack:
            journal = await _journal(settings, held, stack, say)
            if journal is None:
                return
            running = await stack.enter_async_context(running_engine(settings, journal))
            await traced(settings, running, stack, say)
            stack.push_async_callback(drained, running.engine, held.lost)
            stack.callback(switch.to, None)
            if json_lines:
                log_entries(running, stack)
            receives = await working(settings, running, stack, say, beside)
            switch.to(running.engine)
            running.warm()
            beside.leads = True
            say(f"leading with token {journal.token}; alarms {receives or 'by HTTP only'}")
            await held.lost.wait()
    except (SupersededError, JournalError) as exc:
        say(f"this replica leads no more: {exc.message}")
    finally:
        beside.leads, beside.source = False, None
        switch.to(None)


async def _journal(
    settings: Settings, held: Held, stack: AsyncExitStack, say: Say
) -> Journal | None:
    """Open the journal; a file that another process still has is waited for. None: Lease lost."""
    told = ""
    while not held.lost.is_set():
        try:
            return await stack.enter_async_context(opened_journal(settings, token=held.token))
        except SupersededError:
            raise
        except PetopsError as exc:
            if exc.message != told:
                say(f"{exc.message}; petops keeps trying")
                told = exc.message
            await asyncio.sleep(_AGAIN_SECONDS)
    return None


def _lease(settings: Settings, calls: KubernetesCalls) -> KubernetesLease:
    """Return the Lease that is set, as NAME or NAMESPACE/NAME."""
    space, _, name = settings.daemon.lease.rpartition("/")
    if not space:
        space = _NAMESPACE.read_text(encoding="ascii").strip() if _NAMESPACE.exists() else "default"
    return KubernetesLease(
        calls,
        namespace=space,
        name=name,
        holder=settings.daemon.replica or socket.gethostname(),
        address=settings.daemon.advertise,
        clock=SystemClock(),
    )
