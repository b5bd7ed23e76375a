"""Who petops is at AWS, and whether it may see what it asks there."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from petops.config import Settings
from petops.domain.evidence import Window
from petops.errors import PetopsError, SourceError
from petops.programs.doctor_check import Check, broken, failed, off, ok, unknown, warning
from petops.sources.aws_calls import HASTY, AwsCalls
from petops.sources.aws_identity import NODE_ROLE, AwsIdentity, identity
from petops.sources.cloudwatch_metrics import CloudWatchMetrics, CloudWatchQuery
from petops.sources.secrets_manager import SECRETS_MANAGER, is_reference, secret

IDENTITY: Final = "aws identity"
ALARMS: Final = "cloudwatch alarms"
INSIGHTS: Final = "container insights"
X_RAY: Final = "x-ray"
NAMES: Final = (IDENTITY, ALARMS, INSIGHTS, X_RAY)
SECRETS: Final = "secrets"

_POLICY: Final = "petops setup aws policies prints the policy that its role needs"
_SECONDS: Final = 8.0
_LOOK_BACK: Final = timedelta(minutes=15)
_TRACES_BACK: Final = timedelta(minutes=5)


async def look(settings: Settings) -> Sequence[Check]:
    """Ask STS, and then each service for a little."""
    region = settings.cluster.region
    if not region:
        told = "no AWS region is set: AWS is not asked"
        return tuple(off(one, told, "set AWS_REGION, or cluster.region") for one in NAMES)
    try:
        who = await identity(region)
    except SourceError as exc:
        judged = failed if settings.alarms.sqs_queue_url else _warned
        fix = (
            "in the cluster: docs/install.md (IRSA, Pod Identity); elsewhere: AWS_PROFILE, "
            "and `aws sts get-caller-identity`"
        )
        why = "AWS does not know who we are"
        return judged(IDENTITY, exc, fix), *(unknown(one, why) for one in NAMES[1:])
    services: dict[str, Callable[[Settings], Awaitable[Check]]] = {
        ALARMS: _alarms,
        INSIGHTS: _insights,
        X_RAY: _x_ray,
    }
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_asked(name, one(settings))) for name, one in services.items()]
    return _identity(who, settings), *(task.result() for task in tasks)


def _identity(who: AwsIdentity, settings: Settings) -> Check:
    told = f"{who.arn}, by {who.way}"
    account = settings.cluster.account
    if account and account != who.account:
        return broken(
            IDENTITY,
            f"{told}: that is account {who.account}, and the cluster is in {account}",
            "set AWS_PROFILE, or correct cluster.account",
        )
    if who.method == NODE_ROLE:
        fix = "annotate the ServiceAccount (IRSA) or associate it (Pod Identity): docs/install.md"
        return warning(IDENTITY, f"{told}, which every pod of the node shares", fix)
    return ok(IDENTITY, told)


async def _alarms(settings: Settings) -> Check:
    async with _calls("cloudwatch", "CloudWatch", settings) as cloudwatch:
        answer = await cloudwatch.call("describe_alarms", MaxRecords=1)
    if answer.get("MetricAlarms") or answer.get("CompositeAlarms"):
        return ok(ALARMS, "there are alarms, and they may be read")
    told = f"there are no alarms in {settings.cluster.region}: nothing will come"
    return warning(ALARMS, told, "docs/prerequisites.md has alarms to begin with")


async def _insights(settings: Settings) -> Check:
    now = datetime.now(UTC)
    name = settings.cluster.name
    if not name:
        return unknown(INSIGHTS, "the cluster's name is not known")
    query = CloudWatchQuery(
        id="nodes",
        namespace="ContainerInsights",
        metric="cluster_node_count",
        dimensions={"ClusterName": name},
    )
    async with CloudWatchMetrics(region=settings.cluster.region) as metrics:
        readings = await metrics.read([query], Window(start=now - _LOOK_BACK, end=now))
    if any(one.samples for one in readings.series):
        return ok(INSIGHTS, f"measures {name}")
    fix = (
        "aws eks create-addon --addon-name amazon-cloudwatch-observability "
        f"--cluster-name {name}; or use alarms of other metrics"
    )
    return warning(INSIGHTS, f"has measured nothing of {name} for a quarter of an hour", fix)


async def _x_ray(settings: Settings) -> Check:
    now = datetime.now(UTC)
    async with _calls("xray", "X-Ray", settings) as xray:
        answer = await xray.call(
            "get_trace_summaries", StartTime=now - _TRACES_BACK, EndTime=now, Sampling=True
        )
    if answer.get("TraceSummaries"):
        return ok(X_RAY, "has traces of the last five minutes")
    fix = "send traces (ADOT collector), for diagnoses of slow dependencies"
    return warning(X_RAY, "may be read, and has no traces of the last five minutes", fix)


def _calls(service: str, title: str, settings: Settings) -> AwsCalls:
    region = settings.cluster.region
    return AwsCalls(service, title, region=region, timeout_seconds=_SECONDS, patience=HASTY)


async def _asked(name: str, question: Awaitable[Check]) -> Check:
    """Return the answer; a service that may not be read only makes diagnoses poorer."""
    try:
        return await question
    except SourceError as exc:
        return _warned(name, exc, _POLICY)


def _warned(name: str, exc: PetopsError, fix: str) -> Check:
    return warning(name, exc.message, fix)


async def look_at_secrets(settings: Settings) -> Sequence[Check]:
    """Read every secret that the settings name, and show none."""
    named = dict(references(settings))
    if not named:
        return (off(SECRETS, "no setting names a secret that is kept elsewhere"),)
    failures: dict[str, PetopsError] = {}
    for name, given in named.items():
        try:
            await secret(given, region=settings.cluster.region)
        except PetopsError as exc:
            failures[name] = exc
    if not failures:
        return (ok(SECRETS, f"{', '.join(named)} can be read"),)
    told = "; ".join(
        f"{name}{' (GetSecretValue)' if named[name].startswith(SECRETS_MANAGER) else ''}: "
        f"{one.message}"
        for name, one in failures.items()
    )
    hints = [one.hint for one in failures.values() if one.hint]
    return (broken(SECRETS, told, hints[0] if hints else _POLICY),)


def references(settings: Settings) -> list[tuple[str, str]]:
    """Return each secret setting that only names where its secret is kept."""
    found: list[tuple[str, str]] = []
    for section in fields(settings):
        values = getattr(settings, section.name)
        if not is_dataclass(values) or isinstance(values, type):
            continue
        for one in fields(values):
            given = getattr(values, one.name)
            if one.metadata.get("secret") and isinstance(given, str) and is_reference(given):
                found.append((f"{section.name}.{one.name}", given))
    return found
