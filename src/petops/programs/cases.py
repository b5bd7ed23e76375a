"""A folder of recorded answers, investigated through the production adapters.

The folder's objects are served by the lab's Kubernetes API and its samples by a real Prometheus,
at the time when they were recorded; nothing else differs from an investigation of a live cluster.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from petops.app import Running, SystemClock, running_engine
from petops.config import ClusterSettings, PrometheusSettings, Settings
from petops.domain.alarm import Alarm, AlarmSource, AlarmState
from petops.domain.events import AlarmTurnedAway, Entry
from petops.domain.incident import Incident
from petops.domain.requests import ReportAlarm
from petops.domain.subject import ClusterName, Kind, Subject
from petops.engine.embedded import Embedded
from petops.errors import PetopsError, RefusedError, UsageError
from petops.journal.memory import MemoryJournal
from petops.lab.children import beside, listening_socket
from petops.lab.kubernetes_server import kubernetes_app
from petops.lab.prometheus import running_prometheus
from petops.lab.recorded import recorded_api, recorded_at
from petops.lab.recorded_lists import recorded_objects
from petops.lab.recorded_metrics import load_recorded
from petops.lab.recorded_traces import RecordedXRay, recorded_traces
from petops.lab.serving import LoopbackServer
from petops.ports import Traces
from petops.ports.absent import TracesAbsent
from petops.programs.catalogue import known_modes
from petops.programs.following import until_decidable
from petops.programs.printing import Printer, note
from petops.programs.replaying import ENTRIES, incident_of
from petops.programs.telling import Line, diagnosed
from petops.sources.alarm_events import parse_document
from petops.sources.aws_telemetry import AwsTelemetry
from petops.sources.xray import XRayTraces

CLUSTER = ClusterName(name="recorded")
LONGEST_SECONDS = 120
"""What is recorded answers at once: a case that takes longer holds what nobody foresaw."""
_ALARM_FILE = "alarm.json"
_WORKLOADS = {
    "deployments": Kind.DEPLOYMENT,
    "statefulsets": Kind.STATEFUL_SET,
    "daemonsets": Kind.DAEMON_SET,
    "jobs": Kind.JOB,
}


async def investigated(folder: Path, settings: Settings | None = None, *, quiet: bool) -> Incident:
    """Return the incident that the folder's alarm leads to, once it is diagnosed.

    Without an alarm in the folder the workload that is worst off is asked about, or the node. What
    was exported of an incident is concluded again from its recorded answers. Of the settings only
    what they say of an organisation's own knowledge counts: its sources are asked as they are set.
    """
    given = settings or Settings()
    printer = Printer()
    if (folder / ENTRIES).is_file():
        incident = incident_of(folder, known_modes(given))
        if not quiet and incident.diagnosis is not None:
            printer.lines(diagnosed(incident.diagnosis))
        return incident

    def tell(entry: Entry, lines: Iterable[Line]) -> None:
        del entry
        if not quiet:
            printer.lines(lines)

    async with _recorded_engine(folder, given) as running:
        engine = Embedded(running.engine, running.myself())
        alarm = _alarm(folder, running)
        entry = await engine.submit(ReportAlarm(id=str(uuid.uuid4()), alarm=alarm))
        if isinstance(entry.event, AlarmTurnedAway):
            raise RefusedError(f"the alarm led to nothing: {entry.event.because}")
        try:
            async with asyncio.timeout(LONGEST_SECONDS):
                return await until_decidable(engine, entry.incident, tell)
        except TimeoutError as exc:
            raise UsageError(f"{folder} came to no verdict in {LONGEST_SECONDS} s") from exc


@asynccontextmanager
async def _recorded_engine(folder: Path, given: Settings) -> AsyncIterator[Running]:
    """Run an engine on the folder: on its own time, with a journal that is forgotten."""
    at = recorded_at(folder)
    async with AsyncExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="petops-case-")))
        url = await _served(folder, at, stack)
        kubeconfig = home / "kubeconfig"
        kubeconfig.write_text(_kubeconfig(url), encoding="utf-8")
        settings = Settings(
            cluster=ClusterSettings(name=CLUSTER.name, kubeconfig=str(kubeconfig)),
            prometheus=PrometheusSettings(url=await _prometheus(folder, at, home, stack)),
            knowledge=given.knowledge,
            source=given.source,
        )
        clock = SystemClock(at - SystemClock().now())
        telemetry = AwsTelemetry(traces=await _traces(folder, stack))
        yield await stack.enter_async_context(
            running_engine(
                settings, MemoryJournal(), clock=clock, channel="terminal", telemetry=telemetry
            )
        )


async def _served(folder: Path, at: datetime, stack: AsyncExitStack) -> str:
    """Serve the folder's objects as a Kubernetes API; return its address."""
    server = LoopbackServer(kubernetes_app(recorded_api(folder)), listening_socket())
    await stack.enter_async_context(beside(server.run_until_cancelled()))
    return server.url


