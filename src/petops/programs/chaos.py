"""Faults to practise with: a manifest is applied through the Kubernetes API, and taken back."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from petops.app import connected
from petops.domain.subject import ClusterName, Kind, Subject
from petops.errors import RefusedError, SourceError, UsageError
from petops.ports import RESOURCES, ApiAnswer, KubernetesCalls
from petops.programs import chaos_watch
from petops.programs.attach import settings_here
from petops.programs.printing import Printer, note, print_json
from petops.scenarios import CATALOGUE
from petops.scenarios.base import EXPIRES_ANNOTATION, MANAGED_BY, SCENARIO_LABEL, Scenario
from petops.sources.kubernetes_calls import AioCalls, open_calls

ALLOWED_LABEL: Final = "petops.dev/chaos"
ALLOWED: Final = "allowed"
_MANAGER: Final = "petops-chaos"
_APPLY: Final = "application/apply-patch+yaml"
_TTL: Final = re.compile(r"(\d{1,5})(s|m|h)")
_LONGEST_TTL_SECONDS: Final = 24 * 3600
_MANAGED: Final = f"app.kubernetes.io/managed-by={MANAGED_BY}"
_KINDS: Final = {
    Kind.DEPLOYMENT: "/apis/apps/v1/deployments",
    Kind.JOB: "/apis/batch/v1/jobs",
}

Json = Any


def scenario_named(name: str) -> Scenario:
    """Return a scenario; raise UsageError with what there is."""
    found = CATALOGUE.get(name)
    if found is None:
        raise UsageError(
            f"there is no scenario {name!r}", hint=f"there are: {', '.join(CATALOGUE)}"
        )
    return found


def time_to_live(text: str) -> timedelta:
    """Return the time of 90s, 10m or 1h; raise UsageError for what is none."""
    match = _TTL.fullmatch(text)
    if match is None:
        raise UsageError(f"{text[:40]!r} is no time to live", hint="for example 90s, 10m or 1h")
    seconds = int(match[1]) * {"s": 1, "m": 60, "h": 3600}[match[2]]
    if not 0 < seconds <= _LONGEST_TTL_SECONDS:
        raise UsageError("a fault lives from a second to a day", hint="for example --ttl 10m")
    return timedelta(seconds=seconds)


async def apply(
    calls: KubernetesCalls, scenario: Scenario, *, ttl: timedelta, dry_run: bool = False
) -> None:
    """Apply a scenario's manifest.

    Raise RefusedError where that is not allowed or was done before.
    """
    for document in scenario.documents(now=datetime.now(UTC), ttl=ttl):
        await _allowed(calls, document["metadata"]["namespace"])
        path = _path(document)
        present = await calls.request("GET", path)
        if present.status == 200:
            raise RefusedError(
                f"{scenario.name} is injected already",
                hint=f"petops chaos status; petops chaos clean {scenario.name}",
            )
        query = {"fieldManager": _MANAGER, "force": "true"} | ({"dryRun": "All"} if dry_run else {})
        answer = await calls.request("PATCH", path, query=query, body=document, content_type=_APPLY)
        _ok(answer, path)


async def remove(calls: KubernetesCalls, scenario: Scenario) -> int:
    """Delete what the scenario applied; return how many objects there were.

    What carries the scenario's label counts too, wherever it is: somebody may have renamed it.
    """
    paths = {_path(document) for document in scenario.documents()}
    with contextlib.suppress(SourceError):  # who may not list them all takes back what was applied
        paths |= {_path(one) for one in await at_work(calls, f",{SCENARIO_LABEL}={scenario.name}")}
    found = 0
    for path in sorted(paths):
        answer = await calls.request("DELETE", path, query={"propagationPolicy": "Background"})
        if answer.status != 404:
            _ok(answer, path)
            found += 1
    return found


async def at_work(calls: KubernetesCalls, chosen: str = "") -> list[Json]:
    """Return the injected objects of all namespaces, by the label that each carries."""
    query = {"labelSelector": f"{_MANAGED}{chosen}"}
    found = []
    for kind, path in _KINDS.items():
        answer = await calls.request("GET", path, query=query)
        _ok(answer, f"{kind}s")
        found += [{**one, "kind": str(kind)} for one in answer.body["items"]]
    return found


def target(scenario: Scenario, cluster: ClusterName) -> Subject:
    """Return the workload that the scenario runs."""
    document = next(one for one in scenario.documents() if one["kind"] in set(Kind))
    return Subject(
        cluster=cluster,
        kind=Kind(document["kind"]),
        namespace=document["metadata"]["namespace"],
        name=document["metadata"]["name"],
    )


def _path(document: Json) -> str:
    metadata = document["metadata"]
    folder = RESOURCES[Kind(document["kind"])].format(namespace=metadata["namespace"])
    return f"{folder}/{metadata['name']}"


async def _allowed(calls: KubernetesCalls, namespace: str) -> None:
    """Refuse where the namespace is not labelled for faults: on every cluster alike."""
    answer = await calls.request("GET", f"/api/v1/namespaces/{namespace}")
    _ok(answer, f"namespace {namespace}")
    labels = answer.body["metadata"].get("labels", {})
    if labels.get(ALLOWED_LABEL) != ALLOWED:
        raise RefusedError(
            f"namespace {namespace} is not labelled for faults",
            hint=f"kubectl label namespace {namespace} {ALLOWED_LABEL}={ALLOWED}",
        )


def _ok(answer: ApiAnswer, what: str) -> None:
    failure = answer.failure(what)
    if failure is not None:
        raise failure


def listed(*, as_json: bool) -> None:
    """Print the scenarios."""
    if as_json:
        rows = [{"name": one.name, "summary": one.summary} for one in CATALOGUE.values()]
        print_json(rows)
        return
    printer = Printer()
    for one in CATALOGUE.values():
        printer.say(f"{one.name:<16} {one.summary}")


def manifest(name: str) -> None:
    """Print a scenario's manifest as it stands."""
    sys.stdout.write(scenario_named(name).text)


