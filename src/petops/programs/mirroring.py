"""Slack beside the daemon's engine: settings become what the surface is given."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from petops.app import Running, SystemClock
from petops.config import Settings
from petops.domain.policy_tables import people
from petops.errors import UsageError
from petops.programs.catalogue import known_modes
from petops.programs.summaries import summary
from petops.programs.telling import told

if TYPE_CHECKING:
    from petops.slack.beside import Given


def is_set(settings: Settings) -> bool:
    """Say whether Slack is set up at all."""
    return bool(settings.slack.bot_token)


def given(settings: Settings, cluster: str) -> Given:
    """Return what Slack's side is given; raise UsageError for settings that make no sense."""
    from petops.slack import beside, due, look, routing, text  # noqa: PLC0415 - late, by intent
    from petops.slack.people import mapped  # noqa: PLC0415

    slack = settings.slack
    default = None
    if slack.channel:
        default = routing.Route(
            channel=routing.channel_id(slack.channel),
            mention=routing.mention(slack.mention),
            mention_priorities=slack.mention_priorities,
            quiet=routing.quiet_hours(slack.quiet_hours, slack.quiet_zone, slack.quiet_except),
        )
    routes = routing.routes(settings.slack_route, default)
    if not routes:
        raise UsageError("Slack has a token and no channel", hint="set PETOPS_SLACK_CHANNEL")
    return beside.Given(
        url=slack.api_url,
        bot_token=slack.bot_token,
        app_token=slack.app_token,
        signing_secret=slack.signing_secret,
        rules=due.Rules(
            routes=routes,
            storm_incidents=slack.storm_incidents,
            storm_within=timedelta(minutes=slack.storm_minutes),
        ),
        look=look.Look(
            tell=told,
            summarise=summary,
            writer=text.Writer(text.masks(settings.mask)),
            grafana_url=settings.grafana.url,
            grafana_links=look.grafana_links(settings.grafana_link),
            incident_url=settings.daemon.public_url,
        ),
        people=(*people(settings.person), *mapped(slack.people)),
        cluster=cluster,
        modes=tuple(one.name for one in known_modes(settings)),
        ask=_asking(settings),
        chaos=_faults(settings),
    )


def _asking(settings: Settings) -> Callable[[str], Any] | None:
    if not settings.prometheus.url:
        return None

    async def ask(question: str) -> Sequence[str]:
        from petops.programs.dashboard_given import Asking  # noqa: PLC0415 - mcp, a second

        answer = await Asking(settings).ask(question)
        if answer.trouble:
            return (answer.trouble,)
        lines = [answer.because, answer.query]
        for one in answer.series:
            last = f"{one.samples[-1].value:g} {answer.unit}" if one.samples else "no data"
            labels = ", ".join(f"{key}={value}" for key, value in one.labels)
            lines.append(f"{last}  {labels}")
        return tuple(line for line in lines if line)

    return ask


def _faults(settings: Settings) -> Callable[[], Any]:
    async def faults() -> Sequence[str]:
        from petops.programs.dashboard_given import ClusterFaults  # noqa: PLC0415

        return tuple(
            f"{one.name} on {one.target}"
            + (f", until {one.expires:%H:%M:%S}Z" if one.expires else "")
            for one in await ClusterFaults(settings).status()
        )

    return faults


@asynccontextmanager
async def slack_beside(
    settings: Settings, running: Running, say: Callable[[str], None]
) -> AsyncIterator[list[Any]]:
    """Run Slack's side for as long as the block lasts; the block gets what is to be served to it.

    Without a token nothing of Slack is even imported.
    """
    if not is_set(settings):
        yield []
        return
    if not settings.slack.channel and not settings.slack_route:
        # The token may be another tool's: it must not keep the engine from work.
        say("Slack has a token and no channel: nothing is shown there (PETOPS_SLACK_CHANNEL)")
        yield []
        return
    # In a thread: slack-sdk takes 0.4 s, in which the engine must answer.
    slack = await asyncio.to_thread(importlib.import_module, "petops.slack.beside")

    cluster = str(running.cluster.name)
    side = slack.SlackBeside(running.engine, given(settings, cluster), SystemClock(), say)
    doors = side.doors()
    task = asyncio.create_task(side.run())
    try:
        yield doors.routes() if doors else []
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