async def _prometheus(folder: Path, at: datetime, home: Path, stack: AsyncExitStack) -> str:
    """Run a Prometheus with the folder's samples; without one, go on and say so."""
    try:
        prometheus = await stack.enter_async_context(running_prometheus([], home / "prometheus"))
    except PetopsError as exc:
        note(f"metrics are not available: {exc.message}")
        return ""
    await load_recorded(folder, prometheus.url, round(at.timestamp() * 1000))
    return prometheus.url


async def _traces(folder: Path, stack: AsyncExitStack) -> Traces:
    """Return the folder's traces through the adapter for X-Ray."""
    found = recorded_traces(folder)
    if not found:
        return TracesAbsent("the case holds no traces", hint="docs/cases.md")
    return await stack.enter_async_context(XRayTraces(client=RecordedXRay(found)))


def _kubeconfig(url: str) -> str:
    """Return a kubeconfig (JSON is YAML) for an API server on loopback."""
    name = CLUSTER.name
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": name, "cluster": {"server": url}}],
            "users": [{"name": name, "user": {}}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
            "current-context": name,
        }
    )


def _alarm(folder: Path, running: Running) -> Alarm:
    """Return the folder's alarm, or one about the workload that is worst off."""
    file = folder / _ALARM_FILE
    if file.exists():
        found = parse_document(file.read_bytes(), replace(running.mapping, here=CLUSTER))
        if not found:
            raise UsageError(f"{file} holds no alarm")
        about = found[0].subject
        subject = None if about is None else replace(about, cluster=CLUSTER)
        return replace(found[0], cluster=CLUSTER, subject=subject, state=AlarmState.ALARM)
    subject = _worst(folder)
    note(f"the folder has no {_ALARM_FILE}: {subject} is asked about, it is worst off")
    at = recorded_at(folder)
    return Alarm(
        name=f"case {folder.name}",
        source=AlarmSource.PERSON,
        fingerprint=f"case:{folder.name}",
        event_id=str(uuid.uuid4()),
        state=AlarmState.ALARM,
        cluster=CLUSTER,
        started_at=at,
        subject=subject,
    )


def _worst(folder: Path) -> Subject:
    """Return the workload with most restarts and fewest ready pods, else the worst node."""
    pods = _items(folder, "pods")
    for plural, kind in _WORKLOADS.items():
        found = _items(folder, plural)
        if found:
            worst = max(found, key=lambda one: _trouble(one, pods))["metadata"]
            return Subject(
                cluster=CLUSTER, kind=kind, namespace=worst["namespace"], name=worst["name"]
            )
    nodes = _items(folder, "nodes")
    if not nodes:
        raise UsageError(f"{folder} has neither {_ALARM_FILE} nor anything to ask about")
    name = max(nodes, key=_node_trouble)["metadata"]["name"]
    return Subject(cluster=CLUSTER, kind=Kind.NODE, name=name)


def _trouble(found: Any, pods: list[Any]) -> tuple[int, int]:
    """Return a workload's restarts, and how many of its pods are missing or not ready."""
    own = [one for one in pods if _is_of(one, found)]
    statuses = [
        one for pod in own for one in (pod.get("status") or {}).get("containerStatuses") or ()
    ]
    restarts = sum(int(one.get("restartCount") or 0) for one in statuses)
    status = found.get("status") or {}
    missing = max(0, int(found["spec"].get("replicas") or 0) - (status.get("readyReplicas") or 0))
    return restarts, missing + sum(not one.get("ready") for one in statuses)


def _node_trouble(found: Any) -> int:
    said = (found.get("status") or {}).get("conditions") or ()
    return sum((one.get("status") == "True") != (one.get("type") == "Ready") for one in said)


def _is_of(pod: Any, deployment: Any) -> bool:
    wanted = (deployment["spec"].get("selector") or {}).get("matchLabels") or {}
    labels = pod["metadata"].get("labels") or {}
    return all(labels.get(key) == value for key, value in wanted.items())


def _items(folder: Path, plural: str) -> list[Any]:
    return [item for resource, item in recorded_objects(folder) if resource.plural == plural]
