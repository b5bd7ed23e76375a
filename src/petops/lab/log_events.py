"""What CloudWatch Logs has of the lab: the pods' own lines, and Container Insights' records.

Nothing is stored: lines follow from the programs, records from the meter's samples. Groups keep
three hours, as the meter does.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from petops.lab.insights_metrics import InsightsMetrics
from petops.lab.insights_pods import OF_POD, Pod
from petops.lab.programs import dated
from petops.lab.quantities import stamp
from petops.lab.runs import Run
from petops.lab.world import World

Json = dict[str, Any]

RETENTION_SECONDS: Final = 3 * 3600.0
_KINDS: Final = ("application", "performance", "dataplane", "host")
_NODE_METRICS: Final = (
    "node_cpu_utilization",
    "node_memory_utilization",
    "node_memory_working_set",
    "node_memory_limit",
)


@dataclass(frozen=True, slots=True)
class LogEvent:
    """One event; `at` is in seconds since 1970."""

    at: float
    stream: str
    message: str

    @property
    def id(self) -> str:
        """A number as long as CloudWatch's, the same whenever the event is read."""
        key = f"{self.at} {self.stream} {self.message}".encode()
        mark = int.from_bytes(hashlib.blake2b(key, digest_size=16).digest(), "big")
        return f"{int(self.at * 1000):018d}{mark % 10**38:038d}"


class LogGroups:
    """The log groups of one cluster."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._insights = InsightsMetrics(world)
        base = f"/aws/containerinsights/{world.cluster.name}/"
        self.names = tuple(base + kind for kind in _KINDS)
        self._made: dict[str, Callable[[float, float], Iterator[LogEvent]]] = {
            base + "application": self._application,
            base + "performance": self._performance,
        }

    def __contains__(self, name: str) -> bool:
        return name in self.names

    def events(self, group: str, start: float, end: float) -> Iterator[LogEvent]:
        """Yield a group's events in [start, end), in no order."""
        self._world.step()
        made, now = self._made.get(group), self._world.now.timestamp()
        if made is not None:
            yield from made(max(start, now - RETENTION_SECONDS), min(end, now))

    def streams(self, group: str) -> dict[str, tuple[float, float]]:
        """Return a group's streams with the times of their first and last event."""
        now = self._world.now.timestamp()
        found: dict[str, tuple[float, float]] = {}
        self._world.step()
        if group.endswith("/application"):
            for run, _ in self._world.meter.all_samples():
                ended = run.ended_at.timestamp() if run.ended_at else now
                found[_stream_of(run)] = (run.started_at.timestamp(), ended)
        elif group.endswith("/performance"):
            for node in self._world.store.objects("nodes"):
                made = datetime.fromisoformat(node["metadata"]["creationTimestamp"])
                found[node["metadata"]["name"]] = (made.timestamp(), now)
        return found

    def _application(self, start: float, end: float) -> Iterator[LogEvent]:
        for run, _ in self._world.meter.all_samples():
            began = run.started_at.timestamp()
            until = min(end, run.ended_at.timestamp() if run.ended_at else end)
            if began >= until or until <= start:
                continue
            stream, about = _stream_of(run), _about(run)
            for at, text in run.behaviour.writes(max(start - began, 0.0), until - began):
                when, line = dated(run.started_at, at, text)
                message = _line(when, line, about)
                yield LogEvent(when.timestamp(), stream, message)

    def _performance(self, start: float, end: float) -> Iterator[LogEvent]:
        for pod in self._insights.pods():
            about = self._pod(pod)
            for at, look in pod.looks(start, end):
                values = {name: of(look) for name, of in OF_POD.items()}
                known = {name: round(one, 6) for name, one in values.items() if one is not None}
                yield LogEvent(at, pod.node, _record("Pod", at, about | known))
        yield from self._nodes(start, end)

    def _pod(self, pod: Pod) -> Json:
        run = pod.runs[-1][0]
        service = pod.services[0] if pod.services else ""
        return {
            "ClusterName": self._world.cluster.name,
            "InstanceId": pod.instance,
            "Namespace": pod.namespace,
            "NodeName": pod.node,
            "PodName": pod.workload,
            "pod_status": "Running" if run.is_alive else "Terminated",
            **({"Service": service} if service else {}),
            "kubernetes": {
                "host": pod.node,
                "namespace_name": pod.namespace,
                "pod_id": run.pod_uid,
                "pod_name": pod.name,
                "pod_owners": [{"owner_kind": run.owner_kind, "owner_name": pod.workload}],
                "labels": dict(run.program.labels),
                **({"service_name": service} if service else {}),
            },
        }

    def _nodes(self, start: float, end: float) -> Iterator[LogEvent]:
        rows: dict[tuple[str, float], Json] = {}
        for metric in (one for name in _NODE_METRICS for one in self._insights.metrics(name)):
            of = dict(metric.dimensions)
            if "NodeName" not in of:
                continue
            for point in self._insights.points(metric, start, end):
                row = rows.setdefault((of["NodeName"], point.at), dict(of))
                row[metric.name] = round(point.value, 6)
        for (node, at), row in rows.items():
            yield LogEvent(at, node, _record("Node", at, row))


def ordered(events: Iterable[LogEvent]) -> list[LogEvent]:
    """Return events oldest first; those of one moment by stream."""
    return sorted(events, key=lambda event: (event.at, event.stream))


def _record(kind: str, at: float, values: Json) -> str:
    return json.dumps(
        {"Version": "0", "Type": kind, "Timestamp": str(int(at * 1000)), **values},
        separators=(",", ":"),
    )


def _stream_of(run: Run) -> str:
    """Return the stream that Fluent Bit writes a container's file to."""
    file = f"{run.pod}_{run.namespace}_{run.container}-{run.container_id}.log"
    return f"{run.node}-application.var.log.containers.{file}"


def _about(run: Run) -> Json:
    return {
        "pod_name": run.pod,
        "namespace_name": run.namespace,
        "pod_id": run.pod_uid,
        "host": run.node,
        "container_name": run.container,
        "docker_id": run.container_id,
        "container_image": run.program.image,
        "labels": dict(run.program.labels),
    }


def _line(when: datetime, text: str, about: Json) -> str:
    made: Json = {
        "time": stamp(when.astimezone(UTC)).rstrip("Z") + f".{when.microsecond:06d}000Z",
        "stream": "stdout",
        "_p": "F",
        "log": text,
        "kubernetes": about,
    }
    if text.startswith("{"):
        made["log_processed"] = json.loads(text)
    return json.dumps(made, separators=(",", ":"))