async def injected(
    config: Path | None, name: str, *, ttl: str, dry_run: bool, wait: bool = False
) -> None:
    """Inject a scenario into the cluster that is set, or into the running lab."""
    scenario, lives = scenario_named(name), time_to_live(ttl)
    printer = Printer()
    async with _calls(config) as calls:
        await apply(calls, scenario, ttl=lives, dry_run=dry_run)
        if dry_run:
            printer.say(f"{name} would be accepted; nothing was changed")
            return
        printer.say(f"injected {name}: {scenario.summary}; it ends by itself in {ttl}")
        if wait:
            printer.say(f"the fault shows: {await chaos_watch.shown(calls, scenario)}")
    printer.say("follow it with: petops incidents, take it back with: petops chaos clean")


async def cleaned(config: Path | None, name: str | None) -> None:
    """Take back one scenario, or all, and say whether all is well again."""
    wanted = [scenario_named(name)] if name else list(CATALOGUE.values())
    printer = Printer()
    async with _calls(config) as calls:
        removed = [one for one in wanted if await remove(calls, one)]
        for scenario in wanted:
            done = "taken back" if scenario in removed else "was not injected"
            printer.say(f"{scenario.name}: {done}")
        for scenario in removed:
            well, text = await chaos_watch.recovery(calls, scenario)
            printer.say(f"{scenario.name}: {text if well else f'not recovered yet: {text}'}")


async def status(config: Path | None, *, as_json: bool) -> None:
    """Print which faults are injected, by the label that each carries."""
    async with _calls(config) as calls:
        rows = [_row(one, datetime.now(UTC)) for one in await at_work(calls)]
    if as_json:
        print_json(rows)
        return
    printer = Printer()
    if not rows:
        printer.say("no fault is injected")
    for row in rows:
        printer.say("  ".join(f"{key} {value}" for key, value in row.items()))


def _row(found: Json, now: datetime) -> dict[str, str]:
    metadata, state = found["metadata"], found.get("status") or {}
    expires = (metadata.get("annotations") or {}).get(EXPIRES_ANNOTATION, "?")
    wanted = found["spec"].get("replicas", 1)
    return {
        "scenario": metadata["labels"].get(SCENARIO_LABEL, "?"),
        found["kind"].lower(): f"{metadata['namespace']}/{metadata['name']}",
        "expires": expires,
        "state": "over" if _is_past(expires, now) or _has_ended(state) else "at work",
        "ready": f"{state.get('readyReplicas', state.get('ready', 0))}/{wanted}",
    }


def _has_ended(status: Json) -> bool:
    """Say whether it is a Job whose pod was evicted, or is done."""
    return any(
        one["type"] in {"Complete", "Failed"} and one["status"] == "True"
        for one in status.get("conditions") or ()
    )


def _is_past(text: str, now: datetime) -> bool:
    try:
        return datetime.fromisoformat(text) <= now
    except ValueError:
        return False


@asynccontextmanager
async def _calls(config: Path | None) -> AsyncIterator[AioCalls]:
    settings = settings_here(config).settings
    async with open_calls(
        kubeconfig=settings.cluster.kubeconfig, context=settings.cluster.context
    ) as calls:
        note(f"cluster {connected(settings, calls)}")
        yield calls
