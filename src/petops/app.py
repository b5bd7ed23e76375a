"""The composition root: the only place where adapters meet the engine."""

from __future__ import annotations

import asyncio
import importlib
import logging
import os
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from petops import knowledge
from petops.actuators.kubernetes import KubernetesActuator
from petops.config import Settings
from petops.config.rules import assessment_rules, mapping_rules
from petops.domain.alarm import Alarm, Assessment
from petops.domain.alarm_mapping import AlarmMapping
from petops.domain.assessment import assess
from petops.domain.policy import OURSELVES, Identity, Mode, Rules
from petops.domain.policy_tables import approval_rules, as_accounts, freezes, people
from petops.domain.subject import ClusterName
from petops.engine.allowance import Allowance
from petops.engine.engine import Engine
from petops.engine.grouping import Grouping
from petops.engine.surroundings import Surroundings
from petops.errors import SourceError, UsageError
from petops.knowledge.opening import opened
from petops.playbooks import MODES
from petops.ports import Clock, Journal, Metrics
from petops.remedies import REMEDIES
from petops.secrets_access import when_read
from petops.sources import aws_telemetry
from petops.sources.aws_telemetry import AwsTelemetry
from petops.sources.kubernetes import KubernetesCluster
from petops.sources.kubernetes_calls import AioCalls, open_calls
from petops.sources.kubernetes_site import KubernetesSite
from petops.sources.kubernetes_topology import KubernetesTopology
from petops.sources.late_caller import Caller, LateCaller
from petops.sources.metrics_missing import MetricsMissing
from petops.sources.prometheus_mcp import PrometheusMcp

_log = logging.getLogger(__name__)
_WHOAMI_SECONDS = 5.0


