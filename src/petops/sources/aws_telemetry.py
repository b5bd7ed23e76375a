"""X-Ray, CloudWatch Logs and CloudWatch metrics together, where AWS is set; else why they are not.

Nothing is asked to find that out: no metadata service is waited for, and without AWS boto3 is not
even imported.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from petops.domain.subject import ClusterName
from petops.errors import UsageError
from petops.ports import NO_CLOUD, NO_LOGS, NO_TRACES, Cloud, Logs, Traces
from petops.ports.absent import CloudAbsent, LogsAbsent, TracesAbsent
from petops.sources.cloudwatch_metrics import CloudWatchMetrics
from petops.sources.cloudwatch_use import CloudWatchUse
from petops.sources.logs_insights import LogsInsights
from petops.sources.xray import XRayTraces

AUTO, ON, OFF = "auto", "on", "off"
_CREDENTIALS: Final = (
    "AWS_ACCESS_KEY_ID",
    "AWS_PROFILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsTelemetry:
    """What AWS tells of a cluster beside its own metrics."""

    traces: Traces = NO_TRACES
    logs: Logs = NO_LOGS
    cloud: Cloud = NO_CLOUD
    clients: Sequence[Callable[[], None]] = ()

    def warm(self) -> None:
        """Make the clients in threads meanwhile."""
        for one in self.clients:
            one()


async def opened(
    stack: AsyncExitStack, cluster: ClusterName, mode: str, environment: Mapping[str, str]
) -> AwsTelemetry:
    """Return the adapters for the cluster's region, open for as long as `stack` is."""
    why = why_not(cluster, mode, environment)
    if why:
        return AwsTelemetry(
            traces=TracesAbsent(f"no X-Ray is set: {why}"),
            logs=LogsAbsent(f"no CloudWatch Logs is set: {why}"),
            cloud=CloudAbsent(f"no CloudWatch metrics are set: {why}"),
        )
    region = cluster.region
    metrics = CloudWatchMetrics(region=region)
    traces = await stack.enter_async_context(XRayTraces(region=region))
    logs = await stack.enter_async_context(LogsInsights(cluster.name, region=region))
    cloud = await stack.enter_async_context(CloudWatchUse(metrics, cluster.name))
    clients = (traces.warm, logs.warm, metrics.warm)
    return AwsTelemetry(traces=traces, logs=logs, cloud=cloud, clients=clients)


def why_not(cluster: ClusterName, mode: str, environment: Mapping[str, str]) -> str:
    """Say why AWS is not asked; empty where it is."""
    if mode not in {AUTO, ON, OFF}:
        raise UsageError(f"aws.telemetry is {AUTO}, {ON} or {OFF}, not {mode[:40]!r}")
    if mode == OFF:
        return "aws.telemetry is off"
    if not cluster.region:
        return "no region is known"
    if mode == AUTO and not has_credentials(environment):
        return "there are no AWS credentials (aws.telemetry = on asks all the same)"
    return ""


def has_credentials(environment: Mapping[str, str]) -> bool:
    """Say whether credentials are at hand, without asking anybody for them."""
    if any(environment.get(name) for name in _CREDENTIALS):
        return True
    home = Path(environment.get("HOME", "/nonexistent"))
    named = environment.get("AWS_SHARED_CREDENTIALS_FILE")
    file = Path(named) if named else home / ".aws" / "credentials"
    return file.is_file()