class SystemClock:
    """The machine's time; `offset` moves it, for a recorded case."""

    def __init__(self, offset: timedelta = timedelta(0)) -> None:
        self._offset = offset

    def now(self) -> datetime:
        """Return the present time in UTC."""
        return datetime.now(UTC) + self._offset

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`."""
        await asyncio.sleep(seconds)


class Myself:
    """Who petops is, by Kubernetes' word; asked again until it is known."""

    def __init__(self, cluster: KubernetesCluster, channel: str) -> None:
        self._cluster = cluster
        self._channel = channel
        self._user = ""

    def __call__(self, authorization: str = "") -> Identity:
        """Return who stands at this end of the channel; an empty user is nobody."""
        del authorization
        return Identity(user=self._user, channel=self._channel)

    async def learn(self) -> None:
        """Ask until Kubernetes has answered."""
        while not self._user:
            try:
                self._user = await self._cluster.whoami()
            except SourceError:
                await asyncio.sleep(_WHOAMI_SECONDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """An engine at work, and what a surface beside it needs."""

    engine: Engine
    cluster: KubernetesCluster
    calls: AioCalls
    metrics: Metrics
    myself: Myself
    mapping: AlarmMapping
    warm: Callable[[], None]
    """Loads what the first investigation will need: for when the engine is served already."""


@asynccontextmanager
async def running_engine(
    settings: Settings,
    journal: Journal,
    *,
    clock: Clock | None = None,
    channel: str = "socket",
    telemetry: AwsTelemetry | None = None,
) -> AsyncIterator[Running]:
    """Run an engine on `journal` for as long as the block lasts."""
    clock = clock or SystemClock()
    async with AsyncExitStack() as stack:
        calls = await stack.enter_async_context(
            open_calls(kubeconfig=settings.cluster.kubeconfig, context=settings.cluster.context)
        )
        cluster = KubernetesCluster(calls, connected(settings, calls))
        metrics = await metrics_of(settings, stack)
        aws = telemetry or await aws_telemetry.opened(
            stack, cluster.name, settings.aws.telemetry, os.environ
        )
        rules = assessment_rules(settings)
        known = knowledge.loaded(settings.knowledge.folder, packages=settings.knowledge.packages)
        for trouble in known.troubles:
            _log.warning("own knowledge: %s", trouble)
        own_sources = await opened(known.sources, settings.source, stack, _log.warning)

        def assessed(alarm: Alarm) -> Assessment:
            return assess(alarm, rules)

        given = Surroundings(
            clock=clock,
            cluster=cluster,
            metrics=metrics,
            actuator=KubernetesActuator(calls),
            site=KubernetesSite(calls, cluster.name),
            assess=assessed,
            new_id=lambda: str(uuid.uuid4()),
            traces=aws.traces,
            logs=aws.logs,
            cloud=aws.cloud,
            allowance=_allowance(settings),
            rules=_rules(settings),
            modes={**MODES, **known.modes},
            remedies={**REMEDIES, **known.remedies},
            runbooks=known.runbooks,
            own_sources=own_sources,
            topology=KubernetesTopology(calls, cluster.name, clock=clock, traces=aws.traces),
            grouping=_grouping(settings),
            investigations_at_once=max(1, settings.engine.investigations_at_once),
        )
        myself = Myself(cluster, channel)
        learning = asyncio.create_task(myself.learn())
        stack.callback(learning.cancel)
        engine = await stack.enter_async_context(Engine(journal, given).running())
        mapping = AlarmMapping(here=cluster.name, rules=mapping_rules(settings))

        def warm() -> None:
            aws.warm()
            if isinstance(metrics, PrometheusMcp) and isinstance(metrics.server, LateCaller):
                metrics.server.warm()

        yield Running(
            engine=engine,
            cluster=cluster,
            calls=calls,
            metrics=metrics,
            myself=myself,
            mapping=mapping,
            warm=warm,
        )


async def alarm_mapping(settings: Settings) -> AlarmMapping:
    """Return how alarms are mapped for the cluster that is set, without speaking to it."""
    async with open_calls(
        kubeconfig=settings.cluster.kubeconfig, context=settings.cluster.context
    ) as calls:
        return AlarmMapping(here=connected(settings, calls), rules=mapping_rules(settings))


def connected(settings: Settings, calls: AioCalls) -> ClusterName:
    """Return which cluster this is: by the settings, else by the kubeconfig."""
    known = calls.cluster
    return ClusterName(
        name=settings.cluster.name or known.name,
        account=settings.cluster.account or known.account,
        region=settings.cluster.region or known.region,
    )


def _allowance(settings: Settings) -> Allowance:
    engine = settings.engine
    return Allowance(
        samples=engine.most_samples, log_bytes=engine.most_log_bytes, traces=engine.most_traces
    )


def _rules(settings: Settings) -> Rules:
    engine, repair = settings.engine, settings.repair
    mapped = people(settings.person)
    return Rules(
        window=timedelta(minutes=engine.window_minutes),
        approval_expires=timedelta(minutes=engine.approval_minutes),
        recovery_deadline=timedelta(minutes=engine.recovery_minutes),
        protected_namespaces=frozenset(engine.protected_namespaces),
        mode=_mode(repair.mode),
        approvals=approval_rules(settings.approval),
        people=(*mapped, *as_accounts(mapped, "slack"), *OURSELVES),
        freezes=freezes(settings.freeze),
        auto_namespaces=repair.auto_namespaces,
        take_back_namespaces=repair.take_back_namespaces,
        break_glass=repair.break_glass,
        acts_an_hour=repair.acts_an_hour,
        acts_an_hour_on_workload=repair.acts_an_hour_on_one,
        gitops_allowed=repair.gitops_allowed,
        drain_empty_dir=repair.drain_empty_dir,
        drain_deadline=timedelta(minutes=repair.drain_minutes),
    )


def _grouping(settings: Settings) -> Grouping:
    alarms = settings.alarms
    return Grouping(
        enabled=alarms.grouping,
        window=timedelta(minutes=alarms.grouping_minutes),
        hold=timedelta(seconds=alarms.hold_seconds),
        flaps_after=alarms.flaps_after,
        quiet=timedelta(minutes=alarms.quiet_minutes),
    )


def _mode(text: str) -> Mode:
    try:
        return Mode(text)
    except ValueError:
        raise UsageError(f"repair.mode is act or observe, not {text[:40]!r}") from None


async def metrics_of(settings: Settings, stack: AsyncExitStack) -> Metrics:
    """Ask Prometheus through an MCP server: another's where one is set, else our own."""
    prometheus = settings.prometheus
    if not (prometheus.url or prometheus.mcp_url or prometheus.mcp_command):
        return MetricsMissing(
            "no Prometheus is set", hint="set PROMETHEUS_URL, or prometheus.url in petops.toml"
        )

    async def opening() -> AbstractAsyncContextManager[Caller]:
        access = await asyncio.to_thread(importlib.import_module, "petops.metrics_access")
        complete = await when_read(settings, "prometheus", _log.warning)
        server: AbstractAsyncContextManager[Caller] = access.metrics_server(complete)
        return server

    return PrometheusMcp(await stack.enter_async_context(LateCaller(opening, _log.warning)))
